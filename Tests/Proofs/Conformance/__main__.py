# Drives a running node with peers that aren't ours, and says of each case whether it held. See cluster/conformance.
import argparse
import itertools
import time

import handshake_cases
import http_cases
import http_reading_cases
import text_cases
import websocket_cases
from harness import Node, Unexpected


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def run(name, case):
    try:
        case()
    except Unexpected as failure:
        print(f"FAIL  {name}: {failure}", flush=True)
        return False
    except Exception as error:
        # A case that breaks has not shown that its clause holds.
        print(f"FAIL  {name}: expected the case to end; came {type(error).__name__}: {error}", flush=True)
        return False
    print(f"ok    {name}", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(prog="conformance", description="RFC 6455 and RFC 9112 against a running node.")
    parser.add_argument("--client", required=True, type=address, help="host:port of its client port")
    parser.add_argument("--api", required=True, type=address, help="host:port of its API port")
    parser.add_argument("--filter", default="", help="only cases whose name has this text")
    options = parser.parse_args()
    node = Node(options.client, options.api)
    modules = [handshake_cases, websocket_cases, text_cases, http_cases, http_reading_cases]
    began = time.monotonic()
    results = []
    for name, case in itertools.chain.from_iterable(module.cases(node) for module in modules):
        if options.filter in name:
            results.append(run(name, case))
    failed = results.count(False)
    print(f"{len(results) - failed} passed, {failed} failed, {time.monotonic() - began:.1f} s")
    if not results:
        raise SystemExit(f"no case has {options.filter!r} in its name")
    raise SystemExit(1 if failed else 0)


main()
