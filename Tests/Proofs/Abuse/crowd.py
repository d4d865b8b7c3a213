# What attackers are made of: crowds of raw sockets, requests at full speed, WebSocket frames. All of it is bounded in count and time.
import os
import random
import selectors
import socket
import struct
import time
from typing import NamedTuple

CONNECT_SECONDS_MAX = 10.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Tally:
    """What an attack has come to. `got_in` counts those who nobody should have let in."""

    def __init__(self, **known):
        self.attempts, self.refused, self.got_in, self.problems = 0, 0, 0, []
        self.__dict__.update(known)

    def count(self, is_refused, name=""):
        self.attempts += 1
        if is_refused:
            self.refused += 1
        else:
            self.got_in += 1
            if len(self.problems) < 5:
                self.problems.append(f"got in: {name}")

    def add(self, other):
        self.attempts += other.attempts
        self.refused += other.refused
        self.got_in += other.got_in
        self.problems += other.problems


def somewhere(kinds=200):
    """A source address, as a trusted proxy would name it: one of so many."""
    place = random.randrange(kinds)
    return f"203.0.{113 + place // 250}.{1 + place % 250}"


def request(target, *headers, method="GET", body=b"", source=None, length=None):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
    if source:
        lines.append(f"X-Forwarded-For: {source}")
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def upgrade(target, *headers, source=None):
    opening = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}")
    return request(target, *opening, *headers, source=source)


def bearer(token):
    return f"Authorization: Bearer {token}"


def frame(payload, opcode=0x1):
    """A whole frame with a mask of zeros, which changes nothing and costs nothing."""
    data = payload if isinstance(payload, bytes) else payload.encode()
    if len(data) < 126:
        size = bytes([0x80 | len(data)])
    elif len(data) < 65_536:
        size = bytes([0x80 | 126]) + struct.pack("!H", len(data))
    else:
        size = bytes([0x80 | 127]) + struct.pack("!Q", len(data))
    return bytes([0x80 | opcode]) + size + bytes(4) + data


def connect(address, receive_bytes=None):
    each = socket.socket()
    each.settimeout(CONNECT_SECONDS_MAX)
    if receive_bytes:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    each.connect(address)
    each.setblocking(False)
    return each


def send_some(each, data):
    """As much as it takes; 0 if it takes none just now, `None` if the other side has gone."""
    try:
        return each.send(data)
    except BlockingIOError:
        return 0
    except OSError:
        return None


def receive_some(each, size=65_536):
    """What is here; empty if nothing is, `None` if the other side has gone."""
    try:
        return each.recv(size) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def ended(sockets):
    """How many the node has ended; what else it has said is read and forgotten."""
    count = 0
    for each in sockets:
        data = b"more"
        while data:
            data = receive_some(each)
        count += data is None
    return count


class Answer(NamedTuple):
    """An HTTP answer, or, for an upgrade, the first frame behind it."""

    status: int
    head: bytes
    body: bytes
    close_code: int = 0


def parse(data):
    """The first answer in these bytes, and how many it has; `None` if it is not whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None, 0
    head, start = bytes(data[:end]), end + 4
    status = int(head[9:12])
    if status == 101:
        if len(data) < start + 2:
            return None, 0
        length, offset = data[start + 1], start + 2
        if length == 126:
            length, offset = int.from_bytes(data[offset : offset + 2], "big"), offset + 2
        if len(data) < offset + length:
            return None, 0
        body = bytes(data[offset : offset + length])
        is_close = data[start] & 0xF == 0x8
        return Answer(status, head, body, int.from_bytes(body[:2], "big") if is_close else 0), offset + length
    place = head.lower().find(b"content-length:")
    if place < 0:
        return Answer(status, head, bytes(data[start:])), len(data)
    length = int(head[place + 15 :].split(b"\r\n", 1)[0])
    if len(data) < start + length:
        return None, 0
    return Answer(status, head, bytes(data[start : start + length])), start + length


class Caller:
    """One connection of a flood."""

    def __init__(self, flood):
        self.flood = flood
        self.socket = connect(flood.address)
        self.waiting, self.data, self.tag = b"", bytearray(), None
        flood.selector.register(self.socket, selectors.EVENT_READ, self)
        self.ask()

    def ask(self):
        self.waiting, self.tag = self.flood.next_request()
        self.push()

    def push(self):
        sent = send_some(self.socket, self.waiting)
        self.waiting = b"" if sent is None else self.waiting[sent:]
        self.flood.selector.modify(self.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.waiting else 0), self)

    def close(self):
        self.flood.selector.unregister(self.socket)
        self.socket.close()

    def on_ready(self, events):
        """Whether the connection goes on."""
        if events & selectors.EVENT_WRITE:
            self.push()
        data = receive_some(self.socket)
        if data is None:
            self.flood.judge(self.tag, None)
            return False
        self.data += data
        answer, size = parse(self.data)
        if answer is None:
            return True
        del self.data[:size]
        self.flood.judge(self.tag, answer)
        if answer.status == 101 or b"content-length" not in answer.head.lower() or b"connection: close" in answer.head.lower():
            return False
        self.ask()
        return True


class Flood:
    """Connections that each ask, read the answer and ask again, as fast as they can.

    next_request() returns the bytes and a tag; judge(tag, answer) is told what came of it, `None` if the connection just ended.
    """

    def __init__(self, address, next_request, judge, connections=16):
        self.address, self.next_request, self.judge, self.connections = address, next_request, judge, connections
        self.selector = selectors.DefaultSelector()

    def run(self, seconds, is_done=lambda: True, seconds_max=20.0):
        """For so many seconds, and on until it is done, if that takes longer: a machine with other work is no reason to look at less."""
        callers = {Caller(self) for _ in range(self.connections)}
        began = time.monotonic()
        while (age := time.monotonic() - began) < seconds or not is_done() and age < seconds_max:
            for key, events in self.selector.select(0.1):
                if not key.data.on_ready(events):
                    callers.discard(key.data)
                    key.data.close()
                    callers.add(Caller(self))
        for caller in callers:
            caller.close()
        self.selector.close()


def noise(size):
    return os.urandom(size)
