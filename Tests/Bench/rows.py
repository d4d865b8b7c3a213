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
    Row("6", "idle event stream", "idle streams", "bytes_per_socket", "bytes", False, (Target("bytes_per_socket", at_most=IDLE_BYTES_MAX),)),
    Row("6", "idle event stream, one more", "idle streams, warm", "bytes_per_socket", "bytes", False, (
        Target("bytes_per_socket", at_most=IDLE_BYTES_MAX),)),
    Row("7", "connect and upgrade", "connecting", "connects_per_second", "rate", targets=(
        Target("connects_per_second", at_least=0.9, than="nchan"),)),
)


def wanted(numbers, is_full):
    """The rows with these numbers, or all of them."""
    return [row for row in ROWS if (not numbers or row.number in numbers) and (is_full or not row.only_full)]
