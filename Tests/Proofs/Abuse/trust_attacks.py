# Credentials that are not good, and good ones used for too much, at full speed.
import random
import select
import time

from crowd import Flood, Tally, bearer, connect, frame, receive_some, request, send_some, somewhere, upgrade
from tokens import Mint

PIPELINED_BYTES = 100_000_000
PIPELINED_SECONDS_MAX = 40.0
REFUSED = {401, 403, 429, 503}
# 4001 unauthorized, 4002 token_expired, 4003 revoked, 4013 try_later.
CLOSES = {4001, 4002, 4003, 4013}


def requests_with(token, user):
    """All ways to bring a token."""
    source = somewhere()
    return [
        ("WebSocket, header", upgrade(f"/v1/ws?user={user}", bearer(token), source=source)),
        ("WebSocket, query", upgrade(f"/v1/ws?user={user}&access_token={token}", source=source)),
        ("WebSocket, subprotocol", upgrade("/v1/ws", f"Sec-WebSocket-Protocol: ringpost.v1, ringpost.token.{token}", source=source)),
        ("WebSocket, first frame", upgrade("/v1/ws", source=source) + frame('{"token":"%s"}' % token)),
        ("event stream", request(f"/v1/sse?user={user}&access_token={token}", source=source)),
        ("poll", request(f"/v1/poll?user={user}&wait=0", bearer(token), source=source)),
        ("poll, query", request(f"/v1/poll?user={user}&wait=1&access_token={token}", source=source)),
        ("locate", request(f"/v1/locate?user={user}", bearer(token), source=source)),
    ]


def is_refused(answer):
    if answer is None:
        return True
    return answer.close_code in CLOSES if answer.status == 101 else answer.status in REFUSED


def bad_tokens(node, seconds, is_quick):
    """Every kind of bad token in every way, at random; before that a good one in every way, or the refusals would say nothing."""
    mint, tally = Mint(node), Tally()
    kinds, seen = mint.bad("honest"), set()
    node.get("/v1/revocations", body=b'{"user":"revoked"}')
    node.get("/v1/revocations", body=b'{"user":"half-revoked","token":"of-half-revoked","expires":%d}' % (time.time() + 3_600))
    users = {"of a revoked user": "revoked", "with a revoked id": "half-revoked", "another one's claims": "admin"}
    time.sleep(1.0)
    for way, text in requests_with(mint.good("honest"), "honest"):
        let_in = []
        flood = Flood(node.client, lambda: (text, way), lambda _, answer: let_in.append(not is_refused(answer)), 1)
        flood.run(0, is_done=lambda: any(let_in))
        if not any(let_in):
            tally.problems.append(f"a good token did not get in: {way}")
    node.begin()

    def next_request():
        kind = random.choice(list(kinds))
        token = kinds[kind]()
        way, text = random.choice(requests_with(token, users.get(kind, "honest")))
        return text, (kind, way)

    def judge(tag, answer):
        tally.count(is_refused(answer), f"{tag}: {answer}")
        if answer is None or answer.status != 429:
            seen.add(tag[0])

    def unseen():
        return [kind for kind in kinds if kind not in seen]

    Flood(node.client, next_request, judge, 32).run(seconds, is_done=lambda: not unseen())
    tally.problems += [f"was never looked at: {kind}" for kind in unseen()]
    return tally


