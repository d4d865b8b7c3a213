# What disks cost: three nodes that mirror in memory and on disks, beside peers that do the same; what is written for a message; and how
# soon a node serves that comes back with a large history.
import http.client
import json
import os
import statistics
import time

from alone import ALL_PROCESSORS, Running, ZOOKEEPER_OFFSET
from measurements import PUBLISHERS, WINDOW, options_for
from processes import Failure, answers_ok, memory_kilobytes
from replicated import JetStream, Redis
from report import FAULTS
from together import Cluster, USERS, as_much_as_goes, paced
from zookeeper import ZooKeeper

# ---- Row 14

SYNCS, SYNC_BYTES = 300, 4_096
# A node's p50 may be so many times that of fdatasync above what it is in memory.
SYNCS_A_MESSAGE = 3
PAYLOAD_BYTES = 512
# Long enough that files are written beside the log, of quick and full runs.
MOST_SECONDS = (3, 8)
REPLICATED = {"NATS": JetStream, "Redis": Redis}


def fdatasync_microseconds(bench):
    """The median: a little more at the end of a file, and the disk has it."""
    path, piece, times = os.path.join(bench.data_folder("fdatasync"), "file"), bytes(SYNC_BYTES), []
    # What was written before is none of this one's.
    os.sync()
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for _ in range(SYNCS):
            os.write(file, piece)
            began = time.perf_counter_ns()
            os.fdatasync(file)
            times.append(time.perf_counter_ns() - began)
    finally:
        os.close(file)
    return statistics.median(times) / 1e3


def figures(kinds):
    """The runs of each durability, with its name before each figure; what went wrong in any of them."""
    runs = [run for pair in kinds.values() for run in pair]
    result = {fault: sum(run[fault] for run in runs) for fault in FAULTS}
    result |= {most: max(run[most] for run in runs) for most in ("stolen", "pss_end_kb")}
    for kind, (even, most) in kinds.items():
        result |= {f"{kind}_{figure}": even[figure] for figure in ("p50_us", "p99_us")}
        result |= {f"{kind}_us_per_message": even["server_us_per_message"], f"{kind}_most_us_per_message": most["server_us_per_message"]}
        result[f"{kind}_most_per_second"] = most["deliveries_per_second"]
    return result


def with_disks(bench, server):
    """As row 8, in memory and with each durability in turn. Peers have one of them."""
    if server.name in REPLICATED:
        with REPLICATED[server.name](server, USERS) as each:
            even = paced(bench, each, each.names, each.publishers)
            most = as_much_as_goes(bench, each, each.names, each.publishers, each.window, MOST_SECONDS)
            return figures({each.kind: (even, most)})
    kinds, syncs = {}, []
    for kind in ("memory", "fsync", "written"):
        syncs.append(fdatasync_microseconds(bench))
        with Cluster(server, None if kind == "memory" else kind) as cluster:
            names = {"names": cluster.users()}
            kinds[kind] = (paced(bench, cluster, names), as_much_as_goes(bench, cluster, names, seconds=MOST_SECONDS))
    result, sync = figures(kinds), statistics.median(syncs)
    return {**result, "fdatasync_us": sync, "fsync_bound_us": result["memory_p50_us"] + SYNCS_A_MESSAGE * sync}


def bytes_written(bench, server):
    """By one node with fsync, as much as goes, until it has closed its store: by then all is in files that stay, and RocksDB has compacted
    some of them."""
    try:
        with Running(server, processors=ALL_PROCESSORS, data=bench.data_folder("n1"), durability="fsync"):
            options = options_for(server, sockets=USERS, publishers=PUBLISHERS, window=WINDOW)
            result = bench.run_load(
                options, processors=ALL_PROCESSORS, messages=bench.pick(300_000, 1_000_000), size=PAYLOAD_BYTES, patience=20)
            written = server.process.bytes_written_until_its_end()
    finally:
        bench.remove_data()
    return {**result, "bytes_written": written, "per_payload_byte": written / result["sent"] / PAYLOAD_BYTES}


# ---- Row 15

# A hundred thousand mailboxes and half a gigabyte in a portion, with some to spare: a user whom no message meets by chance has none.
USERS_A_PORTION, MESSAGES_A_PORTION, HISTORY_MESSAGE_BYTES = 101_000, 500_000, 1_000
RECOVERY_SECONDS_MAX = 900
LOOK_SECONDS = 0.005


