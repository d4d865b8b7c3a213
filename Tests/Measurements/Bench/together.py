# What takes more than the load generator: three nodes that mirror, messages that go in over a link, and the parts by themselves.
import json
import os
import subprocess

from alone import ALL_PROCESSORS, Running, ZOOKEEPER_OFFSET, await_ready
from measurements import PACED, PUBLISHERS, WINDOW, options_for, unicast
from processes import Failure, GENERATOR_PROCESSOR, NotThere, environment, prepare
from zookeeper import ZooKeeper

RUN_SECONDS_MAX = 200
NODES, USERS = 3, 1_000
# Asked at once, because a node asks the others for each: in a few milliseconds all are answered.
QUESTIONS = 100

# ---- Row 8


class Cluster:
    """Three nodes with one loop each and their ZooKeeper, and with disks if a durability is given. To measurements it is one server, whose
    clients and producers are at n1."""

    def __init__(self, server, durability=None):
        self.bench, self.durability = server.bench, durability
        self.nodes = [type(server)(server.bench, server.port + 3 * place) for place in range(NODES)]
        self.zookeeper = ZooKeeper(server.bench, server.bench.base_port + ZOOKEEPER_OFFSET)
        self.subscribing, self.publishing = self.nodes[0].subscribing, self.nodes[0].publishing

    def __enter__(self):
        address = self.zookeeper.__enter__()
        try:
            for place, node in enumerate(self.nodes, 1):
                node.start(processors=ALL_PROCESSORS, zookeeper=address, name=f"n{place}", **self.disk(place))
            self.nodes[0].process.await_that(self.is_whole, pause=0.1)
            self.nodes[0].process.await_that(self.is_mirrored, pause=0.5)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # In order, each would hand over all that it has to the ones that are left.
        for node in self.nodes:
            node.stop(is_in_order=False)
        self.zookeeper.__exit__()
        self.bench.remove_data()

    def disk(self, place):
        if self.durability is None:
            return {}
        return {"data": self.bench.data_folder(f"n{place}"), "durability": self.durability}

    @property
    def pids(self):
        return [pid for node in self.nodes for pid in node.pids]

    def is_whole(self):
        """Each node's ring has all three."""
        return all(node.is_ready() and node.metric("ringpost_ring_members") == NODES for node in self.nodes)

    def is_mirrored(self):
        """No slot waits for its copy any more: to send tens of thousands is work of the first seconds, and none of a message's."""
        return all('ringpost_slots{state="unmirrored"} 0' in node.get("/metrics").splitlines() for node in self.nodes)

    def link_round_trip(self):
        """Microseconds, the mean of n1's heartbeats so far."""
        count = self.nodes[0].metric("ringpost_link_round_trip_seconds_count")
        return self.nodes[0].metric("ringpost_link_round_trip_seconds_sum") / count * 1e6 if count else 0

    def users(self):
        """A file with users whose owner is n2 and who are mirrored by n3."""
        names, number = [], 0
        while len(names) < USERS and number < 20 * USERS:
            asked = [f"u{number + each}" for each in range(QUESTIONS)]
            places = self.nodes[0].get_all([f"/v1/users/{name}" for name in asked])
            names += [
                name for name, place in zip(asked, map(json.loads, places)) if place["owner"] == "n2" and place["next"][:1] == ["n3"]]
            number += QUESTIONS
        del names[USERS:]
        if len(names) < USERS:
            raise Failure(f"only {len(names)} of {number} users belong to n2 and are mirrored by n3")
        path = self.bench.path("users")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(names) + "\n")
        return path


def paced(bench, server, names, publishers=PUBLISHERS):
    options = options_for(server, sockets=USERS, publishers=publishers, **names)
    return bench.run_load(options, processors=ALL_PROCESSORS, rate=PACED, seconds=bench.pick(2, 6), warmup=1)


def as_much_as_goes(bench, server, names, publishers=PUBLISHERS, window=WINDOW, seconds=(1, 4)):
    options = options_for(server, sockets=USERS, publishers=publishers, **names)
    return bench.run_load(options, processors=ALL_PROCESSORS, window=window, seconds=bench.pick(*seconds), warmup=0.5)


