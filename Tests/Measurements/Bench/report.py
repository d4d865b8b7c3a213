# From what was measured to a table: medians, ratios, and whether each target is met. Works from the JSON alone, so that an old run can be
# shown again.
import statistics

from rows import wanted

PEERS = ("nchan", "NATS", "Node.js ws", "Redis")
OWN, LIMIT = "Ringpost", "limit"
FORMATS = {
    "rate": lambda value: f"{value / 1e3:,.1f}k/s" if value >= 1_000 else f"{value:,.0f}/s",
    "latency": lambda value: f"{value / 1e3:.3f} ms",
    "bytes": lambda value: f"{value / 1_024:.2f} KB",
    "megabytes": lambda value: f"{value:,.1f} MB",
    "part": lambda value: f"{value:.2f} ms",
    "milliseconds": lambda value: f"{value:,.0f} ms",
    "microseconds": lambda value: f"{value:.2f} µs",
    "nanoseconds": lambda value: f"{value:.1f} ns",
    "ratio": lambda value: f"{value:.2f}",
    "count": lambda value: f"{value:,.0f}",
}
NOTHING = "–"
# What the load generator counts of messages and sockets that have not fared as they should.
FAULTS = ("lost", "repeated", "disordered", "refused", "closed")


class Results:
    """`data` is what bench.json holds: under "measurements" each measurement's runs by server."""

    def __init__(self, data):
        self.measurements = data.get("measurements", {})

    def median(self, measurement, server, figure):
        runs = self.measurements.get(measurement, {}).get(server, [])
        values = [run[figure] for run in runs if figure in run]
        return statistics.median(values) if values else None

    def best_peer(self, row):
        """Who of the peers is best in this row, and with what; nobody if none was measured."""
        known = [(self.median(row.measurement, peer, row.figure), peer) for peer in PEERS]
        known = [each for each in known if each[0] is not None]
        if not known:
            return None, None
        value, peer = (max if row.is_more_better else min)(known)
        return peer, value

    def reference(self, row, target):
        if target.than is None:
            return 1.0
        if target.than == "best":
            peer, _ = self.best_peer(row)
            return self.median(row.measurement, peer, target.figure) if peer else None
        if target.than.startswith("own:"):
            return self.median(row.measurement, OWN, target.than[4:])
        return self.median(row.measurement, target.than, target.figure)

    def judge(self, row, target):
        """What is wanted in words, and whether it is so; `None` if that can't be said."""
        value, other = self.median(row.measurement, OWN, target.figure), self.reference(row, target)
        bound = target.at_most if target.at_most is not None else target.at_least
        sign = "≤" if target.at_most is not None else "≥"
        words = f"{sign} {FORMATS[row.format](bound)}" if target.than is None else f"{sign} {bound:g} × {target.than.removeprefix('own:')}"
        if target.than and target.than.startswith("own:") and other is not None:
            words = f"{sign} {bound:g} × {FORMATS[row.format](other)}"
        if target.figure != row.figure:
            words = f"CPU {words}" if target.figure.startswith("server_us") else f"{target.figure} {words}"
        if value is None or other is None:
            return words, None
        # A rate of which a part never arrived is none.
        if any(fault.startswith(OWN + " ") for fault in self.losses(row)):
            return words, False
        return words, value <= bound * other if target.at_most is not None else value >= bound * other

    def excuse(self, row):
        """Why there is no figure."""
        reason = self.measurements.get(row.measurement, {}).get("missing")
        return f"not measured: {reason}" if reason else "not measured"

    def losses(self, row):
        """Runs in which something was lost, doubled or out of order, or closed."""
        faults = []
        for server, runs in self.measurements.get(row.measurement, {}).items():
            if server == "missing":
                continue
            for what in FAULTS:
                most = max((run.get(what, 0) for run in runs), default=0)
                if most > 0:
                    faults.append(f"{server} {what} {most:,}")
        return faults


# What a figure took of the processors, if that is not what a delivery took.
CPU_FIGURES = {
    "connects_per_second": "connect_server_us", "most_per_second": "most_us_per_message", "server_us_per_message": "server_us_per_message",
    **{f"{kind}_p50_us": f"{kind}_us_per_message" for kind in ("fsync", "written")},
    **{f"{kind}_most_per_second": f"{kind}_most_us_per_message" for kind in ("fsync", "written")}}


def cpu_figure(row):
    return CPU_FIGURES.get(row.figure, "server_us_per_delivery")


def line(results, row):
    """One row of the table, as texts."""
    show = FORMATS[row.format]
    value = results.median(row.measurement, OWN, row.figure)
    limit = results.median(row.measurement, LIMIT, row.figure)
    best_name, best = results.best_peer(row)
    cells = [row.number, row.title, show(value) if value is not None else results.excuse(row)]
    for peer in PEERS:
        each = results.median(row.measurement, peer, row.figure)
        cells.append(NOTHING if each is None else f"**{show(each)}**" if peer == best_name else show(each))
    cells.append(f"{value / best:.2f}" if value is not None and best else NOTHING)
    cells.append(f"{show(limit)}, {value / limit:.2f}" if value is not None and limit else NOTHING)
    cpus = [results.median(row.measurement, server, cpu_figure(row)) for server in (OWN, best_name, LIMIT)]
    cells.append(" / ".join(NOTHING if each is None else f"{each:.2f}" for each in cpus) if any(cpus) else NOTHING)
    memory = results.median(row.measurement, OWN, "pss_end_kb")
    cells.append(f"{memory / 1_024:.0f} MB" if memory is not None else NOTHING)
    judged = [results.judge(row, target) for target in row.targets]
    cells.append(", ".join(words for words, _ in judged) or NOTHING)
    verdicts = {None: "?", True: "yes", False: "**no**"}
    cells.append(", ".join(verdicts[is_met] for _, is_met in judged) or NOTHING)
    return cells


HEAD = ["", "scenario", OWN, *PEERS, "of the best", "limit, ratio", "CPU µs: own / best / limit", "memory", "target", "met"]


def table(data, rows=None):
    """The table in Markdown, and below it what there is to know about it."""
    results = Results(data)
    rows = rows if rows is not None else [row for row in wanted((), True) if row.measurement in results.measurements]
    lines = [HEAD, ["---", "---", *["---:"] * (len(HEAD) - 4), "---", "---"], *(line(results, row) for row in rows)]
    text = ["| " + " | ".join(cells) + " |" for cells in lines]
    faults = [f"{row.number} ({row.title}): {', '.join(each)}" for row in rows if (each := results.losses(row))]
    if faults:
        text += ["", "not delivered as they should be, the most in a run: " + "; ".join(faults)]
    if data.get("about"):
        text += ["", data["about"]]
    return "\n".join(text)
