# The rows of the table: which figure of which measurement each shows, and what is wanted of it.
from typing import NamedTuple, Optional


class Target(NamedTuple):
    """A figure of Ringpost's is to be at least, or at most, so many times another's; or so much, if there is no other."""

    figure: str
    at_least: Optional[float] = None
    at_most: Optional[float] = None
    # A server's name, "best" for the best peer, or "own:<figure>" for another figure of Ringpost's in the same measurement.
    than: Optional[str] = None


class Row(NamedTuple):
    number: str
    title: str
    measurement: str
    figure: str
    # One of FORMATS in report.py.
    format: str
    is_more_better: bool = True
    targets: tuple = ()
    only_full: bool = False


RATE, LATENCY, CPU = "deliveries_per_second", "p50_us", "server_us_per_delivery"
IDLE_BYTES_MAX = 3_584

ROWS = (
    Row("1", "unicast by HTTP, 1,000 users", "unicast", RATE, "rate", targets=(
        Target(RATE, at_least=1.3, than="nchan"), Target(CPU, at_most=0.75, than="nchan"))),
    Row("2", "unicast by RingpostClient on a link", "by link", RATE, "rate", targets=(Target(RATE, at_least=1.5, than="NATS"),)),
    Row("3", "fan-out to 1,000 sockets", "fan-out 1,000", RATE, "rate", targets=(Target(RATE, at_least=1.5, than="NATS"),)),
    Row("3", "fan-out to 10,000 sockets", "fan-out 10,000", RATE, "rate", targets=(Target(RATE, at_least=1.3, than="best"),)),
    Row("4", "fan-out to 1,000 event streams", "stream fan-out 1,000", RATE, "rate", targets=(Target(RATE, at_least=1.5, than="nchan"),)),
    Row("4", "fan-out to 10,000 event streams", "stream fan-out 10,000", RATE, "rate", only_full=True, targets=(
        Target(RATE, at_least=1.5, than="nchan"),)),
    Row("5", "5,000 a second: p50", "paced", "p50_us", "latency", False, (Target("p50_us", at_most=1.0, than="nchan"),)),
    Row("5", "5,000 a second: p99", "paced", "p99_us", "latency", False, (Target("p99_us", at_most=1.0, than="nchan"),)),
    Row("6", "idle WebSocket", "idle", "bytes_per_socket", "bytes", False, (Target("bytes_per_socket", at_most=IDLE_BYTES_MAX),)),
    Row("6", "idle WebSocket, one more", "idle, warm", "bytes_per_socket", "bytes", False, (
        Target("bytes_per_socket", at_most=IDLE_BYTES_MAX),)),
    Row("6", "idle event stream", "idle streams", "bytes_per_socket", "bytes", False, (
        Target("bytes_per_socket", at_most=IDLE_BYTES_MAX),)),
    Row("6", "idle event stream, one more", "idle streams, warm", "bytes_per_socket", "bytes", False, (
        Target("bytes_per_socket", at_most=IDLE_BYTES_MAX),)),
    Row("7", "connect and upgrade", "connecting", "connects_per_second", "rate", targets=(
        Target("connects_per_second", at_least=0.9, than="nchan"),)),
    Row("8", "mirrored by three nodes, 5,000 a second: p50", "mirrored", "p50_us", "latency", False, (
        Target("p50_us", at_most=1.0, than="own:bound_us"),)),
    Row("8", "mirrored by three nodes, 5,000 a second: p99", "mirrored", "p99_us", "latency", False, (
        Target("p99_us", at_most=1.5, than="own:bound_us"),)),
    Row("8", "CPU a message of all three", "mirrored", "server_us_per_message", "microseconds", False, (
        Target("server_us_per_message", at_most=3.0, than="own:local_us_per_message"),)),
    Row("8", "three nodes on two cores, as much as goes", "mirrored", "most_per_second", "rate", targets=(
        Target("most_per_second", at_least=0.5, than="own:local_most_per_second"),)),
    Row("9", "forwarded and acknowledged on a link", "links", "per_second", "rate", targets=(Target("per_second", at_least=2_000_000),)),
    Row("10", "ring: lookup from bytes", "parts", "ring.lookup.bytes", "nanoseconds", False, (Target("ring.lookup.bytes", at_most=8),)),
    Row("10", "ring: lookup from a String", "parts", "ring.lookup.text", "nanoseconds", False, (Target("ring.lookup.text", at_most=25),)),
    Row("10", "ring: build with 10 members", "parts", "ring.build.10", "part", False, (Target("ring.build.10", at_most=8),)),
    Row("10", "ring: build with 1,000 members", "parts", "ring.build.1000", "part", False, (Target("ring.build.1000", at_most=15),)),
    Row("10", "an event loop's longest stall when a ring is applied", "parts", "longest_stall", "part", False, (
        Target("longest_stall", at_most=1),)),
    Row("11", "p99 of 9,000 sockets beside 1,000 that never read", "slow sockets", "p99_us", "latency", False, (
        Target("p99_us", at_most=1.5, than="own:p99_without_us"),)),
    Row("11", "memory when these are gone", "slow sockets", "left_mb", "megabytes", False, (
        Target("left_mb", at_most=1.1, than="own:left_without_mb"),)),
    Row("12", "CPU a message with two loops", "two loops", "server_us_per_message", "microseconds", False, (
        Target("server_us_per_message", at_most=1.15, than="own:one_loop_us"),)),
    Row("12", "CPU a message with 100,000 known users", "known users", "server_us_per_message", "microseconds", False, (
        Target("server_us_per_message", at_most=1.3, than="own:few_us"),)),
    Row("12", "sockets over two processes", "many sockets", "held", "count", targets=(Target("held", at_least=38_000),)),
    Row("13", "from start to serving, alone", "start", "ready_ms", "milliseconds", False, (Target("ready_ms", at_most=150),)),
    Row("13", "from start to serving, with ZooKeeper", "start in a cluster", "ready_ms", "milliseconds", False, (
        Target("ready_ms", at_most=500),)),
    Row("13", "ringpost --help", "help", "ready_ms", "milliseconds", False, (Target("ready_ms", at_most=50),)),
    Row("14", "three nodes with fsync, 5,000 a second: p50", "with disks", "fsync_p50_us", "latency", False, (
        Target("fsync_p50_us", at_most=1.0, than="own:fsync_bound_us"),)),
    Row("14", "three nodes with fsync, as much as goes", "with disks", "fsync_most_per_second", "rate", targets=(
        Target("fsync_most_per_second", at_least=0.5, than="own:memory_most_per_second"),)),
    Row("14", "three nodes with written, 5,000 a second: p50", "with disks", "written_p50_us", "latency", False),
    Row("14", "three nodes with written, as much as goes", "with disks", "written_most_per_second", "rate", targets=(
        Target("written_most_per_second", at_least=0.85, than="own:memory_most_per_second"),)),
    Row("14", "bytes written for a byte of 512", "bytes written", "per_payload_byte", "ratio", False, (
        Target("per_payload_byte", at_most=3.0),)),
    Row("15", "from joining to the first message", "start with a history", "first_after_joining_ms", "milliseconds", False, (
        Target("first_after_joining_ms", at_most=3_000),)),
    Row("15", "from start to the first message, with a history", "start with a history", "first_ms", "milliseconds", False),
    Row("15", "from start until all of it is in memory", "start with a history", "recovered_ms", "milliseconds", False),
)


def wanted(numbers, is_full):
    """The rows with these numbers, or all of them."""
    return [row for row in ROWS if (not numbers or row.number in numbers) and (is_full or not row.only_full)]
