# What is measured with Ringpost alone: slow sockets, several loops and processes, and how soon a node serves. Each function starts what
# it needs, ends it, and returns figures.
import json
import statistics
import subprocess
import time

from measurements import PUBLISHERS, WINDOW, options_for
from processes import Failure, GENERATOR_PROCESSOR, SERVER_PROCESSOR, environment, memory_kilobytes
from zookeeper import ZooKeeper

ALL_PROCESSORS = frozenset({SERVER_PROCESSOR, GENERATOR_PROCESSOR})
# Behind the ports that measurements with peers use.
ZOOKEEPER_OFFSET = 90
STARTS = 5


class Running:
    """The server from its start to its end."""

    def __init__(self, server, **settings):
        self.server, self.settings = server, settings

    def __enter__(self):
        self.server.start(**self.settings)
        return self.server

    def __exit__(self, *_):
        self.server.stop()


def await_ready(load):
    """Until a generator that holds its sockets has said that all of them listen."""
    for line in load.stderr:
        if line.strip() == "ready":
            return
    raise Failure("a load generator ended before its sockets were ready")


def said_by(load):
    """The line of JSON of a generator that holds its sockets afterwards."""
    line = load.stdout.readline()
    if not line.startswith("{"):
        raise Failure(f"the load generator said {load.stderr.read().strip()[-200:]}")
    return line


def let_go(load):
    load.stdin.close()
    load.wait()
    load.stdout.close()
    load.stderr.close()


# ---- Row 11

READERS, DEAF = 9_000, 1_000
# 750 KB: far more than the kernel takes for a socket, less than a node keeps before it closes it.
FLOOD, FLOOD_BYTES = 48, 16_384


def beside(bench, server, deaf_count):
    """A channel to 9,000 sockets that read and so many that never do, each kind with a process of its own. Those are behind
    before the others come. Memory is looked at when they are gone and the others still there."""
    with Running(server):
        common = {"is_channel": True, "keys": 1, "publishers": 1, "hold": 1}
        try:
            # Where there are none, one socket hears the same: the channel keeps what was said on it.
            deaf = bench.start_load(
                options_for(server, sockets=max(deaf_count, 1), deaf=deaf_count, receive_buffer=4_096, **common), messages=FLOOD,
                size=FLOOD_BYTES)
            said_by(deaf)
            readers = bench.start_load(
                options_for(server, sockets=READERS, rate=10, size=1_024, **common), warmup=0.5, seconds=bench.pick(3, 10))
            result = said_by(readers)
            queued = memory_kilobytes(server.pids)
            waiting, closed = server.metric("ringpost_socket_queue_bytes"), server.metric("ringpost_sockets_closed_total")
            let_go(deaf)
            time.sleep(bench.pick(2, 5))
            left = memory_kilobytes(server.pids)
            let_go(readers)
        finally:
            deaf.kill()
    return {**json.loads(result), "queued_kb": queued, "left_kb": left, "waiting_bytes": waiting, "closed_by_node": closed}


def slow_sockets(bench, server):
    without, beside_them = beside(bench, server, 0), beside(bench, server, DEAF)
    # Otherwise the others were measured beside sockets that are not slow, or not there.
    if beside_them["waiting_bytes"] < DEAF:
        raise Failure(f"nothing waits for the sockets that never read; the node has closed {beside_them['closed_by_node']:.0f} of them")
    return {
        **beside_them, "p99_without_us": without["p99_us"], "left_mb": beside_them["left_kb"] / 1_024,
        "left_without_mb": without["left_kb"] / 1_024, "queued_mb": beside_them["queued_kb"] / 1_024,
        "pss_end_kb": beside_them["queued_kb"]}


# ---- Row 12

def two_loops(bench, server):
    """The same unicast with one loop and with two, on both processors, which the generator takes its share of."""
    costs = []
    for loops in (1, 2):
        with Running(server, loops=loops, processors=ALL_PROCESSORS):
            options = options_for(server, sockets=1_000, publishers=PUBLISHERS, window=WINDOW)
            costs.append(bench.run_load(options, processors=ALL_PROCESSORS, seconds=bench.pick(1, 4), warmup=0.5))
    return {**costs[1], "one_loop_us": costs[0]["server_us_per_message"]}


def known_users(bench, server):
    """Messages to any of so many users, of whom one in a hundred has a socket; before it counts nearly each has got some."""
    costs = []
    for users in (1_000, 100_000):
        with Running(server):
            options = options_for(server, sockets=users // 100, keys=users, publishers=PUBLISHERS, window=WINDOW)
            costs.append(bench.run_load(options, seconds=bench.pick(1, 4), warmup=bench.pick(3, 5)))
    return {**costs[1], "few_us": costs[0]["server_us_per_message"]}


SOCKETS_A_PROCESS = 19_000


def many_sockets(bench, server):
    """Two nodes with 19,000 sockets each, and a generator for each; then messages to all of them. Counts sockets that listen to the end."""
    other = type(server)(bench, server.port + 3)
    held, rate, memory = 0, 0, 0
    with Running(server), Running(other):
        loads = [
            bench.start_load(options_for(each, sockets=SOCKETS_A_PROCESS, publishers=PUBLISHERS, rate=5_000), seconds=2)
            for each in (server, other)]
        for load in loads:
            result = bench.result_of(load)
            faults = sum(result[what] for what in ("lost", "repeated", "disordered", "refused"))
            held += result["sockets"] - result["closed"] if faults == 0 else 0
            rate, memory = rate + result["deliveries_per_second"], memory + result["pss_end_kb"]
    return {"held": held, "deliveries_per_second": rate, "pss_end_kb": memory}


# ---- Row 13

def start_milliseconds(server, **settings):
    began = time.monotonic()
    with Running(server, pause=0.001, **settings):
        return (time.monotonic() - began) * 1e3


def start(bench, server):
    return {"ready_ms": statistics.median(start_milliseconds(server) for _ in range(STARTS))}


def start_in_cluster(bench, server):
    with ZooKeeper(bench, bench.base_port + ZOOKEEPER_OFFSET) as address:
        return {"ready_ms": statistics.median(start_milliseconds(server, zookeeper=address, name=f"n{i}") for i in range(STARTS))}


def help_text(bench, server):
    times = []
    for _ in range(STARTS):
        began = time.monotonic()
        subprocess.run([bench.program, "--help"], stdout=subprocess.DEVNULL, check=True, env=environment())
        times.append((time.monotonic() - began) * 1e3)
    return {"ready_ms": statistics.median(times)}


# Name → (how, whether quick runs do it once only).
ALONE = {
    "slow sockets": (slow_sockets, True),
    "two loops": (two_loops, True),
    "known users": (known_users, True),
    "many sockets": (many_sockets, True),
    "start": (start, True),
    "start in a cluster": (start_in_cluster, True),
    "help": (help_text, True),
}
