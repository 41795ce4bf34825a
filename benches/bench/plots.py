"""The plots, as SVG that is the same whenever it is drawn from the same figures.

usage: python -m bench.plots RESULTS.json FOLDER
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, LogLocator

from bench.summary import Results

STYLE = {
    "svg.hashsalt": "shipyard", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "axes.grid": True,
    "grid.color": "#dddddd", "grid.linewidth": 0.6, "figure.facecolor": "white", "savefig.facecolor": "white",
}
# The palette of Okabe and Ito, which colour-blind readers can tell apart.
COLOURS = {
    "shipyard": "#0072B2", "shipyard-uncached": "#6A5ACD", "hyper": "#999999", "rocket": "#555555",
    "axum": "#D55E00", "actix": "#E69F00",
    "flask": "#009E73", "fastapi": "#56B4E9", "express": "#CC79A7", "json-server": "#B8A800",
}
SHADES = ("#0072B2", "#E69F00", "#999999")
OWN = "shipyard"
PLOTS = ("cpu.svg", "list-10000.svg", "p99.svg")
FLOORS = {"hyper": "hyper (floor)", "rocket": "rocket (floor)"}


def plain(value, _=None):
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def name(peer):
    return FLOORS.get(peer, peer)


def save(figure, path):
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)
    # matplotlib ends some lines with a space.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def bars(found, path, workloads, connections, title):
    """CPU time a request: a group for each peer, in it a bar for each workload."""
    values = {
        workload: {peer: found.figure("cpu_us", workload, connections, peer) for peer in found.peers}
        for workload in workloads}
    peers = [peer for peer in found.peers if any(of[peer] for of in values.values())]
    if not peers:
        return
    height = 0.8 / len(workloads)
    figure, axes = pyplot.subplots(figsize=(8, 0.6 + len(peers) * (0.2 + 0.17 * len(workloads))))
    for turn, (workload, colour) in enumerate(zip(workloads, SHADES)):
        for row, peer in enumerate(peers):
            if value := values[workload][peer]:
                at = row + (turn - (len(workloads) - 1) / 2) * height
                axes.barh(at, value, height * 0.92, color=colour, label=workload if row == 0 else None)
                axes.annotate(
                    plain(round(value, 1)), (value, at), xytext=(3, 0), textcoords="offset points", va="center",
                    fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.margins(y=0.02)
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.set_yticks(range(len(peers)), [name(peer) for peer in peers])
    for label, peer in zip(axes.get_yticklabels(), peers):
        label.set_fontweight("bold" if peer == OWN else "normal")
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.set_xlabel("CPU time of the server, µs a request (log scale)")
    axes.set_title(title, loc="left", fontsize=11)
    if len(workloads) > 1:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    save(figure, path)


def lines(found, path, workload, title):
    """p99 against the number of connections."""
    connections = sorted({count for of, count, _ in found.cells if of == workload})
    figure, axes = pyplot.subplots(figsize=(8, 4.6))
    drawn = 0
    for peer in found.peers:
        points = [(count, found.figure("p99_us", workload, count, peer)) for count in connections]
        points = [(count, value / 1000) for count, value in points if value]
        if points:
            drawn += 1
            axes.plot(
                *zip(*points), marker="o", markersize=4, label=name(peer), color=COLOURS.get(peer, "black"),
                linewidth=2.6 if peer == OWN else 1.3, linestyle="--" if peer in FLOORS else "-")
    if drawn:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(connections, [str(count) for count in connections])
        axes.xaxis.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.yaxis.set_major_formatter(FuncFormatter(plain))
        axes.yaxis.minorticks_off()
        axes.set_xlabel("connections")
        axes.set_ylabel("p99, ms (log scale)")
        axes.set_title(title, loc="left", fontsize=11)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        save(figure, path)
    pyplot.close(figure)


def main(results, folder):
    found, folder = Results(json.loads(Path(results).read_text())), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in PLOTS:
        (folder / old).unlink(missing_ok=True)
    with matplotlib.rc_context(STYLE):
        bars(found, folder / PLOTS[0], ("get", "put", "refresh"), 32, "CPU time a request, 32 connections")
        bars(found, folder / PLOTS[1], ("list-10000",), 32, "CPU time of a list of 10,000 ships, 32 connections")
        lines(found, folder / PLOTS[2], "get", "get: 99 % of the answers come within")


if __name__ == "__main__":
    main(*sys.argv[1:])
