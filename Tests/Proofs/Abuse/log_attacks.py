# Attempts to write into the log what one likes, and to find in it what must not be there: against a node that logs all it can.
import re
import time

from crowd import Tally, bearer, connect, frame, receive_some, request, send_some, upgrade
from link_attacks import PRODUCER, PROBE, garbage, hello
from tokens import Mint, by_hand

INK = "\n2026-01-01T00:00:00+0000 info ringpost: forged"
LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* (trace|debug|info|notice|warning|error|critical) ")
# C0 but the line's own end, DEL, and C1 as UTF-8 has it.
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
WAIT_SECONDS = 0.3


def attempts(node, mint):
    """Bytes for a port, each with control characters where a careless node would log them."""
    dirty, percent = INK + "\x1b[31m\x07\x00", "%0A2026-01-01%1B%5B31m%00%C2%9B"
    key = node.keys["producer"]
    kid = by_hand({"alg": "HS256", "kid": dirty}, {"sub": "a"}, lambda text: b"x" * 32)
    for token in (kid, mint.hmac(mint.claims(dirty)), mint.hmac(mint.claims("a", iss=dirty, aud=dirty)), mint.good("a\u009b2J")):
        yield node.client, upgrade("/v1/ws", bearer(token))
        yield node.client, request(f"/v1/poll?access_token={token}&wait=0")
    yield node.client, request(f"/v1/poll?user={percent}&channels={percent}&wait=0", bearer(mint.good("a")))
    yield node.client, request(f"/v1/{percent}")
    yield node.client, b"GET /v1/poll?user=\x1b[31m\x00 HTTP/1.1\r\nHost: a\r\n\r\n"
    yield node.client, request("/v1/poll?user=a", "Authorization: Bearer a\x1b[31m\x07b", "Origin: http://a\x1b")
    yield node.client, request("/v1/poll?user=a", "X-\x1b: a", "X-Forwarded-For: \x1b[31m, 1.2.3.4\x07")
    yield node.client, b"GET /v1/poll HTTP/1.1\r\nHost: a\r\nX: a\n2026-01-01T00:00:00 forged\r\n\r\n"
    for path in (f"/v1/users/{percent}", f"/v1/channels/{percent}", f"/v1/nodes/{percent}/drain", f"/v1/users/{percent}/messages"):
        for name in ("operator", "producer"):
            yield node.api, request(path, bearer(node.keys[name]), method="POST", body=b"{}")
        yield node.api, request(path, bearer(node.keys["operator"]))
    yield node.api, request("/v1/revocations", bearer(node.keys["operator"]), method="POST", body=b'{"user":"a\\n\\u001b[31m"}')
    yield node.api, request("/v1/users/a/messages", bearer(key + "\x1b"), method="POST", body=b"{}")
    socket = upgrade("/v1/ws", bearer(mint.good("a")))
    for name in ("\\n2026\\u001b[31m", "\\u0000", "\\u009b"):
        yield node.client, socket + frame('{"subscribe":["%s"],"publish":{"channel":"flood","data":"%s"}}' % (name, name))
        yield node.client, socket + frame('{"token":"%s"}' % name)
    for sender in (dirty, "\u009b2J"):
        for role in (PRODUCER, PROBE, 1):
            yield node.link, hello(role=role, cluster=dirty, sender=sender, to=dirty)
            yield node.link, hello(role=role, cluster="", sender=sender, credential=dirty)
            yield node.link, hello(role=role, sender=sender, credential=key)


def forge(node, seconds, is_quick):
    """All attempts, and the log looked through."""
    tally, mint = Tally(), Mint(node)
    secrets = {name.encode() for key in node.keys.values() for name in (key, key[-43:])} | {mint.secret}
    for address, data in attempts(node, mint):
        tally.attempts += 1
        secrets |= {part for part in re.findall(rb"[\w-]{16,}\.[\w-]{16,}\.[\w-]{16,}", data)}
        each = connect(address)
        send_some(each, data)
        time.sleep(0.01)
        receive_some(each)
        each.close()
    tally.add(garbage(node, min(1.0, seconds), True))
    time.sleep(WAIT_SECONDS)
    with open(node.log, "rb") as file:
        log = file.read()
    tally.refused = tally.attempts
    lines = log.splitlines()
    bad = [line for line in lines if not LINE.match(line) or CONTROL.search(line) or b"forged" in line.split(b" ", 3)[2]]
    bad += [line for line in lines if any(secret in line or secret.rpartition(b".")[2] in line for secret in secrets)]
    tally.got_in = len(bad)
    tally.problems += [f"in the log: {line[:200]!r}" for line in bad[:5]]
    if len(lines) < 20:
        tally.problems.append(f"the log has only {len(lines)} lines: it can't have been tried")
    return tally


def attacks():
    yield "log injection (a second node, log level trace)", forge
