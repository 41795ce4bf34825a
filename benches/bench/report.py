"""What a run leaves behind: results.json, plots, and the tables between two marks in a document."""

import json
import subprocess

from bench import BENCHES, ROOT
from bench.build import venv
from bench.peers import VENVS

DOCUMENT = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"
MARK = "measured"
PLOTS = {"cpu.svg": "CPU time a request", "p99.svg": "p99 by connections", "list-10000.svg": "10,000 ships"}


def write_results(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    path.write_text(dumps(results) + "\n")
    return path


def dumps(value, indent=0):
    """As json.dumps with an indent of 1, but what has no list or object of its own that is long stays on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= 118 or not isinstance(value, (dict, list)):
        return flat
    space = " " * (indent + 1)
    if isinstance(value, list):
        lines, (begin, end) = [dumps(item, indent + 1) for item in value], "[]"
    else:
        lines = [f"{json.dumps(name)}: {dumps(item, indent + 1)}" for name, item in value.items()]
        begin, end = "{}"
    return f"{begin}\n" + ",\n".join(space + line for line in lines) + f"\n{' ' * indent}{end}"


def replaced(text, tables, mark=MARK):
    """The document with these tables between its marks; with marks, if it has none."""
    begin, end = (f"<!-- {mark}: {word} -->" for word in ("begin", "end"))
    if begin not in text or end not in text:
        text = f"{text.rstrip()}\n\n{begin}\n{end}\n".lstrip()
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    return f"{before}{begin}\n\n{tables}\n\n{end}{after}"


def write_tables(tables, plots=PLOTS, mark=MARK):
    """Tables and plots into the document, between its marks."""
    text = DOCUMENT.read_text() if DOCUMENT.is_file() else "# Performance\n"
    shown = [f"![{title}]({FOLDER.name}/{plot})" for plot, title in plots.items()]
    DOCUMENT.write_text(replaced(text, "\n\n".join([tables, *shown]), mark))


def write_plots(results_path, folder):
    """In an environment of their own: what draws is no part of what measures."""
    venv(VENVS / "plots", BENCHES / "requirements.txt")
    subprocess.run(
        [VENVS / "plots" / "bin" / "python", "-m", "bench.plots", results_path, folder], cwd=BENCHES, check=True)
