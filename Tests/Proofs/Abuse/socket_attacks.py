# What can be done with tokens that are good: sockets that never read, commands without end, and more sockets than anybody may have.
import itertools
import json
import select
import time

from crowd import Flood, Tally, bearer, connect, ended, frame, noise, parse, receive_some, request, send_some, somewhere, upgrade
from node import RESIDENT_MEGABYTES_MAX
from tokens import Mint

DEAF, DEAF_USERS = 1_000, 20
FLOODERS = 12
ADDRESS_RATE, ADDRESS_BURST, USER_SOCKETS = 50, 200, 100
SOCKET_CHANNELS = 255
BEHIND, BEHIND_CHANNELS, BEHIND_POLLS = 20, 32, 255


def opened(node, token, user, source, receive_bytes=None, target="/v1/ws?user={}"):
    each = connect(node.client, receive_bytes)
    send_some(each, upgrade(target.format(user), bearer(token), source=source))
    return each


def first_answer(each, seconds=10.0):
    """The answer to its upgrade and the frame behind it."""
    data, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        select.select([each], [], [], 0.5)
        more = receive_some(each, 4_096)
        if more is None:
            return None
        data += more
        answer, _ = parse(data)
        if answer:
            return answer
    return None


def deaf(node, seconds, is_quick):
    """Sockets that are attached and never read again, while as much is sent to their users as a busy producer sends."""
    tally = Tally()
    mint = Mint(node)
    users = [f"deaf-{place}" for place in range(DEAF_USERS)]
    tokens = {user: mint.good(user) for user in users}
    sockets = []
    for place, user in zip(range(DEAF // (4 if is_quick else 1)), itertools.cycle(users)):
        sockets.append(opened(node, tokens[user], user, f"198.18.{place // 50}.1", receive_bytes=4_096))
    end = time.monotonic() + seconds
    producer = connect(node.api)
    key = bearer(node.keys["producer"])
    # All get messages, the first two get more than the kernel keeps for a socket.
    small, large = (json.dumps("m" * length).encode() for length in (8_000, 60_000))
    sent = b""
    for user, payload in itertools.cycle([*((user, small) for user in users), *((user, large) for user in users[:2] * 5)]):
        if time.monotonic() >= end:
            break
        sent = sent or request(f"/v1/users/{user}/messages", key, "Content-Type: application/json", method="POST", body=payload)
        done = send_some(producer, sent)
        sent = sent[done or 0 :]
        receive_some(producer)
        # About 200 messages a second, each for a twentieth of the sockets.
        time.sleep(0.005)
    # Each is closed as a slow consumer, or still waits with less than it may.
    tally.refused = int(node.metrics()['ringpost_sockets_closed_total{reason="slow_consumer"}'])
    tally.attempts = len(sockets)
    if not is_quick and not tally.refused:
        tally.problems.append("nobody was closed for not reading")
    producer.close()
    for each in sockets:
        each.close()
    return tally


def commands(place):
    """Subscribes, unsubscribes, pings, publishes, nonsense: as many as fit into a piece."""
    names = [f"flood:{place}:{number}" for number in range(200)]
    kinds = itertools.cycle([
        frame(json.dumps({"subscribe": names})),
        frame(json.dumps({"unsubscribe": names})),
        frame(json.dumps({"subscribe": ["x"] * 20_000})),
        frame(json.dumps({str(number): 0 for number in range(10_000)})),
        b"".join(frame(b"p" * 100, 0x9) for _ in range(500)),
        frame(json.dumps({"subscribe": ["flood"], "presence": True})),
        b"".join(frame(json.dumps({"publish": {"channel": "flood", "data": number}})) for number in range(200)),
        b"".join(frame(noise(30), 0x2) for _ in range(200)),
        b"".join(frame("{") for _ in range(200)),
        b"".join(frame(json.dumps({"subscribe": [{"channel": f"flood:{number}", "since": "x"}]})) for number in range(200)),
    ])
    for _ in range(place % 10):
        next(kinds)
    return kinds


def floods(node, seconds, is_quick):
    """Clients that send commands as fast as the node takes them; half of them never read an answer."""
    tally = Tally()
    mint = Mint(node)
    clients = []
    for place in range(FLOODERS):
        user = f"flood-{place}"
        each = opened(node, mint.good(user), user, f"198.19.0.{place}")
        answer = first_answer(each)
        if answer is None or answer.status != 101:
            tally.problems.append(f"a client with a good token did not get in: {answer}")
        clients.append([each, commands(place), b""])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ready = select.select([client[0] for client in clients], [client[0] for client in clients], [], 0.1)
        for place, client in enumerate(clients):
            if client[0] in ready[1]:
                client[2] = client[2] or next(client[1])
                sent = send_some(client[0], client[2])
                if sent is None:
                    # Closed: a slow consumer of its own answers. It comes again.
                    client[0].close()
                    client[0] = opened(node, mint.good(f"flood-{place}"), f"flood-{place}", f"198.19.0.{place}")
                    client[2] = b""
                    tally.refused += 1
                    continue
                client[2] = client[2][sent:]
                tally.attempts += not client[2]
            if place % 2 and client[0] in ready[0]:
                receive_some(client[0])
        time.sleep(0.002)
    for client in clients:
        client[0].close()
    limited = node.metrics().get('ringpost_limited_total{limit="client-frames"}', 0)
    if not limited:
        tally.problems.append("nobody was slowed down for too many frames")
    tally.attempts += int(limited)
    tally.refused += int(limited)
    return tally


def crowded(node, seconds, is_quick):
    """Sockets that listen to as many channels as one may, and go again as soon as they are there."""
    tally = Tally()
    channels = ",".join(f"flood:{place}" for place in range(SOCKET_CHANNELS))
    token = Mint(node).good("crowded")

    def judge(tag, answer):
        tally.attempts += 1
        tally.refused += answer is None or answer.status != 101

    def next_request():
        return upgrade(f"/v1/ws?user=crowded&channels={channels}", bearer(token), source=somewhere()), None

    Flood(node.client, next_request, judge, 16).run(seconds)
    if tally.refused == tally.attempts:
        tally.problems.append("nobody got as far as to listen")
    return tally


def too_many_sockets(node, seconds, is_quick):
    """One user from 50 addresses: as many as a user may have, and the rest is refused."""
    tally = Tally()
    token = Mint(node).good("mallory")
    sockets, let_in = [], []
    for place in range(3 * USER_SOCKETS):
        each = opened(node, token, "mallory", f"198.18.200.{place % 50}")
        sockets.append(each)
        answer = first_answer(each)
        tally.attempts += 1
        if answer is None or answer.status == 429:
            tally.refused += 1
        else:
            let_in.append(each)
    allowed = len(let_in)
    tally.got_in = max(0, allowed - USER_SOCKETS)
    if allowed != USER_SOCKETS:
        tally.problems.append(f"{allowed} sockets of one user, {USER_SOCKETS} may be")
    time.sleep(max(0.0, seconds / 4))
    if ended(let_in):
        tally.problems.append("sockets that were let in were ended again")
    for each in sockets:
        each.close()
    return tally


def too_fast(node, seconds, is_quick):
    """Handshakes and polls from one address at full speed."""
    token = Mint(node).good("eager")
    tally = Tally()
    ask = itertools.cycle([
        (upgrade("/v1/ws?user=eager", bearer(token), source="198.18.201.1"), "a WebSocket"),
        (request("/v1/sse?user=eager", bearer(token), source="198.18.201.1"), "an event stream"),
    ])

    def judge(tag, answer):
        tally.attempts += 1
        # An event stream is told with 200 and a close, because a browser gives up for good after any other answer.
        tally.refused += answer is None or answer.status == 429 or b"event: close" in answer.body

    began = time.monotonic()
    Flood(node.client, lambda: next(ask), judge, 16).run(seconds)
    took = time.monotonic() - began
    allowed = tally.attempts - tally.refused
    most = ADDRESS_BURST + ADDRESS_RATE * (took + 1)
    tally.got_in = max(0, round(allowed - most))
    if allowed < min(ADDRESS_BURST, tally.attempts):
        tally.problems.append(f"only {allowed} handshakes of an address were taken")
    return tally


def publish_all(node, channels, length):
    """A message of so many bytes to each."""
    text = json.dumps("m" * length).encode()
    key = bearer(node.keys["producer"])
    for channel in channels:
        answers = []
        ask = request(f"/v1/channels/{channel}/messages", key, "Content-Type: application/json", method="POST", body=text)
        flood = Flood(node.api, lambda ask=ask: (ask, channel), lambda _, answer, answers=answers: answers.append(answer), 1)
        flood.run(0, is_done=lambda answers=answers: bool(answers))
        if not answers or answers[0] is None or answers[0].status != 200:
            raise RuntimeError(f"a publish was answered {answers}")


def behind_a_poll(node, seconds, is_quick):
    """A poll that waits, and behind it on the same connection 255 that ask for the histories of 32 channels each."""
    channels = [f"behind-{place}" for place in range(BEHIND_CHANNELS)]
    publish_all(node, channels, 60_000)
    node.begin()
    mint, tally, left = Mint(node), Tally(attempts=BEHIND * BEHIND_POLLS), {}
    for place in range(BEHIND):
        user, source = f"behind-{place}", f"198.18.204.{place + 1}"
        token = bearer(mint.good(user))
        histories = request(f"/v1/poll?channels={','.join(channels)}&since=earliest&wait=0", token, source=source)
        left[connect(node.client)] = request(f"/v1/poll?user={user}&wait=15", token, source=source) + histories * BEHIND_POLLS
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for each, data in left.items():
            left[each] = data[send_some(each, data) or 0 :]
            if said := receive_some(each):
                tally.problems.append(f"a poll that should wait was answered: {said[:100]!r}")
        time.sleep(0.05)
    for each in left:
        each.close()
    tally.refused = tally.attempts
    return tally


def attacks():
    yield f"1,000 sockets that never read (bound: {RESIDENT_MEGABYTES_MAX} MiB)", deaf
    yield "commands, pings, frames without end", floods
    yield "sockets of 255 channels that come and go", crowded
    yield "sockets of one user beyond its limit", too_many_sockets
    yield "an address beyond its rate", too_fast
    yield "5,100 polls behind polls that wait", behind_a_poll
