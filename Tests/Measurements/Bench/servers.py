# What is measured: Ringpost, its peers, and the limit; how each is started, and how the load generator talks to it.
import os
import shutil
import socket
import urllib.request

from processes import Process, SERVER_PROCESSOR, accepts, answers_ok, children_of

PEERS_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
UPGRADE = (
    "HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
STREAM = "HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
POST = "HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
# All clients come from one address, at once, and publish as fast as they are answered: what would be abuse is wanted here.
LIMITS = {
    "sockets-per-address": 1_000_000, "connect-rate": 1_000_000, "connect-burst": 1_000_000, "connect-rate-per-address": 1_000_000,
    "user-rate": 1_000_000, "channel-rate": 1_000_000,
}


class Server:
    """One server, started afresh for each run. Subclasses say how."""

    name, transports, note = "", ("websocket",), ""
    processors = frozenset({SERVER_PROCESSOR})
    # The part of a target that a client asks for, before and after the key.
    subscribe_path, publish_path = "/subscribe/{i}", "/publish/{i}"

    def __init__(self, bench, port):
        self.bench, self.port, self.process = bench, port, None

    @property
    def publish_port(self):
        return self.port

    def is_there(self):
        return True

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        return accepts(self.port)

    def start(self, processors=None, pause=0.005, **settings):
        self.start_unawaited(processors, **settings)
        self.process.await_that(self.is_ready, pause)

    def start_unawaited(self, processors=None, **settings):
        self.settings = settings
        self.process = Process(self.command(), self.bench.path(self.name + ".log"), processors or self.processors)

    def stop(self, is_in_order=True):
        if self.process:
            self.process.stop(is_in_order)
            self.process = None

    @property
    def pids(self):
        return [self.process.pid]

    def subscribing(self, transport, is_channel):
        tail = UPGRADE if transport == "websocket" else STREAM
        return {"subscribe": f"127.0.0.1:{self.port}", "subscribe-request": f"GET {self.subscribe_path} {tail}"}

    def publishing(self, is_channel):
        return {"publish": f"127.0.0.1:{self.publish_port}", "publish-request": f"POST {self.publish_path} {POST}"}

    def version(self):
        return self.bench.output("dpkg-query", "--show", "--showformat=${Version}", self.package)

    def fill_in(self, file, to=None, **values):
        """The peer's configuration with its holes filled; returns where it is."""
        with open(os.path.join(PEERS_FOLDER, file), encoding="utf-8") as source:
            text = source.read()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        path = self.bench.path(to or file)
        with open(path, "w", encoding="utf-8") as target:
            target.write(text)
        return path


class Ringpost(Server):
    """One node with one event loop."""

    name, transports = "Ringpost", ("websocket", "sse")

    @property
    def publish_port(self):
        return self.port + 1

    def command(self):
        ports = [f"127.0.0.1:{self.port + place}" for place in range(3)]
        command = [self.bench.program, "node", "--client", ports[0], "--api", ports[1], "--link", ports[2], "--log-level", "warning"]
        command += ["--drain-seconds", "1", "--loops", str(self.settings.get("loops", 1))]
        if "zookeeper" in self.settings:
            command += ["--id", self.settings["name"], "--zookeeper", self.settings["zookeeper"]]
        if "data" in self.settings:
            command += ["--data", self.settings["data"], "--durability", self.settings["durability"]]
        return command + [f"--limit={name}={value}" for name, value in LIMITS.items()]

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.publish_port}{path}", timeout=5) as answer:
            return answer.read().decode()

    def get_all(self, paths):
        """The answers to several questions that are asked at once, on one connection."""
        with socket.create_connection(("127.0.0.1", self.publish_port), 5) as each, each.makefile("rb") as answers:
            each.sendall("".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in paths).encode())
            return [self.body_of_next(answers) for _ in paths]

    @staticmethod
    def body_of_next(answers):
        length = 0
        while (line := answers.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return answers.read(length).decode()

    def metric(self, name):
        """The sum of a metric's samples."""
        lines = [line.split() for line in self.get("/metrics").splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line[-1]) for line in lines)

    def is_ready(self):
        return answers_ok(self.publish_port, "/readyz")

    def subscribing(self, transport, is_channel):
        place, tail = ("ws", UPGRADE) if transport == "websocket" else ("sse", STREAM)
        wish = "channels={i}" if is_channel else "user={i}"
        request = f"GET /v1/{place}?{wish} {tail}"
        # Later than the others: it says so when the mailbox is attached.
        return {"subscribe": f"127.0.0.1:{self.port}", "subscribe-request": request, "ready": "attached"}

    def publishing(self, is_channel):
        kind = "channels" if is_channel else "users"
        return {"publish": f"127.0.0.1:{self.publish_port}", "publish-request": f"POST /v1/{kind}/{{i}}/messages {POST}"}

    def version(self):
        return self.bench.commit()


