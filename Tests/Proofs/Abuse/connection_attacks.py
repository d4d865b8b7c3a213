# Connections that say little, slowly, or too much: what can be done to the client and API ports without any credential.
import itertools
import random
import time

from crowd import Flood, Tally, connect, ended, receive_some, request, send_some, somewhere
from node import CONNECTIONS_PER_ADDRESS_MAX

HALF_OPEN, SLOW_HEADS, SLOW_BODIES, ONE_ADDRESS = 5_000, 500, 300, 5_000
WITHHELD, WITHHELD_BYTES, ANSWER_SECONDS = 300, 4_000_000, 2.0
# Those who are slow are ended by then: the time of a head or a request, and what a busy machine adds.
GRACE_SECONDS = 4.0


def hold(node, sockets, seconds, drip=lambda each: None, pause=0.2):
    """Keeps them open, giving each now and then what `drip` does, and until the node has ended all of them or long should have."""
    began, tally = time.monotonic(), Tally(attempts=len(sockets))
    until = began + seconds
    while time.monotonic() < until and ended(sockets) < len(sockets):
        for each in sockets:
            drip(each)
        time.sleep(pause)
    tally.refused = ended(sockets)
    tally.got_in = tally.attempts - tally.refused
    if tally.got_in:
        tally.problems.append(f"{tally.got_in} connections stood {time.monotonic() - began:.1f} s after they began to be slow")
    for each in sockets:
        each.close()
    return tally


