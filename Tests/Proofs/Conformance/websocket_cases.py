# What a server can break of RFC 6455 once the handshake is done; the numbers are that document's sections. A text frame is a command
# here: {"unsubscribe":["name"]} is answered with that name, and so shows whether a text arrived as it was sent.
import asyncio
import json
import struct

import websockets
from wsproto.frame_protocol import FrameProtocol

from harness import BINARY, CLOSE, FIN, PING, PONG, TEXT, Peer, closing, expect, frame, more, ping, text

# A command may have so many bytes (docs/guide/limits.md, "a WebSocket's command").
COMMAND_BYTES_MAX = 128 * 1024
SIZES = [0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537]
WAYS = ["in one write", "in single bytes", "behind a ping in one write"]


def echo(name):
    """A command that is answered with the name."""
    return json.dumps({"unsubscribe": [name]}, ensure_ascii=False).encode()


def sized(size):
    """A command of exactly that many bytes."""
    command = echo(f"size-{size}")
    return command + b" " * (size - len(command)) if size >= len(command) else b"x" * size


def send(peer, data, way):
    """In one of the ways; the ping in front is answered first."""
    peer.send((ping(b"first") if way == WAYS[2] else b"") + data, way == WAYS[1])
    if way == WAYS[2]:
        peer.expect_pong(b"first")


def refused(node, data, codes, way):
    with Peer(node) as peer:
        send(peer, data, way)
        peer.expect_close(*codes)


def answered(node, data, answer, way):
    """The answer comes, and the connection stays."""
    with Peer(node) as peer:
        send(peer, data, way)
        answer(peer)
        peer.expect_alive()


