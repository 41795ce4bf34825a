"""What a run of growth leaves behind: growth.json, growth.svg, and a table between two marks in the document."""

import datetime
import os
import subprocess
import tempfile
import time
from dataclasses import replace

from server import NotMeasured

from bench import BENCHES, growth_promises, machine
from bench.build import build, venv
from bench.growth import QUICK, Growth, Sizes, stages
from bench.growth_promises import rows
from bench.measure import Failed
from bench.peers import LOAD, VENVS
from bench.process import LOAD_CORE, SERVER_CORE, NotStarted
from bench.report import dumps, write_tables
from bench.tables import number, table
from bench.tables import time as duration

MARK = "growth"
KEPT = {True: "Kept", False: "Not kept", None: "Not measured"}


def measure(chosen, words, folder, into_document):
    """Measures and writes; whether all promises are kept."""
    if not chosen.no_build:
        build(())
    sizes = replace(QUICK if chosen.quick else Sizes(), revocations=stages(chosen.revocations))
    if not LOAD.is_file():
        raise NotMeasured(f"{LOAD} is not there")
    os.sched_setaffinity(0, {LOAD_CORE})
    commit, others = machine.commit(), machine.Others((SERVER_CORE, LOAD_CORE))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as data:
        growth = Growth(sizes, data, tell=lambda line: print(line, flush=True))
        try:
            growth.run()
        except (Failed, NotStarted) as error:
            raise NotMeasured(str(error)) from error
    results = {
        "date": datetime.date.today().isoformat(), "command": " ".join(["benches/run", *words]), **commit,
        "machine": machine.machine(), "options": vars(sizes), "others_percent": round(others.percent(), 1),
        "minutes": round((time.monotonic() - began) / 60, 1), "rows": growth.rows}
    return again(results, folder, into_document)


def again(results, folder, into_document):
    """Table and plot of what was measured; whether all promises are kept."""
    write(results, folder, into_document)
    return growth_promises.check(results)


def write(results, folder, into_document):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "growth.json"
    path.write_text(dumps(results) + "\n")
    if into_document:
        write_tables(render(results), {"growth.svg": "Cost and memory by size"}, MARK)
    else:
        print(render(results))
    venv(VENVS / "plots", BENCHES / "requirements.txt")
    subprocess.run(
        [VENVS / "plots" / "bin" / "python", "-m", "bench.growth_plot", path.resolve(), folder.resolve()], cwd=BENCHES,
        check=True)


def render(results):
    """Markdown: a sentence, a table, what is promised."""
    options, of = results["options"], results["machine"]
    said = (
        f"Measured on {results['date']} at commit {results['commit'][:12]}"
        f"{' with changes' if results['changed'] else ''}: {of['cores']} cores ({of['cpu']}, {of['memory_gb']} GB),"
        f" 32 connections where not said otherwise, medians of {options['rounds']} rounds of {options['seconds']:g} s"
        f" each. Other programs took {results['others_percent']:g} % of the two cores meanwhile.")
    heads = ["", "CPU of a GET, µs", "CPU of a PUT, µs", "memory", "start to the first answer", "bytes each"]
    lines = [
        [f"{row['n']:,} {grown}", _cost(row, "get"), _cost(row, "put"), f"{row['memory_mb']:,.0f} MB",
         duration(row["start_ms"] * 1000) if "start_ms" in row else "",
         number(row["bytes_each"]) if "bytes_each" in row else ""]
        for grown in ("ships", "users", "revocations", "connections") for row in rows(results, grown)]
    promised = "\n".join(
        f"- {KEPT[verdict.kept]}: {verdict.text}." for verdict in growth_promises.verdicts(results))
    return "\n\n".join([
        said, table(heads, lines),
        "Memory is that after the start or the logouts, and with connections the highest.", promised])


def _cost(row, operation):
    return number(row[operation]["median"]) if operation in row else ""
