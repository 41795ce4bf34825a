"""What a run leaves behind: results.json, plots, and the tables between two marks in a document."""

import json
import subprocess

from bench import BENCHES, ROOT
from bench.build import venv
from bench.peers import VENVS
from bench.tables import render

DOCUMENT = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


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


def replaced(text, tables):
    """The document with these tables between its marks; with marks, if it has none."""
    if BEGIN not in text or END not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n".lstrip()
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def write_tables(results, document=DOCUMENT):
    text = document.read_text() if document.is_file() else "# Performance\n"
    document.write_text(replaced(text, render(results)))


def write_plots(results_path, folder):
    """In an environment of their own: what draws is no part of what measures."""
    venv(VENVS / "plots", BENCHES / "requirements.txt")
    subprocess.run(
        [VENVS / "plots" / "bin" / "python", "-m", "bench.plots", results_path, folder], cwd=BENCHES, check=True)
