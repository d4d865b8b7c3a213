# What the cases share: connections that can be cut into single bytes, answers read strictly, frames made by hand where wsproto refuses
# to be wrong, and a WebSocket peer whose handshake and frames are wsproto's. Nothing here is Ringpost's own code.
import itertools
import json
import os
import socket
import struct
import time
from typing import NamedTuple

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, RejectConnection, Request, TextMessage
from wsproto.utilities import RemoteProtocolError

# Whatever is waited for comes by then, on a busy machine as well.
SECONDS_MAX = 20.0
# A connection that has been refused ends by then, and what a client only waits for while it is answered comes sooner.
END_SECONDS_MAX = 5.0
# How long silence is listened to where nothing may come.
SILENCE_SECONDS = 0.15


class Unexpected(Exception):
    """A case fails: says what was expected, and what came."""

    def __init__(self, expected, came):
        text = came if isinstance(came, str) else repr(came)
        super().__init__(f"expected {expected}; came {text[:400]}")


def expect(is_right, expected, came):
    if not is_right:
        raise Unexpected(expected, came)


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes


class Connection:
    """A TCP connection from a loopback address of its own, so that what is counted by address doesn't get in the way of the cases."""

    sources = (f"127.{a}.{b}.{c}" for a, b, c in itertools.product(range(1, 250), range(1, 250), range(1, 250)))

    def __init__(self, address):
        self.socket = socket.create_connection(address, SECONDS_MAX, source_address=(next(self.sources), 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.has_ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, in_single_bytes=False):
        """A refused peer may stop taking bytes at any of them; what it answers is what counts."""
        try:
            if in_single_bytes:
                for index in range(len(data)):
                    self.socket.send(data[index : index + 1])
            else:
                self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def finish(self):
        """Nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def receive(self, seconds=SECONDS_MAX):
        """The next bytes; empty at the end of the connection, None if none have come by then."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(65536)
        except socket.timeout:
            return None
        except ConnectionResetError:
            raise Unexpected("the answer, or an orderly end", "a reset") from None
        self.has_ended = data == b""
        return data

    def receive_to_end(self):
        received = bytearray()
        while not self.has_ended:
            data = self.receive(END_SECONDS_MAX)
            expect(data is not None, "the end of the connection", f"nothing for {END_SECONDS_MAX} s after {bytes(received)!r}")
            received += data
        return bytes(received)

    def answers(self, count):
        """So many answers of a connection that stays open."""
        received = bytearray()
        while len(answers := parse_answers(bytes(received), may_be_cut=True)) < count:
            data = self.receive()
            expect(data, f"{count} answers", f"{[answer.status for answer in answers]}, then {bytes(received)[-200:]!r}")
            received += data
        return answers


def parse_answers(data, may_be_cut=False):
    """The answers that the bytes consist of; any byte that belongs to none is a failure, and so is a cut one unless it may be."""
    answers = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        is_status_line = len(words) == 3 and words[0] == "HTTP/1.1" and len(words[1]) == 3 and words[1].isdigit()
        if not separator and may_be_cut:
            return answers
        expect(separator and is_status_line, "a status line and headers", data[:200])
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            expect(colon and name and name.lower() not in headers, "headers, each once", line)
            headers[name.lower()] = value.strip()
        status = int(words[1])
        length = 0 if status < 200 or status == 204 else int(headers.get("content-length", "-1"))
        expect(length >= 0, "an answer with a Content-Length", head)
        if len(rest) < length and may_be_cut:
            return answers
        expect(len(rest) >= length, f"a body of {length} bytes", rest)
        answers.append(Answer(status, headers, rest[:length]))
        data = rest[length:]
    return answers


class Node:
    """The ports of the node that is driven."""

    def __init__(self, client, api):
        self.client = client
        self.api = api
        self.names = itertools.count(1)

    def name(self, prefix):
        """A user or channel that no other case and no earlier run has used."""
        return f"{prefix}-{os.getpid()}-{next(self.names)}"

    def ask(self, text, address=None):
        with Connection(address or self.api) as connection:
            connection.send(text.encode())
            return connection.answers(1)[0]

    def is_written(self, user):
        """Whether any message was ever appended for that user: only then there is a history."""
        answer = self.ask(f"GET /v1/users/{user} HTTP/1.1\r\nHost: a\r\n\r\n")
        expect(answer.status == 200, "200 to a question for a user", answer)
        return json.loads(answer.body).get("history", {}).get("messages", 0) > 0

    def publish(self, user, data):
        answer = self.ask(f"POST /v1/users/{user}/messages HTTP/1.1\r\nHost: a\r\nContent-Length: {len(data)}\r\n\r\n{data}")
        expect(answer.status == 200, "a receipt", answer)


# ---- WebSocket frames by hand.

FIN, TEXT, BINARY, CLOSE, PING, PONG = 0x80, 0x1, 0x2, 0x8, 0x9, 0xA


def frame(first, payload=b"", masked=True, length_form=None, length=None, key=None):
    """Any frame. `first` is the whole first byte; `length_form` is 7, 16 or 64 bits, the shortest unless given; `length` may be a lie."""
    length = len(payload) if length is None else length
    length_form = length_form or (7 if length < 126 else 16 if length < 65536 else 64)
    bit = 0x80 if masked else 0
    head = bytes([first]) + {
        7: lambda: bytes([bit | length & 0x7F]),
        16: lambda: bytes([bit | 126]) + struct.pack("!H", length),
        64: lambda: bytes([bit | 127]) + struct.pack("!Q", length),
    }[length_form]()
    if not masked:
        return head + payload
    key = os.urandom(4) if key is None else key
    stretched = int.from_bytes((key * (len(payload) // 4 + 1))[: len(payload)], "big")
    return head + key + (int.from_bytes(payload, "big") ^ stretched).to_bytes(len(payload), "big")


def text(payload, is_final=True):
    return frame((FIN if is_final else 0) | TEXT, payload if isinstance(payload, bytes) else payload.encode())


def more(payload, is_final=True):
    return frame(FIN if is_final else 0, payload)


def closing(code, reason=b""):
    return frame(FIN | CLOSE, struct.pack("!H", code) + reason)


def ping(payload=b""):
    return frame(FIN | PING, payload)


def check_server_frames(raw):
    """What a server's frames must be in any case, whole ones in `raw`: unmasked, without reserved bits, in one piece here, and nothing
    after a close."""
    place, is_closed = 0, False
    while place + 2 <= len(raw):
        expect(not is_closed, "nothing after the close frame", raw[place:])
        first, second = raw[place], raw[place + 1]
        expect(not second & 0x80, "an unmasked frame from the server (5.1)", raw[place:])
        expect(not first & 0x70, "no reserved bits from the server (5.2)", raw[place:])
        width = {126: 2, 127: 8}.get(second, 0)
        if place + 2 + width > len(raw):
            return
        length = int.from_bytes(raw[place + 2 : place + 2 + width], "big") if width else second
        place += 2 + width + length
        is_closed = first & 0xF == CLOSE


class Peer(Connection):
    """A WebSocket whose handshake and frames are checked by wsproto, and by a second, stricter look at the bytes."""

    def __init__(self, node, target="/v1/ws", early=b"", in_single_bytes=False, **request):
        super().__init__(node.client)
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self.waiting = []
        self.received = bytearray()
        opening = self.protocol.send(Request(host="{}:{}".format(*node.client), target=target, **request))
        self.send(opening + early, in_single_bytes)
        event = self.next()
        if isinstance(event, RejectConnection):
            raise Unexpected("101", f"{event.status_code}")
        expect(isinstance(event, AcceptConnection), "101 with the right Sec-WebSocket-Accept", event)
        self.accepted = event

    def check(self):
        """All bytes so far once more, as wsproto passes over what comes behind a close."""
        head, _, frames = bytes(self.received).partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 101 "):
            check_server_frames(frames)

    def next(self, seconds=SECONDS_MAX):
        """The next event of wsproto's; None at the end, or after silence."""
        deadline = time.monotonic() + seconds
        while not self.waiting:
            data = self.receive(max(0.001, deadline - time.monotonic()))
            if not data:
                return None
            self.received += data
            self.check()
            try:
                self.protocol.receive_data(data)
                self.waiting += list(self.protocol.events())
            except RemoteProtocolError as error:
                raise Unexpected("frames as RFC 6455 has them", f"{data[:100]!r}, of which wsproto says: {error}") from None
        return self.waiting.pop(0)

    def message(self):
        """The next text of the server, as JSON."""
        parts = []
        while True:
            event = self.next()
            expect(isinstance(event, TextMessage), "a text", describe(event))
            parts.append(event.data)
            if event.message_finished:
                return json.loads("".join(parts))

    def expect_event(self, name, **members):
        message = self.message()
        is_right = message.get("event") == name and all(message.get(key) == value for key, value in members.items())
        expect(is_right, f"the event {name} with {members}", json.dumps(message))

    def expect_error(self, *codes):
        message = self.message()
        expect(message.get("event") == "error" and message["error"]["code"] in codes, f"an error of {codes}", json.dumps(message))

    def expect_pong(self, payload=b""):
        event = self.next()
        expect(isinstance(event, Pong) and event.payload == payload, f"a pong with {bytes(payload)!r}", describe(event))

    def expect_close(self, *codes):
        """A close with one of these codes (1005 stands for none), nothing else, and then the connection's end from the server's side,
        though ours stays open."""
        event = self.next()
        expect(isinstance(event, CloseConnection), f"a close with {codes}", describe(event))
        expect(event.code in codes, f"a close with {codes}", describe(event))
        self.received += self.receive_to_end()
        self.check()
        return event

    def expect_silence(self):
        event = self.next(SILENCE_SECONDS)
        expect(event is None and not self.has_ended, "nothing", describe(event))

    def expect_alive(self):
        self.send(ping(b"still there?"))
        self.expect_pong(b"still there?")


def describe(event):
    if event is None:
        return "the end of the connection, or nothing"
    if isinstance(event, CloseConnection):
        return f"a close with {int(event.code)} {event.reason!r}"
    if isinstance(event, (Ping, Pong, TextMessage, BytesMessage)):
        payload = event.payload if isinstance(event, (Ping, Pong)) else event.data
        return f"{type(event).__name__} {payload!r}"
    return repr(event)
