"""The command line."""

import argparse
import contextlib
import datetime
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from server import NotMeasured

from bench import BENCHES, canned, growth_report, machine, promises, report, sql_report, summary
from bench.build import NotBuilt, build
from bench.measure import Measurement, Options
from bench.peers import all_peers
from bench.process import LOAD_CORE, SERVER_CORE
from bench.tables import render
from bench.workloads import CONNECTIONS, NAMES, Data

ROUNDS = 5
STARTS = 5
REVOCATIONS = 1_000_000
# Percent of the cores that other programs may take without a warning.
QUIET = 5
PARTIAL = BENCHES / "target" / "partial"

DESCRIPTION = """\
Measures the server next to its peers: CPU time a request, requests a second, latencies, memory, start-up.
The server under measurement has core 0 to itself, `load` core 1. Every response is checked.

A whole run writes docs/performance/results.json, the plots next to it, and the tables in docs/performance.md. A
partial run writes into benches/target/partial, and prints its tables.
"""


def arguments(words):
    parser = argparse.ArgumentParser(
        prog="benches/run", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)

    def some(of, kind=str):
        def chosen(text):
            wanted = tuple(kind(word) for word in text.split(","))
            if unknown := [str(word) for word in wanted if of and word not in of]:
                raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(of)}")
            return wanted
        return chosen

    names = tuple(all_peers())
    parser.add_argument("--peers", type=some(names), default=names, help=f"of {','.join(names)}")
    parser.add_argument("--workloads", type=some(NAMES), default=NAMES, help=f"of {','.join(NAMES)}")
    parser.add_argument("--connections", type=some((), int), default=CONNECTIONS, help="concurrent connections: 1,32,256")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--seconds", type=float, default=1.0, help="measuring time of each cell in seconds; default 1")
    parser.add_argument("--warmup", type=float, default=0.2, help="warm-up before that in seconds; default 0.2")
    parser.add_argument("--starts", type=int, default=STARTS, help=f"starts of each server alone; default {STARTS}")
    parser.add_argument("--seed", type=int, help="seed of the order of the peers; default the time")
    parser.add_argument("--quick", action="store_true", help="one round of 0.3 s, as a quick check")
    parser.add_argument("--no-build", action="store_true", help="skip builds and installations")
    parser.add_argument("--out", type=Path, help="folder for results and plots")
    parser.add_argument("--report-only", type=Path, metavar="RESULTS", help="tables and plots of that file; measures nothing")
    parser.add_argument(
        "--check", type=Path, nargs="?", const=report.FOLDER / "results.json", metavar="RESULTS",
        help="check that file (default: that of the last whole run) against the promises; exit code 1 if one is not kept")
    parser.add_argument(
        "--growth", action="store_true",
        help="instead: cost and memory with many ships, users, logged-out tokens, connections; exit code 1 if a promise"
        " is not kept")
    parser.add_argument(
        "--sql", action="store_true",
        help="instead: in memory, on PostgreSQL with one node and with three, and axum with sqlx on PostgreSQL; exit code 1 if"
        " CPU time or p99 of one node is above that of axum with sqlx")
    parser.add_argument(
        "--revocations", type=int, default=REVOCATIONS, metavar="N",
        help=f"how many tokens --growth logs out, from 100000; default {REVOCATIONS}")
    chosen = parser.parse_args(words)
    if chosen.quick:
        chosen.rounds, chosen.seconds, chosen.warmup, chosen.starts = 1, 0.3, 0.1, 1
    return chosen


def main(words=None):
    """Exit code: 0 done, 1 a promise is not kept, 2 it could not be measured."""
    words = sys.argv[1:] if words is None else words
    chosen = arguments(words)
    # Exits by an exception, so that the servers are stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        if chosen.growth:
            return 0 if _instead(chosen, words, growth_report) else 1
        if chosen.sql:
            if chosen.connections == CONNECTIONS:
                chosen.connections = (1, 32)
            return 0 if _instead(chosen, words, sql_report) else 1
        if chosen.check:
            return 0 if promises.check(json.loads(chosen.check.read_text())) else 1
        if chosen.report_only:
            results = json.loads(chosen.report_only.read_text())
            return _report(results, chosen.report_only, chosen.out or report.FOLDER, whole=chosen.out is None)
        return _measure(chosen, words)
    except (NotBuilt, NotMeasured, OSError) as error:
        print(f"benches/run: {error}", file=sys.stderr)
        return 2


def _is_whole(chosen):
    everything = (tuple(all_peers()), NAMES, CONNECTIONS)
    return (chosen.peers, chosen.workloads, chosen.connections) == everything and chosen.rounds >= ROUNDS


def _need_cores():
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise NotMeasured(f"cores {SERVER_CORE} and {LOAD_CORE} are needed")


def _measure(chosen, words):
    _need_cores()
    if not chosen.no_build:
        build(chosen.peers)
    options = Options(
        chosen.peers, chosen.workloads, chosen.connections, chosen.rounds, chosen.seconds, chosen.warmup, chosen.starts,
        int(time.time()) if chosen.seed is None else chosen.seed)
    print(f"seed {options.seed}", flush=True)
    # The core of `load`, which this process starts; it sends few requests itself.
    os.sched_setaffinity(0, {LOAD_CORE})
    commit = machine.commit()
    began, others = time.monotonic(), machine.Others((SERVER_CORE, LOAD_CORE))
    peers = all_peers()
    with tempfile.TemporaryDirectory() as folder:
        data = Data(folder)
        answers = canned.write(data, peers["shipyard"], Path(folder))
        measurement = Measurement(options, peers, data, answers, tell=_tell)
        measurement.run()
    results = {
        "date": datetime.date.today().isoformat(), "command": " ".join(["benches/run", *words]), **commit,
        "machine": machine.machine(), "versions": machine.versions(chosen.peers),
        "options": {name: value for name, value in vars(options).items() if name not in ("peers", "workloads")},
        "others_percent": round(others.percent(), 1), "minutes": round((time.monotonic() - began) / 60, 1),
        "peers": {name: _peer(measurement, name) for name in chosen.peers},
        "cells": summary.cells(measurement.cells),
    }
    if results["others_percent"] > QUIET:
        print(f"Other programs took {results['others_percent']} % of the cores: the latencies are theirs as well.")
    whole = _is_whole(chosen) and chosen.out is None
    folder = report.FOLDER if whole else chosen.out or PARTIAL
    return _report(results, report.write_results(results, folder), folder, whole)


def _instead(chosen, words, what):
    """Whether all promises are kept."""
    whole = not chosen.quick and chosen.out is None
    folder = report.FOLDER if whole else chosen.out or PARTIAL
    if chosen.report_only:
        return what.again(json.loads(chosen.report_only.read_text()), folder, whole)
    _need_cores()
    return what.measure(chosen, words, folder, whole)


def _tell(line):
    print(line, flush=True)


def _peer(measurement, name):
    peer = measurement.peers[name]
    figures = {figure: summary.spread(values, 1) for figure, values in measurement.found[name].items()}
    return {"floor": peer.floor, **figures, "installed_mb": round(peer.size() / 1e6, 1)}


def _report(results, path, folder, whole):
    if whole:
        report.write_tables(render(results))
    else:
        print(render(results))
    report.write_plots(path.resolve(), folder.resolve())
    with contextlib.suppress(ValueError):
        folder = folder.resolve().relative_to(Path.cwd())
    print(f"\nwritten: {folder}")
    return 0