def without_permission(node, seconds, is_quick):
    """Publishes and orders with keys that may not, with wrong ones and with none, and with clients' tokens."""
    tally = Tally()
    producer = node.keys["producer"]
    credentials = {
        "none": (), "scope": (bearer(node.keys["reader"]),), "names": (bearer(node.keys["narrow"]),),
        "secret": (bearer(producer[:-4] + "AAAA"),), "id": (bearer("rp_aaaaaaaaaaaa_" + producer[-43:]),),
        "token": (bearer(Mint(node).good("honest")),), "nonsense": ("Authorization: Basic YTpi",), "cut": (bearer(producer[:20]),),
        "long": (bearer("rp_" + "a" * 8_000),),
    }
    orders = [
        ("POST", "/v1/users/victim/messages", b"{}"), ("POST", "/v1/channels/victim/messages", b"{}"),
        ("POST", "/v1/messages", b'{"user":"victim","data":1}\n{"channel":"victim","data":1}'), ("POST", "/v1/nodes/n1/drain", b""),
        ("POST", "/v1/nodes/n1/weight", b'{"weight":0}'), ("POST", "/v1/users/good-1/disconnect", b""),
        ("POST", "/v1/revocations", b'{"user":"good-1"}'),
    ]
    asks = ("/v1/nodes", "/metrics", "/v1/ring", "/v1/users/good-1", "/v1/revocations")

    def next_request():
        name = random.choice(list(credentials))
        if name != "scope" and random.random() < 0.2:
            # Where links are, everybody may ask who may publish.
            path = random.choice(asks if name != "names" else asks[1:])
            return request(path, *credentials[name]), (name, path)
        method, path, body = random.choice(orders)
        return request(path, *credentials[name], method=method, body=body), (name, path)

    def judge(tag, answer):
        # A batch is answered line by line.
        is_batch = answer is not None and answer.status == 200 and tag[1] == "/v1/messages"
        is_answered_so = is_batch and answer.body.count(b'"code":"forbidden"') == 2 and b'"seq"' not in answer.body
        tally.count(answer is None or answer.status in (401, 403) or is_answered_so, f"{tag}: {answer}")

    Flood(node.api, next_request, judge, 24).run(seconds)
    written = node.get("/v1/users/victim")
    if '"messages":0' not in written.replace(" ", "") and '"history"' in written:
        tally.problems.append(f"something was written to the victim: {written}")
    return tally


def is_under_way(stream, goal):
    """What is cut off at the end is no request, and is not answered."""
    return stream["is_open"] and (stream["sent"] < goal or stream["answers"] < stream["sent"] // stream["each"])


def pipelined(node, seconds, is_quick):
    """100 MB of requests on eight connections, on both ports, with a key or token and without, as fast as they are taken."""
    mint, tally = Mint(node), Tally()
    token, key = bearer(mint.good("honest")), bearer(node.keys["producer"])
    body = b'{"pipelined":true}'
    kinds = [
        (node.client, request("/v1/poll?user=honest&wait=0", source="198.18.202.1")),
        (node.client, request("/v1/poll?user=honest&wait=0", token, source="198.18.202.2")),
        (node.api, request("/v1/users/victim/messages", method="POST", body=body)),
        (node.api, request("/v1/users/pipelined/messages", key, "Ringpost-TTL: 0", method="POST", body=body)),
    ] * 2
    goal = PIPELINED_BYTES // len(kinds) // (10 if is_quick else 1)
    streams = []
    for address, text in kinds:
        piece = text * (200_000 // len(text))
        streams.append({"socket": connect(address), "is_open": True, "each": len(text)})
        streams[-1].update({"piece": piece, "waiting": piece, "sent": 0, "answers": 0, "end": b""})
    end = time.monotonic() + PIPELINED_SECONDS_MAX
    while time.monotonic() < end and any(is_under_way(stream, goal) for stream in streams):
        is_open = [stream for stream in streams if is_under_way(stream, goal)]
        writing = [stream["socket"] for stream in is_open if stream["sent"] < goal]
        can_read, can_write, _ = select.select([stream["socket"] for stream in is_open], writing, [], 0.1)
        for stream in is_open:
            if stream["socket"] in can_read:
                data = receive_some(stream["socket"], 262_144)
                stream["is_open"] = data is not None
                # A status line may be cut between two reads.
                text = stream["end"] + (data or b"")
                stream["end"] = text[-9:]
                refused = text.count(b"HTTP/1.1 4")
                stream["answers"] += refused + text.count(b"HTTP/1.1 2") + text.count(b"HTTP/1.1 5")
                tally.refused += refused
            if stream["socket"] in can_write and stream["is_open"]:
                sent = send_some(stream["socket"], stream["waiting"])
                stream["sent"] += sent or 0
                stream["waiting"] = stream["waiting"][sent or 0 :] or stream["piece"]
    for stream in streams:
        tally.attempts += stream["sent"] // stream["each"]
        stream["socket"].close()
        missing = stream["sent"] // stream["each"] - stream["answers"]
        if missing > 0 or stream["sent"] < goal:
            tally.problems.append(f"{missing} requests on a connection were not answered, {goal - stream['sent']} bytes not taken")
    tally.note = f"{sum(stream['sent'] for stream in streams) / 1e6:.0f} MB"
    return tally


def attacks():
    yield "tokens that are not good", bad_tokens
    yield "a producer without permission", without_permission
    yield "100 MB of pipelined requests", pipelined