def violations():
    """Frames that no client may send, and the codes that are right: name, bytes, codes."""
    for bits in range(1, 8):
        # 5.2: MUST be 0 unless an extension is negotiated; none was.
        yield f"5.2 reserved bits {bits:03b} on a text", frame(FIN | bits << 4 | TEXT, echo("a")), [1002]
    yield "5.2 a reserved bit on an empty ping", frame(FIN | 0x40 | PING), [1002]
    yield "5.2 a reserved bit on a close", frame(FIN | 0x20 | CLOSE, b"\x03\xe8"), [1002]
    yield "5.2 a reserved bit on a continuation", text(b"{", False) + frame(FIN | 0x10, b"}"), [1002]
    for opcode in [*range(3, 8), *range(11, 16)]:
        yield f"5.2 reserved opcode {opcode}", frame(FIN | opcode), [1002]
        yield f"5.2 reserved opcode {opcode} with a payload", frame(FIN | opcode, b"abc"), [1002]
        yield f"5.2 reserved opcode {opcode} inside a message", text(b"{", False) + frame(FIN | opcode, b"abc"), [1002]
    for name, first in [("text", TEXT), ("binary", BINARY), ("ping", PING), ("pong", PONG)]:
        yield f"5.1 an unmasked {name}", frame(FIN | first, b"{}", masked=False), [1002]
    yield "5.1 an unmasked close", frame(FIN | CLOSE, b"\x03\xe8", masked=False), [1002]
    yield "5.1 an unmasked continuation", text(b"{", False) + frame(FIN, b"}", masked=False), [1002]
    for name, first in [("ping", PING), ("pong", PONG), ("close", CLOSE)]:
        yield f"5.5 a fragmented {name}", frame(first, b"\x03\xe8") + more(b""), [1002]
        for length in [126, 127, 65535, 65536]:
            yield f"5.5 a {name} of {length} bytes", frame(FIN | first, b"\x03\xe8" + b"x" * (length - 2)), [1002]
        yield f"5.5 a {name} whose 3 bytes are announced in 16 bits", frame(FIN | first, b"\x03\xe8a", length_form=16), [1002]
        yield f"5.5 a {name} of 2^63 bytes", frame(FIN | first, b"\x03\xe8", length_form=64, length=1 << 63), [1002]
    yield "5.4 a continuation of nothing", more(b"{}"), [1002]
    yield "5.4 a continuation of nothing, not the last", more(b"{}", False), [1002]
    for name, first in [("text", TEXT), ("binary", BINARY)]:
        for second in [("text", TEXT), ("binary", BINARY)]:
            data = frame(first, b"{") + frame(FIN | second[1], b"}")
            yield f"5.4 a {second[0]} inside a fragmented {name}", data, [1002]
    for name, first in [("text", TEXT), ("binary", BINARY)]:
        for length in [0, 1, 125]:
            data = frame(FIN | first, b"x" * length, length_form=16)
            yield f"5.2 a {name} whose {length} bytes are announced in 16 bits", data, [1002]
        for length in [0, 125, 126, 65535]:
            data = frame(FIN | first, b"x" * length, length_form=64)
            yield f"5.2 a {name} whose {length} bytes are announced in 64 bits", data, [1002]
        for length in [1 << 63, (1 << 63) + 5, (1 << 64) - 1]:
            data = frame(FIN | first, b"xyz", length_form=64, length=length)
            yield f"5.2 a {name} of {length:#x} bytes, with the highest bit set (1002 or 1009)", data, [1002, 1009]
        for length in [(1 << 63) - 1, 1 << 32, COMMAND_BYTES_MAX + 1]:
            data = frame(FIN | first, b"xyz", length_form=64, length=length)
            yield f"10.4 a {name} announced with {length:#x} bytes", data, [1009]
    endless = frame(FIN, b"", length_form=64, length=1 << 63)
    yield "5.2 a continuation of 2^63 bytes (1002 or 1009)", text(b"{", False) + endless, [1002, 1009]
    half = b" " * (COMMAND_BYTES_MAX // 2)
    yield "10.4 fragments of one byte too much together", text(half, False) + more(half, False) + more(b" "), [1009]


def framing(node):
    for name, data, codes in violations():
        for way in WAYS if len(data) < 8192 else WAYS[::2]:
            yield f"{name}: refused {way}", lambda data=data, codes=codes, way=way: refused(node, data, codes, way)

    whole = sized(COMMAND_BYTES_MAX)
    yield "10.4 a text one byte too large, all of it sent", lambda: refused(node, text(whole + b" "), [1009], WAYS[0])
    yield "10.4 the largest text", lambda: answered(node, text(whole), lambda peer: echoed(peer, f"size-{len(whole)}"), WAYS[0])
    fragments = text(whole[:70000], False) + more(whole[70000:])
    yield "10.4 the largest text in two fragments", lambda: answered(
        node, fragments, lambda peer: echoed(peer, f"size-{len(whole)}"), WAYS[0])


def echoed(peer, name):
    """Unsubscribed, or refused as a name: either way it is repeated."""
    message = peer.message()
    expect(message.get("channel") == name, f"the name {name!r} repeated", json.dumps(message))


def binary_answered(peer):
    peer.expect_error("unsupported")


def sizes(node):
    for size in SIZES:
        command = sized(size)
        answer = (lambda peer, size=size: echoed(peer, f"size-{size}")) if size > 40 else (lambda peer: peer.expect_error("bad_json"))
        half = size // 2
        kinds = {
            f"a text of {size} bytes": (text(command), answer),
            f"a text of {size} bytes in two fragments": (text(command[:half], False) + more(command[half:]), answer),
            f"a binary message of {size} bytes": (frame(FIN | BINARY, command), binary_answered),
        }
        for name, (data, kind) in kinds.items():
            for way in WAYS:
                yield f"5.2 {name}: answered, {way}", lambda data=data, kind=kind, way=way: answered(node, data, kind, way)
    for key in [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x7b\x22\x75\x6e"]:
        data = frame(FIN | TEXT, echo("masked"), key=key)
        name = f"5.3 the masking key {key.hex()}"
        yield name, lambda data=data: answered(node, data, lambda peer: echoed(peer, "masked"), WAYS[1])
    yield "5.2 the server's lengths 124…128 are in the shortest form", lambda: short_texts(node)
    yield "5.2 the server's lengths 65,534…65,537 are in the shortest form", lambda: long_texts(node)


def short_texts(node):
    """wsproto refuses a length that is too long a form; the name decides the length of the answer."""
    with Peer(node) as peer:
        lengths = set()
        for count in range(80, 100):
            peer.send(text(echo("x" * count)))
            message = peer.message()
            lengths.add(len(json.dumps(message, separators=(",", ":"))))
        expect(lengths >= set(range(124, 129)), "answers of 124…128 bytes", sorted(lengths))


def long_texts(node):
    user = node.name("long")
    with Peer(node, f"/v1/ws?user={user}") as peer:
        peer.expect_event("attached")
        node.publish(user, "x" * 65300)
        first = len(json.dumps(peer.message(), separators=(",", ":")))
        for length in range(65534, 65538):
            node.publish(user, "x" * (65300 + length - first))
            message = len(json.dumps(peer.message(), separators=(",", ":")))
            expect(message == length, f"a message of {length} bytes", message)
        peer.expect_alive()


def control(node):
    def pings(way):
        with Peer(node) as peer:
            for size in range(126):
                send(peer, ping(bytes(range(130, 130 + size))), way)
                peer.expect_pong(bytes(range(130, 130 + size)))

    for way in WAYS[:2]:
        yield f"5.5.2 a ping of each size 0…125 is answered with its payload, {way}", lambda way=way: pings(way)

    def ten_pings():
        with Peer(node) as peer:
            peer.send(b"".join(ping(b"%d" % number) for number in range(10)))
            # 5.5.3: only the most recent one needs an answer; whatever is answered comes in order.
            wanted = [b"%d" % number for number in range(10)]
            payloads = []
            while not payloads or payloads[-1] != wanted[-1]:
                event = peer.next()
                expect(event is not None, "a pong with 9", payloads)
                payloads.append(bytes(event.payload))
            expect(payloads == [payload for payload in wanted if payload in payloads], "pongs in order", payloads)

    yield "5.5.3 ten pings at once: pongs in order, the last one among them", ten_pings

    def unasked_pongs():
        with Peer(node) as peer:
            peer.send(frame(FIN | PONG) + frame(FIN | PONG, b"x" * 125))
            peer.expect_silence()
            peer.expect_alive()

    yield "5.5.3 unasked pongs are not answered", unasked_pongs

    def between(way):
        command = echo("κόσμος")
        with Peer(node) as peer:
            pieces = [text(command[:1], False)]
            for index in range(1, len(command)):
                pieces += [ping(b"%d" % index), frame(FIN | PONG, b"x"), more(command[index : index + 1], False)]
            peer.send(b"".join(pieces) + more(b""), way == WAYS[1])
            for index in range(1, len(command)):
                peer.expect_pong(b"%d" % index)
            echoed(peer, "κόσμος")

    for way in WAYS[:2]:
        yield f"5.4 pings and pongs between fragments of one byte, {way}", lambda way=way: between(way)

    def by_wsproto():
        protocol = FrameProtocol(client=True, extensions=[])
        with Peer(node) as peer:
            for name in ["a", "fragmented", "k" * 200]:
                command = echo(name).decode()
                peer.send(protocol.send_data(command[:5], fin=False) + protocol.ping(b"p") + protocol.send_data(command[5:], fin=True))
                peer.expect_pong(b"p")
                echoed(peer, name)

    yield "5.4 fragments as wsproto writes them", by_wsproto

    async def visit():
        async with websockets.connect("ws://{}:{}/v1/ws".format(*node.client)) as socket:
            await (await socket.ping(b"p"))
            for name in ["a", "n" * 200]:
                await socket.send(echo(name).decode())
                expect(json.loads(await socket.recv()).get("channel") == name, f"the name {name!r} repeated", "another")
                await socket.send(letter for letter in echo(name).decode())
                expect(json.loads(await socket.recv()).get("channel") == name, f"the name {name!r} repeated", "another")
            await socket.close(4321, "enough")
            expect(socket.close_code == 4321, "4321 echoed", socket.close_code)

    yield "5.4 and 7.4 another peer: Python's websockets, whole texts, fragments of a letter, a ping and a close", lambda: asyncio.run(
        visit())

    def empty_fragments():
        command = echo("empty")
        data = text(b"", False) + more(b"", False) + more(command, False) + more(b"", False) + more(b"")
        answered(node, data, lambda peer: echoed(peer, "empty"), WAYS[0])

    yield "5.4 empty fragments", empty_fragments

    def ended():
        with Peer(node) as peer:
            peer.send(text(b"[", False) + more(b"]") + more(b"{}"))
            peer.expect_error("bad_json")
            peer.expect_close(1002)

    yield "5.4 a continuation of a message that has ended: refused after its answer", ended

    def in_order():
        with Peer(node) as peer:
            peer.send(b"".join(text(echo(f"n{number}")) for number in range(50)))
            for number in range(50):
                echoed(peer, f"n{number}")

    yield "5.4 fifty messages in one write are answered in order", in_order
    yield "5.6 a binary message is no text: any bytes", lambda: answered(
        node, frame(BINARY, b"\xff\xfe\x00") + more(b"\xed\xa0\x80"), binary_answered, WAYS[1])


def close_refused(node, code, way):
    refused(node, closing(code), [1002], way)


def registered_later(node):
    """wsproto doesn't know it either, so the bytes are looked at."""
    with Peer(node) as peer:
        peer.send(closing(1014))
        raw = peer.receive_to_end()
        expect(raw[:1] == b"\x88" and raw[2:4] in [b"\x03\xf6", b"\x03\xea"], "a close with 1014 or 1002", raw)


# 7.4.1 and IANA's registry: these may be sent.
SENDABLE = [1000, 1001, 1002, 1003, *range(1007, 1014), 3000, 3001, 3500, 3999, 4000, 4001, 4500, 4999]
RESERVED = [1004, 1005, 1006, 1015]
NEVER = [
    0, 1, 2, 100, 255, 256, 500, 998, 999, 1016, 1017, 1100, 1500, 2000, 2500, 2998, 2999, 5000, 5001, 9999, 32767, 32768, 65535,
]


def closes(node):
    for code in SENDABLE:
        for reason in [b"", b"why", b"\xce\xba" * 61 + b"x"]:
            name = f"7.4 close {code} with a reason of {len(reason)} bytes is echoed"
            yield name, lambda code=code, reason=reason: refused(node, closing(code, reason), [code], WAYS[0])
    yield "7.4 close 1014, registered after the RFC, is echoed or refused", lambda: registered_later(node)
    for code in RESERVED + NEVER:
        for way in WAYS:
            yield f"7.4 close {code} is refused {way}", lambda code=code, way=way: close_refused(node, code, way)
    yield "7.4 close codes 0…999 and 1016…2999, every 97th, are refused", lambda: [
        close_refused(node, code, WAYS[0]) for code in [*range(0, 1000, 97), *range(1016, 3000, 97)]]
    for way in WAYS:
        yield f"5.5.1 an empty close is answered by none or 1000, {way}", lambda way=way: refused(
            node, frame(FIN | CLOSE), [1000, 1005], way)
        yield f"5.5.1 a close of one byte is refused {way}", lambda way=way: refused(node, frame(FIN | CLOSE, b"\x03"), [1002], way)
        for bad in [b"\xff", b"\xed\xa0\x80", b"abc\xce", b"\xc0\x80", b"x" * 121 + b"\xe2\x82"]:
            yield f"7.1.6 the reason {bad[-4:]!r} of a close is no UTF-8 (1007 or 1002), {way}", lambda bad=bad, way=way: refused(
                node, closing(1000, bad), [1007, 1002], way)
        yield f"7.1.6 1007 for such a reason, as the protocol has it, {way}", lambda way=way: refused(
            node, closing(1000, b"\xf4\x90\x80\x80"), [1007], way)
    later = text(echo("late")) + ping(b"late") + closing(4000) + frame(FIN | 0x70 | 0xF) + b"no frame at all"
    for way in WAYS:
        yield f"5.5.1 what follows a close is not looked at, {way}", lambda way=way: refused(node, closing(1000) + later, [1000], way)
        yield f"7.1.7 what follows a violation is not looked at, {way}", lambda way=way: refused(
            node, frame(FIN | 3) + later, [1002], way)
        yield f"5.4 a close between fragments is echoed, {way}", lambda way=way: refused(
            node, text(b"{", False) + closing(1001), [1001], way)
        data = text(echo("before")) + closing(1000)
        yield f"5.5.1 what came before a close is answered before it, {way}", lambda way=way, data=data: last_word(node, data, way)

    def both_close():
        with Peer(node) as peer:
            peer.send(text(b"\xff"))
            peer.expect_close(1007)
            peer.send(closing(1007))

    yield "7.1.1 after its close the server ends TCP first, and takes ours", both_close

    def no_goodbye():
        for data in [b"", b"\x81", text(b"{", False), frame(FIN | TEXT, b"{", length=1000), ping(b"x")]:
            with Peer(node) as peer:
                peer.send(data)
                peer.finish()
                # 7.1.5: without a close frame it is an end all the same; a pong may be on its way.
                peer.receive_to_end()

    yield "7.1.5 the client ends TCP without a close, also within a frame: the server ends it as well", no_goodbye


def last_word(node, data, way):
    with Peer(node) as peer:
        send(peer, data, way)
        echoed(peer, "before")
        peer.expect_close(1000)


def cases(node):
    yield from framing(node)
    yield from sizes(node)
    yield from control(node)
    yield from closes(node)
