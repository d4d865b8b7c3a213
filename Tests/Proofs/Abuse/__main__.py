# Tries to take a node away from those who use it well, and says of each attempt what came of it. See cluster/abuse.
import argparse
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time

import connection_attacks
import link_attacks
import log_attacks
import socket_attacks
import trust_attacks
from crowd import Tally
from node import ELSEWHERE, Node
from probe import Watch
from report import HEAD, STOLEN_MAX, Row, latency, quantile
from tokens import Mint

SETTLE_SECONDS_MAX = 20.0
MODULES = (connection_attacks, socket_attacks, trust_attacks, link_attacks, log_attacks)


class Run:
    """One node, its well-behaved users, and attack after attack."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.node = self.start("abuse")
        self.before_seconds, self.attack_seconds = (0.5, 1.5) if options.quick else (6.0, 8.0)
        self.watch = Watch(self.node, Mint(self.node))
        self.watch.ask("go")
        time.sleep(1.0 if options.quick else 3.0)
        self.watch.ask("pause")
        self.at_rest = self.settled()

    def start(self, name, **settings):
        node = Node(self.options.binary, self.folder, name, self.options.quick, self.options.limit, **settings)
        node.head_seconds, node.request_seconds = (2, 3) if self.options.quick else (5, 10)
        return node

    def settled(self):
        """The gauges once they say the same twice."""
        previous = None
        for _ in range(50):
            gauges = self.node.gauges()
            if gauges == previous:
                return gauges
            previous = gauges
            time.sleep(0.2)
        return previous

    def leaks(self):
        """What is not as it was at rest, when it long should be."""
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        while True:
            now = self.node.gauges()
            different = [f"{name} {self.at_rest[name]} → {now[name]}" for name in now if now[name] != self.at_rest[name]]
            if not different or time.monotonic() > deadline:
                return different
            time.sleep(0.2)

    def attack(self, name, function):
        node = self.node if function is not log_attacks.forge else self.start("logged", log_level="trace", processors=ELSEWHERE)
        self.watch.ask("go")
        time.sleep(self.before_seconds)
        before, _, problems = self.watch.ask("samples")
        stolen, began = steal(), time.monotonic()
        ours, theirs = multiprocessing.Pipe()
        attacker = multiprocessing.Process(target=misbehave, args=(function, node, self.attack_seconds, self.options.quick, theirs))
        attacker.start()
        theirs.close()
        resident = 0.0
        tally = None
        while tally is None and (attacker.is_alive() or ours.poll()):
            resident = max(resident, node.resident_megabytes())
            if ours.poll(0.1) and (tally := ours.recv()) is None:
                # What it has done until now was no attack yet.
                problems += self.watch.ask("samples")[2]
        tally = tally or Tally(problems=["the attacker has ended without a word"])
        during, newcomers, more = self.watch.ask("samples")
        stolen = (steal() - stolen) / (time.monotonic() - began) / os.cpu_count()
        attacker.join(10)
        if node is not self.node:
            node.stop()
        _, _, later = self.watch.ask("pause")
        problems = problems + more + later + tally.problems
        leaked = [] if self.options.quick else self.leaks()
        return Row(
            name, tally, latency(before), latency(during), quantile(newcomers or [0.0], 0.99), resident, leaked, stolen, problems[:8],
            getattr(tally, "note", ""))

    def all(self):
        rows = []
        for name, function in (each for module in MODULES for each in module.attacks()):
            if self.options.filter not in name:
                continue
            row = self.attack(name, function)
            if row.failures(self.judges_latency) and row.stolen > STOLEN_MAX and not row.tally.got_in:
                print(f"  once more, because the host took {row.stolen:.1%}: {row.name}", flush=True)
                row = self.attack(name, function)
            rows.append(row)
            failures = row.failures(self.judges_latency)
            print(f"{'FAIL' if failures else 'ok  '}  {row.name}: {row.line()}", flush=True)
            for failure in failures:
                print(f"      {failure}", flush=True)
            if not self.node.is_running():
                print("FAIL  the node has ended by itself", flush=True)
                break
        return rows

    @property
    def judges_latency(self):
        return not self.options.quick

    def end(self):
        self.watch.end()
        self.node.stop()


def misbehave(function, node, seconds, is_quick, pipe):
    """An attacker's process. It has what those who use the node well leave over of their processor, as if it were elsewhere."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    node.begin = lambda: pipe.send(None)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        pipe.send(function(node, seconds, is_quick))
    except Exception as error:
        # An attack that breaks has not shown that the node holds.
        pipe.send(Tally(problems=[f"the attack broke off: {type(error).__name__}: {error}"]))


def steal():
    """Seconds of all processors that the machine's host took."""
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(prog="abuse", description="Attacks on a node, and what its users notice.")
    parser.add_argument("--binary", required=True, help="the program")
    parser.add_argument("--folder", help="where the node's log is kept; by default a folder that goes with this run")
    parser.add_argument("--filter", default="", help="only attacks whose name has this text")
    parser.add_argument("--limit", action="append", default=[], help="a limit of the node, name=value, other than this run has it")
    parser.add_argument("--quick", action="store_true", help="each for a moment; latencies are shown and not judged")
    parser.add_argument("--table", help="a file for the table")
    options = parser.parse_args()
    # What ends this script ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.sched_setaffinity(0, ELSEWHERE)
    folder = options.folder or tempfile.mkdtemp(prefix="abuse-")
    run = Run(options, folder)
    try:
        rows = run.all()
        leaked = run.leaks()
    finally:
        run.end()
        if not options.folder:
            shutil.rmtree(folder)
    if not rows:
        raise SystemExit(f"no attack has {options.filter!r} in its name")
    failed = sum(bool(row.failures(run.judges_latency)) for row in rows)
    lines = [HEAD, *(row.line() for row in rows)]
    if leaked:
        lines += ["", "FAIL  not as before: " + ", ".join(leaked)]
    lines += ["", f"{len(rows) - failed} held, {failed} did not"]
    print("\n" + "\n".join(lines))
    if options.table:
        with open(options.table, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    raise SystemExit(1 if failed or leaked else 0)


main()