def half_open(node, seconds, is_quick):
    """A third says nothing, a third half a head, a third a head whose upgrade lacks its last line."""
    beginnings = (b"", b"GET /v1/ws?user=a HT", b"GET /v1/ws?user=a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n")
    sockets = []
    for place in range(HALF_OPEN // (5 if is_quick else 1)):
        each = connect((node.client, node.api)[place % 8 == 0])
        sockets.append(each)
        send_some(each, beginnings[place % 3])
    return hold(node, sockets, node.head_seconds + GRACE_SECONDS)


def one_address(node, seconds, is_quick):
    """Connections of one address that say nothing, as a proxy names it: of all but so many nothing is left."""
    return waves(seconds, is_quick, lambda: idle_connections(node, is_quick))


def idle_connections(node, is_quick):
    sockets = []
    for _ in range(ONE_ADDRESS // (5 if is_quick else 1)):
        each = connect(node.client)
        sockets.append(each)
        send_some(each, b"PROXY TCP4 198.18.203.1 127.0.0.1 4711 80\r\n")
    until = time.monotonic() + 5
    while (refused := ended(sockets)) < len(sockets) - CONNECTIONS_PER_ADDRESS_MAX and time.monotonic() < until:
        time.sleep(0.05)
    tally = Tally(attempts=len(sockets), refused=refused)
    tally.got_in = max(0, tally.attempts - tally.refused - CONNECTIONS_PER_ADDRESS_MAX)
    if tally.got_in:
        tally.problems.append(f"{tally.got_in} connections more than one address may have")
    for each in sockets:
        each.close()
    return tally


def slow_heads(node, seconds, is_quick):
    """A byte at a time, each soon enough not to look idle."""
    text = request("/v1/poll?user=a", "Accept: " + "a" * 4_000)
    sockets = [connect((node.client, node.api)[place % 2]) for place in range(SLOW_HEADS // (2 if is_quick else 1))]
    places = dict.fromkeys(sockets, 0)

    def drip(each):
        send_some(each, text[places[each] : places[each] + 1])
        places[each] += 1

    return hold(node, sockets, node.head_seconds + GRACE_SECONDS, drip, pause=0.1)


def slow_bodies(node, seconds, is_quick):
    """A body that is announced with a valid key and comes a byte at a time, and one in chunks of one byte."""
    headers = (f"Authorization: Bearer {node.keys['producer']}", "Content-Type: text/plain")
    announced = request("/v1/users/slow/messages", *headers, method="POST", length=50_000)
    chunked = request("/v1/users/slow/messages", *headers, "Transfer-Encoding: chunked")
    chunked = chunked.replace(b"GET", b"POST")
    sockets = [connect(node.api) for _ in range(SLOW_BODIES // (2 if is_quick else 1))]
    for each, text in zip(sockets, itertools.cycle((announced, chunked))):
        send_some(each, text)
    drops = dict(zip(sockets, itertools.cycle((b"x", b"1\r\nx\r\n"))))
    return hold(node, sockets, node.request_seconds + GRACE_SECONDS, lambda each: send_some(each, drops[each]), pause=0.1)


def refusals(node, seconds, connections, make, statuses):
    """Requests at full speed on both ports, of which each must be refused."""
    tally = Tally()
    floods = []

    def judge(tag, answer):
        # A connection that ends before its answer was read whole has not let anybody in.
        tally.count(answer is None or answer.status in statuses, f"{tag}: {answer and answer.status}")

    for port in (node.client, node.api):
        floods.append(Flood(port, lambda: make(port), judge, connections))
    for flood in floods:
        flood.run(seconds / len(floods))
    return tally


def large_heads(node, seconds, is_quick):
    """Lines, headers, and their number beyond what is taken."""
    kinds = {
        "one header of 60 KiB": request("/v1/poll?user=a", "X-Much: " + "x" * 61_440),
        "300 headers": request("/v1/poll?user=a", *(f"X-{place}: y" for place in range(300))),
        "a target of 60 KiB": request("/v1/poll?user=" + "a" * 61_440),
        "a name without an end": b"GET / HTTP/1.1\r\n" + b"x" * 61_440,
        "1,000 cookies": request("/v1/poll?user=a", *("Cookie: " + "c" * 50 for _ in range(1_000))),
    }
    return refusals(node, seconds, 16, lambda _: random.choice([(text, name) for name, text in kinds.items()]), {400, 414, 431})


def large_bodies(node, seconds, is_quick):
    """Bodies beyond what is taken: announced, in chunks, in a batch; with a valid key."""
    headers = (f"Authorization: Bearer {node.keys['producer']}", "Content-Type: text/plain")
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    kinds = {
        "70,000 bytes": request("/v1/users/a/messages", *headers, method="POST", body=b"x" * 70_000),
        "2^40 bytes": request("/v1/users/a/messages", *headers, method="POST", length=1 << 40),
        "a batch of 5 MiB": request("/v1/messages", *headers, method="POST", length=5_242_880) + b"{}\n" * 1_000,
        "chunks": request("/v1/users/a/messages", *headers, "Transfer-Encoding: chunked").replace(b"GET", b"POST") + chunk * 2,
        "a chunk of 2^60 bytes": request("/v1/users/a/messages", *headers, "Transfer-Encoding: chunked").replace(b"GET", b"POST")
        + b"1000000000000000\r\n" + b"x" * 1_000,
    }
    on_clients = {"a body for a poll": request("/v1/poll?user=a", method="POST", body=b"x" * 70_000, source=somewhere())}

    def make(port):
        name, text = random.choice(list((kinds if port == node.api else on_clients).items()))
        return text, name

    return refusals(node, seconds, 16, make, {400, 405, 413})


def waves(seconds, is_quick, wave):
    """One crowd after the other for so many seconds: of one that is gone in a moment, users' latencies say little."""
    until, tally, count = time.monotonic() + seconds, Tally(statuses=[]), 0
    while not count or time.monotonic() < until and not is_quick:
        part = wave()
        tally.add(part)
        tally.statuses += getattr(part, "statuses", [])
        count += 1
    tally.note = f"{count} waves"
    return tally


def push_bodies(node, seconds, is_quick, requests):
    """Announces bodies of nearly 4 MiB on many connections and sends all but their ends, as fast as they are taken."""
    count, length = WITHHELD // (5 if is_quick else 1), WITHHELD_BYTES // (4 if is_quick else 1)
    piece, tally = b"\n" * 65_536, Tally(attempts=count)
    sockets = {connect(node.api): length - 1 for _ in range(count)}
    for each, text in zip(sockets, itertools.cycle(requests(length))):
        send_some(each, text)
    statuses = dict.fromkeys(sockets)

    def look(each):
        if not statuses[each] and (data := receive_some(each)) != b"":
            # One that has just ended has not let anybody in either.
            statuses[each] = data[9:12] if data else b"gone"

    until = time.monotonic() + seconds + node.request_seconds
    while time.monotonic() < until and any(sockets[each] and not statuses[each] for each in sockets):
        for each, left in sockets.items():
            look(each)
            if left and not statuses[each] and (sent := send_some(each, piece[:left])):
                sockets[each] -= sent
        time.sleep(0.001)
    # What the node has dropped is sent as well: its answers may be under way.
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until and None in statuses.values():
        for each in sockets:
            look(each)
        time.sleep(0.01)
    for each in sockets:
        each.close()
    tally.statuses = list(statuses.values())
    tally.refused = sum(status is not None for status in tally.statuses)
    return tally


def bodies_without_key(node, seconds, is_quick):
    """Without a key, and with a wrong one: each is refused by its head."""
    wrong = "Authorization: Bearer " + node.keys["producer"][:-4] + "AAAA"

    def requests(length):
        yield request("/v1/messages", method="POST", length=length)
        yield request("/v1/messages", wrong, method="POST", length=length)
        yield request("/v1/messages", wrong, "Expect: 100-continue", method="POST", length=length)

    tally = waves(seconds, is_quick, lambda: push_bodies(node, seconds, is_quick, requests))
    tally.got_in = sum(status not in (b"401", b"gone") for status in tally.statuses)
    return tally


def bodies_with_one_key(node, seconds, is_quick):
    """With a key that may publish, which is not the good producer's: beyond its share they are refused."""
    key = "Authorization: Bearer " + node.keys["narrow"]

    def requests(length):
        yield request("/v1/messages", key, method="POST", length=length)

    tally = waves(seconds, is_quick, lambda: push_bodies(node, seconds, is_quick, requests))
    tally.note += f", {sum(status is None for status in tally.statuses)} taken"
    if any(status not in (None, b"408", b"503", b"gone") for status in tally.statuses):
        tally.problems.append(f"answered otherwise: {set(tally.statuses)}")
    return tally


def attacks():
    yield "5,000 half-open handshakes", half_open
    yield "5,000 idle connections of one address", one_address
    yield "500 heads, byte by byte", slow_heads
    yield "300 bodies, byte by byte", slow_bodies
    yield "huge and many headers", large_heads
    yield "bodies that are too large", large_bodies
    yield "300 large bodies without a key", bodies_without_key
    yield "300 large bodies with one key", bodies_with_one_key