def mirrored(bench, server):
    """Producer and sockets at n1, owner n2, mirror n3, against one node with the same users, each on both processors. The limit has
    processes that pass each message on for n2 and n3; nothing has an owner there, so that any users do."""
    names, round_trip = {}, None
    if server.name == "limit":
        with Running(server, processors=ALL_PROCESSORS, nodes=NODES):
            even, most = paced(bench, server, names), as_much_as_goes(bench, server, names)
    else:
        with Cluster(server) as cluster:
            names = {"names": cluster.users()}
            even = paced(bench, cluster, names)
            round_trip = cluster.link_round_trip()
            most = as_much_as_goes(bench, cluster, names)
    with Running(server, processors=ALL_PROCESSORS):
        local, local_most = paced(bench, server, names), as_much_as_goes(bench, server, names)
    bound = {} if round_trip is None else {"bound_us": local["p50_us"] + 2 * round_trip, "round_trip_us": round_trip}
    return {
        **even, **bound, "local_p50_us": local["p50_us"], "local_p99_us": local["p99_us"],
        "local_us_per_message": local["server_us_per_message"], "most_per_second": most["deliveries_per_second"],
        "local_most_per_second": local_most["deliveries_per_second"], "most_us_per_message": most["server_us_per_message"],
        "local_most_us_per_message": local_most["server_us_per_message"]}


# ---- Row 2


def product(bench, name):
    path = os.path.join(bench.products, name)
    if not os.access(path, os.X_OK):
        raise NotThere(f"{name} is not built")
    return path


def by_link(bench, server):
    """Through RingpostClient; a peer's own protocol is what the load generator speaks anyway. The producer has the
    generator's processor, together with those who receive."""
    if server.name != "Ringpost":
        with Running(server):
            return unicast(bench, server)
    producer = product(bench, "bench-producer")
    messages = bench.pick(100_000, 400_000)
    with Running(server):
        load = bench.start_load(options_for(server, sockets=USERS, external=messages))
        try:
            await_ready(load)
            command = [producer, "publish", "--api", f"127.0.0.1:{server.publish_port}", "--users", str(USERS), "--messages", str(messages)]
            sent = subprocess.run(
                command + ["--window", str(PUBLISHERS * WINDOW)], capture_output=True, text=True, check=False, env=environment(),
                timeout=RUN_SECONDS_MAX, preexec_fn=prepare({GENERATOR_PROCESSOR}))
            if sent.returncode != 0:
                raise Failure(f"bench-producer: {sent.stderr.strip()[-200:]}")
            return bench.result_of(load)
        finally:
            load.kill()


# ---- Row 9


def links(bench, server):
    """Messages that one node's link forwards and another's acknowledges, made inside the sender."""
    said = subprocess.run(
        [product(bench, "bench-producer"), "link"], capture_output=True, text=True, check=False, env=environment(), timeout=RUN_SECONDS_MAX)
    lines = [line for line in said.stdout.splitlines() if line.startswith("{")]
    if said.returncode != 0 or not lines:
        raise NotThere("bench-producer measures no link by itself")
    result = json.loads(lines[-1])
    return {**result, "per_second": result["perSecond"]}


# ---- Row 10


def parts(bench, server):
    """What microbench says, by name."""
    said = subprocess.run(
        [product(bench, "microbench")], capture_output=True, text=True, check=True, env=environment(), timeout=RUN_SECONDS_MAX,
        preexec_fn=prepare({GENERATOR_PROCESSOR}))
    figures = {each["name"]: each["value"] for each in (json.loads(line) for line in said.stdout.splitlines())}
    views = [value for name, value in figures.items() if name.startswith("view.")]
    return {**figures, "longest_stall": max(views)} if views else figures


TOGETHER = {
    "links": (links, False),
    "by link": (by_link, False),
    "mirrored": (mirrored, True),
    "parts": (parts, True),
}