def fill(bench, server, portions):
    """Publishes to so many users. Afterwards the node has their histories in its data directory."""
    path = bench.path("users")
    for portion in range(portions):
        with open(path, "w", encoding="ascii") as file:
            file.write("".join(f"u{portion * USERS_A_PORTION + number}\n" for number in range(USERS_A_PORTION)))
        options = options_for(server, sockets=0, publishers=PUBLISHERS, window=WINDOW, keys=USERS_A_PORTION, names=path)
        result = bench.run_load(
            options, processors=ALL_PROCESSORS, messages=MESSAGES_A_PORTION, size=HISTORY_MESSAGE_BYTES, patience=20)
        if result["answered"] < MESSAGES_A_PORTION or result["refused"] > 0:
            raise Failure(f"of {MESSAGES_A_PORTION:,} messages {result['answered']:,} were answered, {result['refused']:,} refused")


def drop_from_memory(folder):
    """The kernel keeps what was written; after a machine's start it has nothing of it."""
    os.sync()
    for place, _, files in os.walk(folder):
        for each in files:
            file = os.open(os.path.join(place, each), os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def publish(server, user):
    """The message's place in the user's history; nothing if it isn't taken."""
    connection = http.client.HTTPConnection("127.0.0.1", server.publish_port, timeout=RECOVERY_SECONDS_MAX)
    try:
        connection.request("POST", f"/v1/users/{user}/messages", '"hello"', {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return json.loads(answer.read())["seq"] if answer.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


class Clock:
    """Milliseconds since it was made."""

    def __init__(self):
        self.began = time.monotonic()

    def until(self, is_true, pause=LOOK_SECONDS):
        while not self.holds(is_true):
            if time.monotonic() > self.began + RECOVERY_SECONDS_MAX:
                raise Failure(f"the node was not back after {RECOVERY_SECONDS_MAX} s")
            time.sleep(pause)
        return (time.monotonic() - self.began) * 1e3

    @staticmethod
    def holds(is_true):
        """A node that is busy with its start may answer a question too late."""
        try:
            return is_true()
        except OSError:
            return False


def come_back(server, settings, mailboxes, place):
    """Starts the node again, and looks when it is a member, has taken u0's next message, and has all mailboxes. It asks for one after the
    other, so that one question doesn't hold up another."""
    clock = Clock()
    server.start_unawaited(ALL_PROCESSORS, **settings)
    joined = clock.until(lambda: answers_ok(server.publish_port, "/metrics") and server.metric("ringpost_ring_members") > 0)
    places = []
    first = clock.until(lambda: places.append(publish(server, "u0")) or places[-1] is not None)
    recovered = clock.until(lambda: server.metric("ringpost_mailboxes") >= mailboxes, pause=0.05)
    if places[-1] != place + 1:
        raise Failure(f"u0 had {place} messages, and its next one was number {places[-1]}")
    return {
        "joined_ms": joined, "first_ms": first, "first_after_joining_ms": first - joined, "recovered_ms": recovered,
        "pss_end_kb": memory_kilobytes(server.pids)}


def start_with_a_history(bench, server):
    """A node, alone in its cluster, that comes back with what was published to it before. A loop keeps half a gigabyte in memory, so there
    are as many as that takes."""
    portions = bench.pick(1, 10)
    with ZooKeeper(bench, bench.base_port + ZOOKEEPER_OFFSET) as address:
        settings = {"loops": portions + 2, "zookeeper": address, "name": "n1", "data": bench.data_folder("n1")}
        try:
            with Running(server, processors=ALL_PROCESSORS, durability="written", **settings):
                fill(bench, server, portions)
                place = publish(server, "u0")
                mailboxes, history = server.metric("ringpost_mailboxes"), server.metric("ringpost_history_bytes")
            drop_from_memory(bench.data)
            result = come_back(server, {"durability": "fsync", **settings}, mailboxes, place)
        finally:
            server.stop()
            bench.remove_data()
    return {**result, "mailboxes": mailboxes, "history_mb": history / 1e6}


# Name → (how, whether quick runs do it once only).
DISKS = {
    "with disks": (with_disks, True),
    "bytes written": (bytes_written, True),
    "start with a history": (start_with_a_history, True),
}
