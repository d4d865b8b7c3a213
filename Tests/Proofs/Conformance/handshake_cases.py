# The opening handshake (RFC 6455 4): what a server must accept, what it must refuse and with which status, and that it answers for
# itself. Requests are written by hand, except for those that wsproto opens a connection with.
import base64
import hashlib

from wsproto.extensions import PerMessageDeflate

from harness import BINARY, FIN, TEXT, Connection, Peer, expect, frame, ping, text
from websocket_cases import WAYS, echo, echoed

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEADERS = {"Host": "a", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}


def opening(changes=None, line="GET /v1/ws HTTP/1.1", more=""):
    """The request with some headers changed; those that are None are left out. `more` is any further lines."""
    headers = HEADERS | (changes or {})
    lines = [line] + [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n" + more + "\r\n").encode()


def head_of(node, request, way=WAYS[0]):
    """The answer to the request; of a refusal the whole of it."""
    with Connection(node.client) as connection:
        connection.send(request, way == WAYS[1])
        return connection.answers(1)[0]


def accepted(node, request, key=KEY, way=WAYS[0]):
    answer = head_of(node, request, way)
    expect(answer.status == 101, "101", f"{answer.status} {answer.body!r}")
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    expect(answer.headers.get("sec-websocket-accept") == accept, f"Sec-WebSocket-Accept: {accept}", answer.headers)
    expect(answer.headers.get("upgrade", "").lower() == "websocket", "Upgrade: websocket", answer.headers)
    expect(answer.headers.get("connection", "").lower() == "upgrade", "Connection: Upgrade", answer.headers)
    for name in ["sec-websocket-extensions", "sec-websocket-protocol", "content-length", "transfer-encoding", "sec-websocket-version"]:
        expect(name not in answer.headers, f"no {name} in a 101", answer.headers)
    return answer


def refused(node, request, statuses, way=WAYS[0]):
    answer = head_of(node, request, way)
    expect(answer.status in statuses, f"{statuses}", f"{answer.status} {answer.body!r}")
    expect("sec-websocket-accept" not in answer.headers, "no Sec-WebSocket-Accept in a refusal", answer.headers)
    if answer.status == 426 and "version" in answer.body.decode().lower():
        expect(answer.headers.get("sec-websocket-version") == "13", "Sec-WebSocket-Version: 13", answer.headers)
    return answer


def good():
    """Requests that must be accepted: name, request."""
    yield "the RFC's own", opening()
    for value in ["WebSocket", "WEBSOCKET", "wEbSoCkEt"]:
        yield f"Upgrade: {value}", opening({"Upgrade": value})
    for value in ["upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade,keep-alive", "keep-alive , upGrade", ", Upgrade ,"]:
        yield f"Connection: {value}", opening({"Connection": value})
    yield "two Connection lines", opening({"Connection": "keep-alive"}, more="Connection: Upgrade\r\n")
    yield "white space around values", opening({"Upgrade": " \twebsocket\t ", "Sec-WebSocket-Version": "\t13 "})
    yield "names of headers in lower case", opening().replace(b"Sec-WebSocket", b"sec-websocket").replace(b"Upgrade:", b"upgrade:")
    yield "names of headers in upper case", opening().replace(b"Sec-WebSocket-Key", b"SEC-WEBSOCKET-KEY")
    yield "an absolute target (4.2.1)", opening(line="GET http://a/v1/ws HTTP/1.1")
    yield "a query", opening(line="GET /v1/ws?channels=a,b HTTP/1.1")
    yield "unknown headers", opening(more="X-Any: thing\r\nCookie: a=b\r\nSec-WebSocket-Unknown: 1\r\n")


def bad():
    """Requests that must be refused: name, request, statuses."""
    yield "no Sec-WebSocket-Key", opening({"Sec-WebSocket-Key": None}), [400]
    for length in [0, 1, 15, 17, 24, 32]:
        key = base64.b64encode(b"k" * length).decode()
        yield f"a key of {length} bytes", opening({"Sec-WebSocket-Key": key}), [400]
    for key in ["no base64 at all, is it?", KEY[:-2], KEY[:-1], KEY + "=", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25j_Q==", KEY * 2,
                "dGhlIHNhbXBs ZSBub25jZQ="]:
        yield f"the key {key!r}", opening({"Sec-WebSocket-Key": key}), [400]
    yield "two keys (11.3.1)", opening(more=f"Sec-WebSocket-Key: {KEY}\r\n"), [400]
    for version in ["0", "7", "8", "12", "14", "25", "255", "256", "1313"]:
        yield f"version {version}", opening({"Sec-WebSocket-Version": version}), [426]
    for version in ["", "013", "+13", "-13", "13.0", "0xd", "13, 8", "8, 13", "thirteen"]:
        yield f"version {version!r} (400 or 426)", opening({"Sec-WebSocket-Version": version}), [400, 426]
    yield "no version (400 or 426)", opening({"Sec-WebSocket-Version": None}), [400, 426]
    yield "two versions (11.3.5)", opening(more="Sec-WebSocket-Version: 8\r\n"), [400, 426]
    yield "no Upgrade (400 or 426)", opening({"Upgrade": None}), [400, 426]
    for value in ["", "h2c", "web socket", "websocket2", "websockets", "TLS/1.0", "\"websocket\""]:
        yield f"Upgrade: {value} (400 or 426)", opening({"Upgrade": value}), [400, 426]
    yield "no Connection", opening({"Connection": None}), [400, 426]
    for value in ["", "keep-alive", "close", "Upgrade2", "Up grade", "\"Upgrade\""]:
        yield f"Connection: {value}", opening({"Connection": value}), [400, 426]
    yield "HTTP/1.0", opening(line="GET /v1/ws HTTP/1.0"), [400, 426, 505]
    yield "HTTP/2.0", opening(line="GET /v1/ws HTTP/2.0"), [400, 505]
    yield "POST without a body", opening(line="POST /v1/ws HTTP/1.1", more="Content-Length: 0\r\n"), [400, 405]
    yield "POST without a length", opening(line="POST /v1/ws HTTP/1.1"), [400, 405, 411]
    for method in ["PUT", "PATCH", "DELETE", "get", "CONNECT", "OTHER"]:
        yield f"{method} with a length of 0", opening(line=f"{method} /v1/ws HTTP/1.1", more="Content-Length: 0\r\n"), [400, 405, 501]
    yield "no Host", opening({"Host": None}), [400]
    yield "two Hosts", opening(more="Host: a\r\n"), [400]
    yield "a body", opening(more="Content-Length: 2\r\n") + b"\x89\x80", [400]
    yield "a chunked body", opening(more="Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", [400]
    yield "a path where nothing is", opening(line="GET /v1/nothing HTTP/1.1"), [404]
    yield "a target with a fragment (4.1)", opening(line="GET /v1/ws#a HTTP/1.1"), [400]
    yield "a page of a strange origin (10.2)", opening(more="Origin: https://example.com\r\n"), [403]
    yield "an expectation that nobody meets", opening(more="Expect: websocket\r\n"), [417]
    yield "a folded header", opening({"Connection": "keep-alive,\r\n Upgrade"}), [400]


def cases(node):
    for name, request in good():
        for way in WAYS[:2]:
            yield f"4.2.1 handshake, {name}: accepted {way}", lambda request=request, way=way: accepted(node, request, way=way)
    for name, request, statuses in bad():
        for way in WAYS[:2]:
            yield f"4.2.1 handshake, {name}: refused {way}", lambda request=request, statuses=statuses, way=way: refused(
                node, request, statuses, way)
    for byte in [0x00, 0xFF, 0x5A]:
        key = base64.b64encode(bytes([byte] * 16)).decode()
        yield f"4.2.2 Sec-WebSocket-Accept for the key {key}", lambda key=key: accepted(node, opening({"Sec-WebSocket-Key": key}), key)
    # Bits that no byte has a place for: RFC 4648 3.5 lets a decoder refuse them. Accepted, the key counts as it was written.
    loose = KEY.replace("Q==", "R==")
    yield "4.2.1 a key with bits behind its 16 bytes: accepted as it is, or 400", lambda: either(node, loose)
    yield "4.4 426 to another version names ours", lambda: version_named(node)
    yield "4.2.2 wsproto opens a connection", lambda: by_wsproto(node)
    yield "4.2.2 wsproto opens a connection byte by byte", lambda: by_wsproto(node, in_single_bytes=True)
    yield "9.1 permessage-deflate is offered and not agreed on", lambda: deflate(node)
    for value in ["permessage-deflate", "x-unknown; a=1; b=\"2\"", "a, b, permessage-deflate; client_max_window_bits"]:
        yield f"9.1 Sec-WebSocket-Extensions: {value} is not agreed on", lambda value=value: accepted(
            node, opening({"Sec-WebSocket-Extensions": value}))
    for offered in [["chat"], ["chat", "superchat"], ["ringpost.v1"], ["chat", "ringpost.v1"]]:
        yield f"4.2.2 subprotocols {offered}: none or one of these", lambda offered=offered: subprotocols(node, offered)
    for way in WAYS[:2]:
        yield f"4.1 frames right behind the handshake are answered, {way}", lambda way=way: early(node, way)
    yield "5.1 a bad frame right behind the handshake is refused", lambda: early_bad(node)


def either(node, key):
    answer = head_of(node, opening({"Sec-WebSocket-Key": key}))
    if answer.status != 400:
        accepted(node, opening({"Sec-WebSocket-Key": key}), key)


def version_named(node):
    answer = refused(node, opening({"Sec-WebSocket-Version": "8"}), [426])
    expect(answer.headers.get("sec-websocket-version") == "13", "Sec-WebSocket-Version: 13", answer.headers)


def by_wsproto(node, **options):
    with Peer(node, **options) as peer:
        expect(peer.accepted.subprotocol is None and not peer.accepted.extensions, "no subprotocol, no extension", peer.accepted)
        peer.send(text(echo("a")))
        echoed(peer, "a")


def deflate(node):
    with Peer(node, extensions=[PerMessageDeflate()]) as peer:
        expect(not peer.accepted.extensions, "no extension", peer.accepted)
        # So a compressed frame is one with a reserved bit.
        peer.send(frame(FIN | 0x40 | TEXT, b"\xaa\x56\x2a\x00\x00"))
        peer.expect_close(1002)


def subprotocols(node, offered):
    # wsproto refuses an answer with one that was not offered (4.1).
    with Peer(node, subprotocols=offered) as peer:
        expect(peer.accepted.subprotocol in [None, *offered], f"none or one of {offered}", peer.accepted)
        peer.expect_alive()


def early(node, way):
    frames = ping(b"early") + text(echo("early")) + frame(FIN | BINARY, b"\x00")
    with Peer(node, early=frames, in_single_bytes=way == WAYS[1]) as peer:
        peer.expect_pong(b"early")
        echoed(peer, "early")
        peer.expect_error("unsupported")


def early_bad(node):
    with Peer(node, early=frame(FIN | TEXT, b"{}", masked=False)) as peer:
        peer.expect_close(1002)
