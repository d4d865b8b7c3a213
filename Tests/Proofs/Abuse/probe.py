# The well-behaved: users on WebSockets, event streams and long polls, a producer that writes to them, and newcomers who come and go. A
# process of its own, so that what the attackers do to this machine's Python does not count as what they do to the node.
import asyncio
import gc
import multiprocessing
import os
import re
import time

from crowd import bearer, frame, request, upgrade

WEB_SOCKETS, EVENT_STREAMS, POLLS = 20, 6, 4
MESSAGES_PER_SECOND = 200
NEWCOMERS_PER_SECOND = 5
NEWCOMER_SECONDS_MAX = 5.0
POLL_SECONDS = 25
# Sooner than a node asks whether a silent WebSocket is still there.
PONG_SECONDS = 10
STAMP = re.compile(rb'"stamp":(\d+)')
CURSOR = re.compile(rb'"cursor":"([^"]+)"')
STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")


class Listener(asyncio.Protocol):
    """A user with one connection."""

    def __init__(self, probe, kind, user, place):
        self.probe, self.kind, self.user = probe, kind, user
        self.source, self.data, self.transport = f"192.0.2.{place + 1}", b"", None
        self.stamps = set()

    def connection_made(self, transport):
        self.transport = transport
        target = f"/v1/{self.kind}?user={self.user}"
        token = bearer(self.probe.tokens[self.user])
        if self.kind == "ws":
            transport.write(upgrade(target, token, source=self.source))
            self.reassure()
        elif self.kind == "sse":
            transport.write(request(target, token, source=self.source))
        else:
            self.poll("earliest")

    def reassure(self):
        if not self.transport.is_closing():
            asyncio.get_running_loop().call_later(PONG_SECONDS, self.reassure)
            if self.data:
                self.transport.write(frame(b"", 0xA))

    def poll(self, since):
        token = bearer(self.probe.tokens[self.user])
        target = f"/v1/poll?user={self.user}&since={since}&wait={POLL_SECONDS}"
        self.transport.write(request(target, token, source=self.source))

    def data_received(self, data):
        now = time.monotonic_ns()
        self.data += data
        end = 0
        for match in STAMP.finditer(self.data):
            end = match.end()
            stamp = int(match[1])
            if stamp not in self.stamps:
                self.stamps.add(stamp)
                self.probe.on_message(now, stamp)
        if self.kind == "poll":
            head, separator, body = self.data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if separator and length and len(body) >= int(length[1]):
                self.data = b""
                cursor = CURSOR.search(body)
                if not cursor:
                    self.probe.problems.append(f"a poll was answered {head[:12]!r} {body[:200]!r}")
                    return
                self.poll(cursor[1].decode())
        else:
            self.data = self.data[max(end, len(self.data) - 64) :]

    def connection_lost(self, error):
        if not self.probe.is_ending:
            self.probe.problems.append(f"{self.user} was disconnected: {error or self.data[-100:]}")


class Producer(asyncio.Protocol):
    def __init__(self, probe):
        self.probe, self.transport, self.answers = probe, None, 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        for match in STATUS.finditer(data):
            self.answers += 1
            if match[1] != b"200":
                self.probe.problems.append(f"a publish was answered {data[:300]!r}")

    def connection_lost(self, error):
        if not self.probe.is_ending:
            self.probe.problems.append(f"the producer was disconnected: {error}")


