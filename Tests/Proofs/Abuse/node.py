# The node that is abused: a process of its own on free loopback ports, with keys for tokens, API keys and a secret for links, and what can
# be seen of it from outside: its metrics, its memory, its descriptors, its log.
import ctypes
import os
import re
import resource
import signal
import socket
import subprocess
import time
import urllib.request

PR_SET_PDEATHSIG = 1
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
# The resident memory of the node stays below this in every attack: what it has at rest, and 1,000 sockets with all that may wait for them.
RESIDENT_MEGABYTES_MAX = 400
# What may wait for one socket in this run.
SOCKET_BYTES_MAX = 131_072
# Connections of one address, as a proxy names it.
CONNECTIONS_PER_ADDRESS_MAX = 200
# Who may do it, and how often, as the run has it; everything else is as it comes.
LIMITS = {"connections-per-address": CONNECTIONS_PER_ADDRESS_MAX, "socket-bytes": SOCKET_BYTES_MAX, "memory-megabytes": RESIDENT_MEGABYTES_MAX}
# A short run can't wait long for those who are slow.
QUICK_LIMITS = {"head-seconds": 2, "request-seconds": 3}
ISSUER, AUDIENCE = "abuse-login", "abuse-chat"
LINK_SECRET = "a secret that all members of the cluster know, and nobody else"

# What is as before when an attack is over. `in_flight` and `parked` are publishes, `sessions` and `attachments` who listens to whom.
GAUGES = (
    "connections", "sockets", "users", "source_addresses", "sessions", "socket_queue_bytes", "channels", "channel_listeners", "attachments",
    "in_flight", "parked", "links", "link_queue_bytes", "uncommitted",
)


# The node has all processors but the last one, on which everybody else is: one who attacks from elsewhere takes none of them away.
EVERY_PROCESSOR = sorted(os.sched_getaffinity(0))
PROCESSORS = EVERY_PROCESSOR[:-1] or EVERY_PROCESSOR
ELSEWHERE = EVERY_PROCESSOR[-1:]


def free_ports(count):
    """Ports that nobody listens on: the system's choice, held at once so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Node:
    """Makes keys in a folder of its own and starts the node; `stop` ends it."""

    def __init__(self, program, folder, name="abuse", is_quick=False, more_limits=(), log_level="info", processors=PROCESSORS):
        self.program, self.folder = program, os.path.join(folder, name)
        os.makedirs(os.path.join(self.folder, "keys"))
        os.makedirs(os.path.join(self.folder, "signing"))
        self.client, self.api, self.link = (("127.0.0.1", port) for port in free_ports(3))
        self.log = self.folder + ".log"
        self.make_keys()
        limits = {**LIMITS, **(QUICK_LIMITS if is_quick else {})}
        limits.update(text.split("=", 1) for text in more_limits)
        command = [
            program, "node", "--client", address(self.client), "--api", address(self.api), "--link", address(self.link),
            "--loops", str(len(processors)),
            "--drain-seconds", "1", "--token-keys", self.path("keys"), "--token-issuer", ISSUER, "--token-audience", AUDIENCE,
            # The sources that requests name are those of a proxy on this machine.
            "--trusted-proxy", "127.0.0.1", "--api-keys", self.path("api-keys"), "--link-secret-file", self.path("link.secret"),
            "--log-level", log_level, *(f"--limit={name}={value}" for name, value in limits.items()),
        ]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), preexec_fn=lambda: prepare(processors))
        self.wait_until_ready()

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    # ---- Credentials.

    def make_keys(self):
        """Tokens are signed with `shared` (HS256) and `login` (ES256); the node has of the second the public key only."""
        self.run("token", "key", "--algorithm", "HS256", "--file", self.path("keys/shared.hs256"))
        self.run("token", "key", "--algorithm", "ES256", "--file", self.path("signing/login.pem"))
        os.rename(self.path("signing/login.pub.pem"), self.path("keys/login.pub.pem"))
        # A key of somebody else, whose tokens call it by the name of ours.
        self.run("token", "key", "--algorithm", "ES256", "--file", self.path("signing/foreign.pem"))
        scopes = {"producer": ["publish-users", "publish-channels"], "reader": ["read"], "operator": ["read", "administer"]}
        self.keys = {name: self.make_api_key(*given) for name, given in scopes.items()}
        self.keys["narrow"] = self.make_api_key("publish-users", name="only:*")
        with open(self.path("link.secret"), "w", encoding="utf-8", opener=private) as file:
            file.write(LINK_SECRET + "\n")

    def make_api_key(self, *scopes, name="*"):
        options = [word for scope in scopes for word in ("--scope", scope)]
        output = self.run("key", "new", *options, "--name", name, "--file", self.path("api-keys"))
        return re.search(r"^rp_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$", output, re.MULTILINE).group()

    def run(self, *arguments):
        command = [self.program, *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=True, capture_output=True, text=True, env=environment()).stdout

    # ---- Its life.

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.is_running():
            try:
                if self.get("/readyz", key=None) is not None:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        self.stop()
        with open(self.log, "rb") as log:
            raise SystemExit("the node did not start: " + log.read()[-2_000:].decode(errors="replace"))

    def is_running(self):
        return self.process.poll() is None

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    # ---- What is seen from outside.

    def get(self, path, key="operator", body=None):
        headers = {"Authorization": f"Bearer {self.keys[key]}"} if key else {}
        request = urllib.request.Request(f"http://{address(self.api)}{path}", headers=headers, data=body)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode()

    def metrics(self):
        """All samples, by their names with labels."""
        lines = (line.rpartition(" ") for line in self.get("/metrics").splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def gauges(self):
        """What must be as before when nothing is under way; this question's own connection is among it each time."""
        metrics = self.metrics()
        gauges = {
            name.removeprefix("ringpost_"): int(value)
            for name, value in metrics.items()
            if name.partition("{")[0].removeprefix("ringpost_") in GAUGES
        }
        gauges["descriptors"] = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        return gauges

    def refused(self):
        """How often it has said no so far, in all its ways."""
        names = ("ringpost_limited_total", "ringpost_distrusted_total", "ringpost_http_errors_total", "ringpost_bad_links_total")
        return {name: value for name, value in self.metrics().items() if name.startswith(names) and value > 0}

    def resident_megabytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1_024


def address(pair):
    return "{}:{}".format(*pair)


def environment():
    """Settings of other nodes are none of this one's. What marks the processes of a test run stays."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RINGPOST_") or name == "RINGPOST_TEST_RUN"}


def private(path, flags):
    return os.open(path, flags, 0o600)


def prepare(processors):
    """In the node's process: it has as many descriptors as it may, and does not outlive this script, however that ends."""
    os.sched_setaffinity(0, processors)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