class Nchan(Server):
    name, transports, package = "nchan", ("websocket", "sse"), "libnginx-mod-nchan"

    def is_there(self):
        return shutil.which("nginx") is not None and os.path.exists("/usr/lib/nginx/modules/ngx_nchan_module.so")

    def command(self):
        return ["nginx", "-p", self.bench.folder, "-c", self.fill_in("nchan.conf", PORT=self.port, FOLDER=self.bench.folder)]

    def is_ready(self):
        # The master listens before it has a worker.
        return bool(children_of(self.process.pid)) and accepts(self.port)

    @property
    def pids(self):
        # The master does nothing, but has its share of the memory.
        return [self.process.pid, *children_of(self.process.pid)]


class NATS(Server):
    name, package = "NATS", "nats-server"

    def is_there(self):
        return shutil.which("nats-server") is not None

    @property
    def publish_port(self):
        return self.port + 1

    def command(self):
        return ["nats-server", "-c", self.fill_in("nats.conf", PORT=self.port, PUBLISH_PORT=self.publish_port)]

    def is_ready(self):
        return accepts(self.port) and accepts(self.publish_port)

    def subscribing(self, transport, is_channel):
        asks = 'CONNECT {"verbose":false}\r\nSUB {i} 1\r\nPING\r\n'
        return {
            "subscribe": f"127.0.0.1:{self.port}", "subscribe-request": f"GET / {UPGRADE}", "then": asks, "then-binary": 1,
            "then-ready": "PONG"}

    def publishing(self, is_channel):
        return {
            "publish": f"127.0.0.1:{self.publish_port}", "hello": 'CONNECT {"verbose":true}\r\n',
            "publish-request": "PUB {i} {length}\r\n{body}\r\n", "answer": "+OK", "good": ""}


class NodeWS(Server):
    name, package = "Node.js ws", "node-ws"

    def is_there(self):
        return shutil.which("node") is not None and os.path.exists("/usr/share/nodejs/ws")

    def command(self):
        return ["node", os.path.join(PEERS_FOLDER, "node-ws.js"), str(self.port)]

    def version(self):
        return f"{super().version()} on {self.bench.output('node', '--version')}"


class Redis(Server):
    """Speaks no HTTP and no WebSocket, so that it is measured with a disk only: see replicated.py."""

    name, transports, package = "Redis", (), "redis-server"

    def is_there(self):
        return shutil.which("redis-server") is not None


class Limit(Server):
    """Not a server that anybody could use: see limit.c."""

    name, transports = "limit", ("websocket", "sse")

    def command(self):
        return [self.bench.limit, "127.0.0.1", str(self.port), str(self.settings.get("nodes", 1))]

    @property
    def pids(self):
        return [self.process.pid, *children_of(self.process.pid)]

    def version(self):
        return ""


PEERS = (Nchan, NATS, NodeWS, Redis)
