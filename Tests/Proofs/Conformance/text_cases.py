# UTF-8 in text frames (RFC 6455 5.6 and 8.1): what is valid arrives as it was sent however it is cut, and what isn't is refused with
# 1007, sooner or later.
from harness import Peer, expect, more, ping, text
from websocket_cases import WAYS, echo, echoed, refused, send

VALID = {
    "two bytes": "κόσμε",
    "three bytes": "€漢字ก",
    "four bytes": "𝄞😀",
    "U+0080 and U+07FF": "\u0080\u07ff",
    "U+0800 and U+FFFF": "\u0800\uffff",
    "U+D7FF and U+E000, around the surrogates": "\ud7ff\ue000",
    "U+10000 and U+10FFFF": "\U00010000\U0010ffff",
    "non-characters": "\ufffe\ufdd0\U0001fffe\U0010fffe",
    "a byte order mark": "\ufeffa",
    "DEL": "a\u007fb",
}

INVALID = {
    "a lone continuation 80": b"\x80",
    "a lone continuation BF": b"\xbf",
    "five continuations": b"\x80\xbf\x80\xbf\x80",
    "C0, an overlong slash": b"\xc0\xaf",
    "C0 80, an overlong NUL": b"\xc0\x80",
    "C1 BF, overlong": b"\xc1\xbf",
    "E0 80 AF, overlong": b"\xe0\x80\xaf",
    "E0 9F BF, overlong": b"\xe0\x9f\xbf",
    "F0 80 80 AF, overlong": b"\xf0\x80\x80\xaf",
    "F0 8F BF BF, overlong": b"\xf0\x8f\xbf\xbf",
    "the surrogate D800": b"\xed\xa0\x80",
    "the surrogate DFFF": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "U+110000": b"\xf4\x90\x80\x80",
    "F5": b"\xf5\x80\x80\x80",
    "F7": b"\xf7\xbf\xbf\xbf",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "FE": b"\xfe",
    "FF": b"\xff",
    "a first byte and a letter": b"\xc3(",
    "two of three bytes and a letter": b"\xe2\x82(",
    "three of four bytes and a letter": b"\xf0\x9f\x98(",
    "a wrong second byte of three": b"\xe2(\xa1",
    "a wrong third byte of four": b"\xf0\x90(\xbc",
    "a first byte after a first byte": b"\xce\xce\xba",
    "Latin-1": "naïve".encode("latin-1"),
}

CUT = {
    "one of two bytes": b"\xce",
    "one of three bytes": b"\xe2",
    "two of three bytes": b"\xe2\x82",
    "one of four bytes": b"\xf0",
    "two of four bytes": b"\xf0\x9f",
    "three of four bytes": b"\xf0\x9f\x98",
}


def splits(data):
    """Two frames, cut at each place."""
    for place in range(len(data) + 1):
        yield text(data[:place], False) + more(data[place:])


def valid(node):
    for name, word in VALID.items():
        for way in WAYS:
            def whole(word=word, way=way):
                with Peer(node) as peer:
                    send(peer, text(echo(word)), way)
                    echoed(peer, word)

            yield f"8.1 {name}: arrives {way}", whole

        def at_each_byte(word=word):
            with Peer(node) as peer:
                for data in splits(echo(word)):
                    peer.send(data)
                    echoed(peer, word)
                peer.expect_alive()

        yield f"8.1 {name}: arrives when two frames are cut at each byte", at_each_byte

        def byte_frames(word=word):
            command = echo(word)
            data = text(command[:1], False)
            for index in range(1, len(command)):
                data += ping(b"x") + more(command[index : index + 1], False)
            with Peer(node) as peer:
                peer.send(data + more(b""))
                for _ in range(1, len(command)):
                    peer.expect_pong(b"x")
                echoed(peer, word)

        yield f"8.1 {name}: arrives in frames of one byte with pings between", byte_frames


def invalid(node):
    for name, bad in INVALID.items():
        data = b'{"unsubscribe":["ab' + bad + b'cd"]}'
        for way in WAYS:
            yield f"8.1 {name}: refused {way}", lambda data=data, way=way: refused(node, text(data), [1007], way)

        def at_each_byte(bad=bad):
            for frames in splits(b"ab" + bad + b"cd"):
                refused(node, frames, [1007], WAYS[0])

        yield f"8.1 {name}: refused when two frames are cut at each byte", at_each_byte

        def after_a_good_one(bad=bad):
            with Peer(node) as peer:
                peer.send(text(echo("good")) + text(bad))
                echoed(peer, "good")
                peer.expect_close(1007)

        yield f"8.1 {name}: refused behind a good text in one write", after_a_good_one
    for name, bad in CUT.items():
        for way in WAYS:
            yield f"8.1 a text that ends after {name}: refused {way}", lambda bad=bad, way=way: refused(
                node, text(b"{}" + bad), [1007], way)
        yield f"8.1 a fragmented text that ends after {name}: refused", lambda bad=bad: refused(
            node, text(b"{}", False) + more(bad, False) + more(b""), [1007], WAYS[1])
        yield f"8.1 a text that ends after {name}, and a text that would complete it: refused", lambda bad=bad: refused(
            node, text(b"{}" + bad) + text(b"\x80\x80\x80"), [1007], WAYS[0])

    def soon():
        # 8.1 lets a server wait for the message's end; docs/protocol/clients.md promises nothing either. What may not happen is an answer.
        with Peer(node) as peer:
            peer.send(text(b"ab\xff", False))
            event = peer.next(0.3)
            if event is None:
                peer.send(more(b""))
                peer.expect_close(1007)
            else:
                expect(getattr(event, "code", None) == 1007, "a close with 1007, or nothing yet", event)

    yield "8.1 a bad byte in a fragment: refused at once or at the message's end", soon


def cases(node):
    yield from valid(node)
    yield from invalid(node)
