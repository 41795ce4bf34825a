"""What a comparison on SQL leaves behind: sql.json, and a table between two marks in docs/scale-out.md."""

import datetime
import os
import tempfile
import time
from statistics import median

from bench import ROOT, machine
from bench.build import build_sql
from bench.postgres import Postgres
from bench.process import LOAD_CORE, SERVER_CORE
from bench.report import dumps, replaced
from bench.sql import POOL, SUBJECTS, WORKLOADS, Comparison, Options, summarized
from bench.tables import counted, number, table
from bench.tables import time as duration
from bench.workloads import Data

DOCUMENT = ROOT / "docs" / "scale-out.md"
MARK = "sql"
# Shipyard, the peer, and by how much it may be above: noise of the measurement.
RIVALS, NOISE = ("sql-1", "axum-sql"), 1.0
TITLES = {
    "get": "`GET /api/ships/1` to `15` in turn",
    "put": "`PUT /api/ships/1` to `15` in turn, with an access token",
    "put-one": "`PUT /api/ships/1`: one row",
    "refresh": "`POST /auth/refresh`",
    "login": "`POST /auth/login`",
}
NAMES = {
    "memory": "Shipyard in memory", "sql-1": "Shipyard on SQL, one node", "sql-3": "Shipyard on SQL, three nodes",
    "axum-sql": "axum and sqlx, one node"}


def measure(chosen, words, folder, into_document):
    """Measures and writes; whether the CPU time and p99 of one node are not above those of the peer."""
    if not chosen.no_build:
        build_sql()
    os.sched_setaffinity(0, {LOAD_CORE})
    options = Options(
        chosen.rounds, chosen.seconds, chosen.warmup, chosen.connections, int(time.time()) if chosen.seed is None else chosen.seed)
    commit, others, began = machine.commit(), machine.Others((SERVER_CORE, LOAD_CORE)), time.monotonic()
    with tempfile.TemporaryDirectory() as data, Postgres(LOAD_CORE) as postgres:
        comparison = Comparison(options, postgres, Data(data), tell=lambda line: print(line, flush=True))
        comparison.run()
        version = postgres.version()
    results = {
        "date": datetime.date.today().isoformat(), "command": " ".join(["benches/run", *words]), **commit,
        "machine": machine.machine(), "versions": machine.versions(("shipyard", "axum-sql")) | {"postgres": version},
        "options": vars(options) | {"pool": POOL}, "others_percent": round(others.percent(), 1),
        "minutes": round((time.monotonic() - began) / 60, 1), "memory_mb": comparison.memory,
        "cells": summarized(comparison.cells)}
    return again(results, folder, into_document)


def again(results, folder, into_document):
    """The tables of what was measured; whether the promise is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sql.json").write_text(dumps(results) + "\n")
    rendered = render(results)
    if into_document and DOCUMENT.is_file():
        DOCUMENT.write_text(replaced(DOCUMENT.read_text(), rendered, MARK))
    else:
        print(rendered)
    found = list(verdicts(results))
    for kept, text in found:
        print(f"{'Kept' if kept else 'Not kept'}: {text}")
    return all(kept for kept, _ in found)


def verdicts(results):
    """For each row and both figures: whether Shipyard's median of the ratios within a round is at most 1."""
    cells = {(cell["workload"], cell["connections"], cell["subject"]): cell for cell in results["cells"]}
    for (workload, connections, subject), ours in cells.items():
        theirs = cells.get((workload, connections, RIVALS[1]))
        if subject != RIVALS[0] or theirs is None:
            continue
        row = f"{workload}, {counted(connections)}"
        if ours["failed"] or theirs["failed"]:
            yield ours["failed"] is None, f"{row}: {ours['failed'] or theirs['failed']}"
            continue
        for figure, name in (("cpu_us", "CPU time of the node"), ("p99_us", "p99")):
            rounds = zip(ours[figure]["rounds"], theirs[figure]["rounds"])
            ratio = median(mine / other for mine, other in rounds)
            yield ratio <= NOISE, f"{row}: {name} is {number(ratio)} times the peer's"


def render(results):
    """Markdown: a sentence, and a table for each workload."""
    options, of = results["options"], results["machine"]
    crates = results["versions"]["peers"].get("axum-sql", {})
    said = (
        f"Measured on {results['date']} at commit {results['commit'][:12]}{' with changes' if results['changed'] else ''}:"
        f" {of['cores']} cores ({of['cpu']}, {of['memory_gb']} GB), medians of {options['rounds']} rounds of"
        f" {options['seconds']:g} s, PostgreSQL {results['versions']['postgres']} with its default settings,"
        f" {options['pool']} connections a node, sqlx"
        f" {crates.get('sqlx', '?')}, axum {crates.get('axum', '?')}. Other programs took {results['others_percent']:g} % of the two"
        f" cores meanwhile. The highest memory of all nodes of a row: "
        + ", ".join(f"{NAMES[name]} {results['memory_mb'][name]} MB" for name in SUBJECTS) + ".")
    heads = ["", "CPU of the nodes, µs a request", "CPU of PostgreSQL, µs a request", "requests/s", "p50", "p99"]
    parts = [said]
    for workload in WORKLOADS:
        for connections in options["connections"]:
            cells = [
                cell for name in SUBJECTS for cell in results["cells"]
                if (cell["workload"], cell["connections"], cell["subject"]) == (workload, connections, name)]
            parts.append(f"#### {TITLES[workload]}; {counted(connections)}\n\n{table(heads, list(map(_row, cells)))}")
    return "\n\n".join(parts)


def _row(cell):
    name = NAMES[cell["subject"]]
    if cell["failed"]:
        return [name, f"out: {cell['failed']}", "", "", "", ""]
    database = "" if cell["subject"] == "memory" else number(cell["database_cpu_us"]["median"])
    return [
        name, number(cell["cpu_us"]["median"]), database, f"{cell['requests_s']['median']:,.0f}",
        duration(cell["p50_us"]["median"]), duration(cell["p99_us"]["median"])]
