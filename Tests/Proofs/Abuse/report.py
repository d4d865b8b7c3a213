# What an attack's row says, whether it holds, and the table.
import statistics
from typing import NamedTuple

from node import RESIDENT_MEGABYTES_MAX

RATIO_MAX = 2.0
# A p99 below this, in milliseconds, is not judged by its ratio: where the p99 at rest is a quarter of a millisecond, what doubles it is which
# of the processes that share two processors runs first.
UNJUDGED_MILLISECONDS = 1.0
WINDOW_SECONDS = 2.0
# A window with fewer messages has no p99.
WINDOW_MESSAGES_MIN = 100
# Beyond this share of the processors' time taken by the machine's host, a ratio says more about the host than about the node.
STOLEN_MAX = 0.01


class Latency(NamedTuple):
    """Milliseconds from a publish to its receipt at a socket."""

    p50: float
    p99: float
    count: int


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def latency(samples):
    """The medians of the windows' quantiles: one window in which the machine was away does not stand for all of them."""
    if not samples:
        return Latency(0.0, 0.0, 0)
    windows, began = {}, samples[0][0]
    for when, milliseconds in samples:
        windows.setdefault(int((when - began) / WINDOW_SECONDS), []).append(milliseconds)
    whole = [window for window in windows.values() if len(window) >= WINDOW_MESSAGES_MIN] or [[each[1] for each in samples]]
    return Latency(
        statistics.median(quantile(window, 0.5) for window in whole), statistics.median(quantile(window, 0.99) for window in whole),
        len(samples))


class Row(NamedTuple):
    name: str
    tally: object
    before: Latency
    during: Latency
    newcomers: float
    resident: float
    leaked: list
    stolen: float
    problems: list
    note: str

    @property
    def ratio(self):
        return self.during.p99 / self.before.p99 if self.before.p99 else 0.0

    def failures(self, judges_latency):
        failures = list(self.problems)
        if self.tally.got_in:
            failures.append(f"{self.tally.got_in} got in")
        if self.leaked:
            failures.append("leaked: " + ", ".join(self.leaked))
        if self.resident > RESIDENT_MEGABYTES_MAX:
            failures.append(f"{self.resident:.0f} MiB resident, {RESIDENT_MEGABYTES_MAX} may be")
        if judges_latency and self.ratio > RATIO_MAX and self.during.p99 > UNJUDGED_MILLISECONDS:
            failures.append(f"p99 {self.ratio:.2f} times what it was before (the host took {self.stolen:.1%})")
        return failures

    def line(self):
        cells = [
            self.name + (f" ({self.note})" if self.note else ""),
            f"{self.tally.attempts:,}", f"{self.tally.refused:,}", f"{self.tally.got_in}",
            f"{self.before.p50:.2f} / {self.during.p50:.2f}", f"{self.before.p99:.2f} / {self.during.p99:.2f}", f"{self.ratio:.2f}",
            f"{self.newcomers:.0f}", f"{self.resident:.0f}", "; ".join(self.leaked) or "none",
        ]
        return "| " + " | ".join(cells) + " |"


HEAD = (
    "| attack | attempts | refused | got in | p50 ms before / during | p99 ms before / during | ratio | newcomer p99 ms | MiB | leaked |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