class Probe:
    def __init__(self, node, tokens, pipe):
        self.node, self.tokens, self.pipe = node, tokens, pipe
        self.users = list(tokens)
        self.latencies, self.newcomers, self.problems = [], [], []
        self.published, self.received = 0, 0
        self.is_publishing = self.is_ending = False

    def on_message(self, now, stamp):
        self.received += 1
        self.latencies.append((now / 1e9, (now - stamp) / 1e6))

    async def run(self):
        loop = asyncio.get_running_loop()
        kinds = ["ws"] * WEB_SOCKETS + ["sse"] * EVENT_STREAMS + ["poll"] * POLLS
        for place, (kind, user) in enumerate(zip(kinds, self.users)):
            await loop.create_connection(lambda k=kind, u=user, p=place: Listener(self, k, u, p), *self.node.client)
        _, producer = await loop.create_connection(lambda: Producer(self), *self.node.api)
        await asyncio.sleep(0.5)
        publishing = asyncio.create_task(self.publish(producer))
        arriving = asyncio.create_task(self.arrive())
        commands = asyncio.Queue()
        loop.add_reader(self.pipe.fileno(), lambda: commands.put_nowait(self.pipe.recv()))
        while (command := await commands.get()) != "end":
            await self.obey(command)
        self.is_ending = True
        for task in (publishing, arriving):
            task.cancel()

    async def obey(self, command):
        if command == "go":
            self.is_publishing = True
        elif command == "pause":
            self.is_publishing = False
            deadline = time.monotonic() + NEWCOMER_SECONDS_MAX + 1
            # Newcomers go, and what is under way arrives.
            while time.monotonic() < deadline and (self.received < self.published or self.visiting):
                await asyncio.sleep(0.02)
            if self.received < self.published:
                self.problems.append(f"{self.published - self.received} messages were lost")
                self.received = self.published
        latencies, newcomers, problems = self.latencies, self.newcomers, self.problems
        self.latencies, self.newcomers, self.problems = [], [], []
        self.pipe.send((latencies, newcomers, problems))

    async def publish(self, producer):
        key, place, due = bearer(self.node.keys["producer"]), 0, time.monotonic()
        while True:
            due = max(due + 1 / MESSAGES_PER_SECOND, time.monotonic() - 0.1)
            await asyncio.sleep(due - time.monotonic())
            if not self.is_publishing:
                continue
            user = self.users[place % len(self.users)]
            place += 1
            self.published += 1
            body = b'{"stamp":%d}' % time.monotonic_ns()
            producer.transport.write(request(f"/v1/users/{user}/messages", key, method="POST", body=body))

    # ---- Newcomers: whether anybody still gets in, and how soon.

    visiting = 0

    async def arrive(self):
        number = 0
        while True:
            await asyncio.sleep(1 / NEWCOMERS_PER_SECOND)
            if self.is_publishing:
                number += 1
                self.visiting += 1
                asyncio.create_task(self.visit(number))

    async def visit(self, number):
        began = time.monotonic()
        try:
            await asyncio.wait_for(self.look_in(number), NEWCOMER_SECONDS_MAX)
            self.newcomers.append((time.monotonic() - began) * 1e3)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            self.problems.append(f"a newcomer did not get in: {type(error).__name__} {error}")
        self.visiting -= 1

    async def look_in(self, number):
        reader, writer = await asyncio.open_connection(*self.node.client)
        try:
            user = self.users[number % len(self.users)]
            source = f"192.0.2.{100 + number % 100}"
            writer.write(upgrade(f"/v1/ws?user={user}", bearer(self.tokens[user]), source=source))
            head = await reader.readuntil(b"\r\n\r\n")
            frame = await reader.readexactly(20)
            if b" 101 " not in head or b'{"event":"attached' not in frame:
                raise ValueError(f"{head[:12]!r} {frame!r}")
        finally:
            writer.close()


def main(node, tokens, pipe):
    try:
        # Users have processors of their own: what they wait for is the node, never a processor that the node has.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass
    gc.disable()
    asyncio.run(Probe(node, tokens, pipe).run())


class Watch:
    """The other end: starts the process, and asks it."""

    def __init__(self, node, mint):
        tokens = {f"good-{place}": mint.good(f"good-{place}") for place in range(WEB_SOCKETS + EVENT_STREAMS + POLLS)}
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=main, args=(node, tokens, other), daemon=True)
        self.process.start()
        other.close()

    def ask(self, command):
        """Latencies (when, milliseconds), newcomers' milliseconds and problems since the last question."""
        self.pipe.send(command)
        if not self.pipe.poll(30):
            raise SystemExit("the well-behaved users' process does not answer")
        return self.pipe.recv()

    def end(self):
        self.pipe.send("end")
        self.process.join(10)
