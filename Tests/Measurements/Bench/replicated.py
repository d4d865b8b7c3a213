# The peers with disks: three NATS servers with a stream that each of them keeps, and a Redis with two replicas. To measurements each is one
# server, as three nodes are. Both are asked for what nodes do: nobody is answered, or hears of a message, before two of three have it.
import json
import socket

from alone import ALL_PROCESSORS
from processes import Failure, Process, accepts
from servers import UPGRADE

SERVERS = 3
ANSWER_SECONDS_MAX = 2
LEADERS_TRIED_MAX = 20
# As a node keeps of a mailbox.
HISTORY = 1_000


class Replicated:
    """Three servers with a folder each, from their start to their end."""

    # Which durability of a node's this is like; how many connections publish, and how many unanswered on each: 256 in all, as nodes have.
    kind, publishers, window = "", 0, 0

    def __init__(self, server, users):
        self.server, self.bench, self.port, self.processes = server, server.bench, server.port, []
        self.names = {"names": self.write(users)}

    def __enter__(self):
        try:
            for place in range(SERVERS):
                folder = self.bench.data_folder(f"s{place}")
                log = self.bench.path(f"{self.server.name}-{place}.log")
                self.processes.append(Process(self.command(place, folder), log, ALL_PROCESSORS))
            for place, process in enumerate(self.processes):
                process.await_that(lambda at=place: accepts(self.port + at))
            self.processes[0].await_that(self.is_ready, pause=0.1)
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stop()
        self.bench.remove_data()

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    def write(self, users):
        path = self.bench.path("users")
        with open(path, "w", encoding="ascii") as file:
            # All as long as the others: a length before a name is the same for all.
            file.write("".join(f"u{1_000 + number}\n" for number in range(users)))
        return path

    def prepare(self):
        """What is to be done once, when all of them serve."""


class JetStream(Replicated):
    """A stream of all users with three replicas. Producer and sockets are at n1, its leader is n2. It republishes what it has stored, which
    costs less than a consumer for each user."""

    kind, publishers, window = "written", 1, 256

    def command(self, place, folder):
        routes = ", ".join(f"nats://127.0.0.1:{self.route_port(each)}" for each in range(SERVERS))
        values = {
            "NAME": f"n{place + 1}", "PORT": self.port + place, "PUBLISH_PORT": self.publish_port(place),
            "ROUTE_PORT": self.route_port(place), "ROUTES": routes, "FOLDER": folder}
        return ["nats-server", "-c", self.server.fill_in("nats-jetstream.conf", f"nats-{place}.conf", **values)]

    def publish_port(self, place):
        return self.port + SERVERS + place

    def route_port(self, place):
        return self.port + 2 * SERVERS + place

    def ask(self, subject, document=None):
        """A request to the servers' own subjects; what they answer, or nothing if nobody does."""
        body = json.dumps(document) if document else ""
        try:
            with socket.create_connection(("127.0.0.1", self.publish_port(0)), ANSWER_SECONDS_MAX) as each, each.makefile("rb") as lines:
                each.sendall(f'CONNECT {{"verbose":false}}\r\nSUB a 1\r\nPUB $JS.API.{subject} a {len(body)}\r\n{body}\r\n'.encode())
                while line := lines.readline():
                    if line.startswith(b"MSG "):
                        return json.loads(lines.read(int(line.split()[-1])))
        except OSError:
            pass
        return {}

    def is_ready(self):
        """Asked until it can make the stream, for which all three must have found each other, and until all have it."""
        stream = {
            "name": "bench", "subjects": ["m.*"], "storage": "file", "num_replicas": SERVERS, "max_msgs_per_subject": HISTORY,
            "republish": {"src": "m.*", "dest": "d.{{wildcard(1)}}"}}
        cluster = self.ask("STREAM.INFO.bench").get("cluster", {})
        if not cluster:
            self.ask("STREAM.CREATE.bench", stream)
            return False
        followers = cluster.get("replicas", [])
        return len(followers) == SERVERS - 1 and all(each["current"] for each in followers) and bool(cluster.get("leader"))

    def prepare(self):
        for _ in range(LEADERS_TRIED_MAX):
            if self.ask("STREAM.INFO.bench").get("cluster", {}).get("leader") == "n2":
                return
            self.ask("STREAM.LEADER.STEPDOWN.bench")
            self.processes[0].await_that(self.is_ready, pause=0.1)
        raise Failure(f"n2 did not become the stream's leader in {LEADERS_TRIED_MAX} elections")

    def subscribing(self, transport, is_channel):
        asks = 'CONNECT {"verbose":false}\r\nSUB d.{i} 1\r\nPING\r\n'
        return {**self.server.subscribing(transport, is_channel), "then": asks}

    def publishing(self, is_channel):
        # One connection, because all answers to a name come to all who listen to it.
        return {
            "publish": f"127.0.0.1:{self.publish_port(0)}", "hello": 'CONNECT {"verbose":false}\r\nSUB a 1\r\n',
            "publish-request": "PUB m.{i} a {length}\r\n{body}\r\n", "answer": '{"', "good": "stream"}


def in_resp(*words):
    """In Redis's protocol. Words with holes come with the length that they will have."""
    parts = [word if isinstance(word, tuple) else (len(word), word) for word in words]
    return f"*{len(parts)}\r\n" + "".join(f"${length}\r\n{word}\r\n" for length, word in parts)


class Redis(Replicated):
    """A stream for each user and two replicas, all of which sync each write. `WAIT` holds up the connection until one replica has answered,
    which it does when it has synced; only then is the message published to those who listen. So each connection has one under way."""

    kind, publishers, window = "fsync", 256, 1
    NAME = (5, "{i}")
    BODY = ("{length}", "{body}")

    def command(self, place, folder):
        file = self.server.fill_in("redis.conf", f"redis-{place}.conf", PORT=self.port + place, FOLDER=folder)
        return ["redis-server", file] + (["--replicaof", f"127.0.0.1 {self.port}"] if place > 0 else [])

    def is_ready(self):
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS_MAX) as each, each.makefile("rb") as answer:
            each.sendall(in_resp("INFO", "replication").encode())
            text = answer.read(int(answer.readline()[1:]))
        return text.count(b"state=online") == SERVERS - 1

    def subscribing(self, transport, is_channel):
        return {
            "subscribe": f"127.0.0.1:{self.port}", "subscribe-request": in_resp("SUBSCRIBE", self.NAME), "ready": ":1\r\n"}

    def publishing(self, is_channel):
        appended = in_resp("XADD", self.NAME, "MAXLEN", "~", str(HISTORY), "*", "d", self.BODY)
        request = appended + in_resp("WAIT", "1", "0") + in_resp("PUBLISH", self.NAME, self.BODY)
        # To how many it was published: one. `WAIT` says how many replicas have it.
        return {"publish": f"127.0.0.1:{self.port}", "publish-request": request, "answer": "\r\n:1\r\n", "good": ""}
