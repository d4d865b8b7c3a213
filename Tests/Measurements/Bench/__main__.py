# Measures Ringpost, its peers and the limit in turn, and prints one table. See cluster/bench.
import argparse
import json
import os
import signal
import sys

import report
from alone import ALONE
from bench import Bench
from disks import DISKS
from measurements import MEASUREMENTS
from picture import picture
from processes import GENERATOR_PROCESSOR, Failure, NotThere
from rows import wanted
from servers import PEERS, Limit, Ringpost
from together import TOGETHER

ROUNDS = 3
# Each server has ports of its own.
PORTS_A_SERVER = 10
OWN_ARRANGEMENTS = {**ALONE, **TOGETHER, **DISKS}
# Who else than Ringpost can do something of these.
BESIDE_OWN = {"by link": ("NATS",), "mirrored": (report.LIMIT,), "with disks": ("NATS", "Redis")}


def parse():
    parser = argparse.ArgumentParser(prog="cluster/bench", add_help=False)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--limit", required=True)
    parser.add_argument("--products", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--servers", default="")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--base-port", type=int, default=21_000)
    parser.add_argument("--json", required=True)
    parser.add_argument("--picture")
    parser.add_argument("--table")
    return parser.parse_args()


def chosen_servers(bench, names):
    """Ringpost, the peers that are installed, and the limit; says who is left out."""
    servers = [make(bench, bench.base_port + place * PORTS_A_SERVER) for place, make in enumerate((Ringpost, *PEERS, Limit))]
    absent = [server.name for server in servers if not server.is_there()]
    if absent:
        print(f"not installed, and left out: {', '.join(absent)} (cluster/bench --install)", flush=True)
    wishes = [name.strip().lower() for name in names.split(",") if name.strip()]
    return [each for each in servers if each.is_there() and (not wishes or any(wish in each.name.lower() for wish in wishes))]


def measure_alone(bench, name, servers, rounds):
    """What starts its nodes itself."""
    run, is_once = OWN_ARRANGEMENTS[name]
    results = {}
    for _ in range(1 if is_once and not bench.is_full else rounds):
        for server in [each for each in servers if each.name in (report.OWN, *BESIDE_OWN.get(name, ()))]:
            try:
                results.setdefault(server.name, []).append(run(bench, server))
            except NotThere as reason:
                results.setdefault("missing", str(reason))
            except Failure as failure:
                print(f"  {name}, {server.name}: {failure}", flush=True)
    return results


def measure(bench, name, servers, rounds):
    """All servers in turn, so many times: what disturbs the machine for a while disturbs all of them."""
    if name in OWN_ARRANGEMENTS:
        return measure_alone(bench, name, servers, rounds)
    run, transport, is_once = MEASUREMENTS[name]
    results = {}
    for _ in range(1 if is_once and not bench.is_full else rounds):
        for server in servers:
            if transport not in server.transports:
                continue
            try:
                server.start()
                results.setdefault(server.name, []).append(run(bench, server))
            except Failure as failure:
                print(f"  {name}, {server.name}: {failure}", flush=True)
            finally:
                server.stop()
    return results


def about(servers, rounds, stolen):
    """Versions, and how undisturbed the machine was: without them nobody knows what the figures are worth."""
    versions = "".join(f" {server.name} {server.version()}." for server in servers if server.version())
    return (
        f"Medians of {rounds} rounds, but one for rows that take long.{versions} The machine's host took at most {stolen:.1%} of the "
        "processors' time in a run.")


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if os.cpu_count() <= GENERATOR_PROCESSOR:
        sys.exit("cluster/bench needs two processors: one for the server and one for the load generator")
    bench = Bench(options)
    servers = chosen_servers(bench, options.servers)
    rows = wanted([each for each in options.only.split(",") if each], bench.is_full)
    data = {"full": bench.is_full, "measurements": {}}
    for name in dict.fromkeys(row.measurement for row in rows):
        print(f"measuring {name}", flush=True)
        data["measurements"][name] = measure(bench, name, servers, options.rounds)
        # At once, so that a run that is cut short leaves what it has.
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
    runs = [run for each in data["measurements"].values() for name, of_server in each.items() if name != "missing" for run in of_server]
    data["about"] = about(servers, options.rounds, max((run.get("stolen", 0) for run in runs), default=0))
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
    if options.picture:
        with open(options.picture, "w", encoding="utf-8") as file:
            file.write(picture(data, rows))
    table = report.table(data, rows)
    print("\n" + table)
    if options.table:
        with open(options.table, "w", encoding="utf-8") as file:
            file.write(table + "\n")
    # What was to be measured of Ringpost and could not be.
    own = any(server.name == report.OWN for server in servers)
    return 1 if own and any(report.OWN not in each and "missing" not in each for each in data["measurements"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
