"""growth.svg: cost and memory against the number of each thing that grows, side by side.

usage: python -m bench.growth_plot GROWTH.json FOLDER
"""

import json
import sys
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, NullLocator

from bench.plots import SHADES, STYLE, plain, save

GROWN = ("ships", "users", "revocations", "connections")
OPERATIONS = ("get", "put")


def short(value):
    """1k for 1000, 1M for 1,000,000."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def small(axes, found, values, label, colour):
    points = [(row["n"], value) for row in found if (value := values(row)) is not None]
    if points:
        axes.plot(*zip(*points), marker="o", markersize=4, linewidth=1.8, label=label, color=colour)


def column(above, below, found, grown):
    for operation, colour in zip(OPERATIONS, SHADES):
        small(above, found, lambda row: row[operation]["median"] if operation in row else None,
              operation.upper(), colour)
    small(below, found, lambda row: row["memory_mb"], None, SHADES[0])
    numbers = sorted({row["n"] for row in found})
    for axes in (above, below):
        if numbers[0] > 0:
            axes.set_xscale("log")
        else:
            # A place for 0, left of the powers of ten.
            axes.set_xscale("symlog", linthresh=numbers[1] if len(numbers) > 1 else 1, linscale=0.5)
        axes.set_xticks(numbers, [short(number) for number in numbers])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(plain))
        axes.set_ylim(bottom=0, top=axes.get_ylim()[1] * 1.1)
    above.set_title(grown, loc="left", fontsize=11)


def main(results, folder):
    results = json.loads(Path(results).read_text())
    columns = [(grown, sorted(found, key=lambda row: row["n"])) for grown in GROWN
               if (found := [row for row in results["rows"] if row["grown"] == grown])]
    with matplotlib.rc_context(STYLE):
        figure, grid = pyplot.subplots(2, len(columns), figsize=(2.6 * len(columns), 5), squeeze=False)
        for (above, below), (grown, found) in zip(zip(*grid), columns):
            column(above, below, found, grown)
        grid[0][0].set_ylabel("CPU time, µs a request")
        grid[1][0].set_ylabel("memory, MB")
        # A row shares the measure of its cost, so that the eye can compare.
        top = max(axes.get_ylim()[1] for axes in grid[0])
        for axes in grid[0]:
            axes.set_ylim(0, top)
        grid[0][0].legend(frameon=False, fontsize=8, loc="lower right")
        figure.tight_layout()
        save(figure, Path(folder) / "growth.svg")


if __name__ == "__main__":
    main(*sys.argv[1:])
