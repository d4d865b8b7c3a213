# Strangers on the link port: garbage, halves, silence, other protocols, and hellos whose secret is wrong.
import itertools
import random
import struct
import time

from crowd import Tally, connect, noise, receive_some, request, send_some

AT_ONCE = 400
# A stranger is gone within a second; what it takes to notice is added.
GONE_SECONDS_MAX = 2.0
# The quick form runs beside other tests, with nodes built without optimization.
GONE_SECONDS_QUICK_MAX = 6.0
NODE, PRODUCER, PROBE = 1, 2, 3
WELCOME, REFUSE, CHALLENGE = 0x02, 0x03, 0x04


def short(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<H", len(data)) + data


def link_frame(kind, body):
    return struct.pack("<IB", len(body) + 1, kind) + body


def hello(role=NODE, cluster="ringpost", sender="n9", to="n1", version=4, credential=""):
    head = struct.pack("<IHB", 0x314C5052, version, role)
    fields = short(cluster) + struct.pack("<Q", 0) + short(sender) + struct.pack("<Q", 1) + short(to) + struct.pack("<Q", 0)
    return link_frame(0x01, head + fields + struct.pack("<HQ", 0, 1) + noise(32) + short(credential))


def beginnings():
    proof = link_frame(0x05, noise(32))
    forward = link_frame(0x10, noise(200))
    client_hello = bytes.fromhex("1603010200010001fc0303") + noise(508)
    return {
        "random bytes": lambda: noise(random.randrange(1, 3_000)),
        "half a frame": lambda: hello()[: random.randrange(1, 60)],
        "silence": lambda: b"",
        "a length of 4 GiB": lambda: b"\xff\xff\xff\xff\x01" + noise(100),
        "a hello, and no proof": hello,
        "a hello, and a proof with a wrong secret": lambda: hello() + proof,
        "a proof first": lambda: proof,
        "a forward first": lambda: forward,
        "a hello and a forward": lambda: hello() + forward,
        "another version": lambda: hello(version=99),
        "a producer without a key": lambda: hello(role=PRODUCER, cluster=""),
        "a producer with a wrong key": lambda: hello(role=PRODUCER, cluster="", credential="rp_aaaaaaaaaaaa_" + "A" * 43),
        "a probe": lambda: hello(role=PROBE, cluster="", to=""),
        "TLS": lambda: client_hello,
        "HTTP": lambda: request("/metrics"),
    }


def kinds_of(data):
    """The kinds of the frames that came."""
    kinds, place = set(), 0
    while place + 5 <= len(data):
        length, kind = struct.unpack_from("<IB", data, place)
        kinds.add(kind)
        place += 4 + length
    return kinds


def garbage(node, seconds, is_quick):
    """Many at once, each ended by the node within a second, and replaced."""
    tally, kinds = Tally(), beginnings()
    names = itertools.cycle(kinds)
    strangers, end = [], time.monotonic() + seconds
    longest, answered = 0.0, {}
    while strangers or time.monotonic() < end:
        while time.monotonic() < end and len(strangers) < AT_ONCE:
            name = next(names)
            each = connect(node.link)
            send_some(each, kinds[name]())
            strangers.append([each, name, time.monotonic(), b""])
        left = []
        for stranger in strangers:
            each, name, began, data = stranger
            more = receive_some(each)
            age = time.monotonic() - began
            if more:
                stranger[3] = data + more
            if more is None:
                longest = max(longest, age)
                tally.count(WELCOME not in kinds_of(data), name)
                answered.setdefault(name, set()).update(kinds_of(data))
                each.close()
            elif age > GONE_SECONDS_QUICK_MAX + 5:
                tally.count(False, f"{name}, still there after {age:.1f} s")
                each.close()
            else:
                left.append(stranger)
        strangers = left
        time.sleep(0.01)
    tally.note = f"gone after {longest:.2f} s at most"
    # The node must have taken them for what they say they are, or their refusal says nothing.
    for name, kind in (("a hello, and no proof", CHALLENGE), ("a producer with a wrong key", REFUSE)):
        if kind not in answered.get(name, ()):
            tally.problems.append(f"{name}: answered with {answered.get(name)}")
    if longest > (GONE_SECONDS_QUICK_MAX if is_quick else GONE_SECONDS_MAX):
        tally.problems.append(f"a stranger was there for {longest:.2f} s")
    return tally


def attacks():
    yield "garbage, silence, wrong secrets on the link port", garbage
