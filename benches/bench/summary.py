"""From the reports of all rounds to the figures: medians, and between which bounds they lie."""

from statistics import median

FLOOR, RIVAL = "hyper", "axum"
# Name, and how it comes from a report of `load`.
FIGURES = {
    "cpu_us": lambda report: report["cpu_s"] * 1e6 / report["requests"],
    "requests_s": lambda report: report["requests"] / report["seconds"],
    "p50_us": lambda report: report["p50_us"],
    "p99_us": lambda report: report["p99_us"],
    "p999_us": lambda report: report["p999_us"],
    "load_cpu_us": lambda report: report["own_cpu_s"] * 1e6 / report["requests"],
}


def spread(values, digits=2):
    """None if there are no values."""
    if not values:
        return None
    rounded = [round(value, digits) for value in values]
    return {
        "median": round(median(values), digits), "min": min(rounded), "max": max(rounded), "rounds": rounded}


def cells(measured):
    """A list of cells, each with its figures or with the reason why it has none."""
    return [_cell(key, reports) for key, reports in measured.items()]


def _cell(key, reports):
    cell = dict(zip(("workload", "connections", "peer"), key))
    if isinstance(reports, str):
        return cell | {"failed": reports}
    cell["failed"] = None
    cell["requests"] = [report["requests"] for report in reports]
    cell["reconnects"] = sum(report["reconnects"] for report in reports)
    return cell | {name: spread([of(report) for report in reports]) for name, of in FIGURES.items()}


class Results:
    """The cells of a results file, for look-ups."""

    def __init__(self, results):
        self.cells = {(cell["workload"], cell["connections"], cell["peer"]): cell for cell in results["cells"]}
        self.peers = results["peers"]

    def cell(self, workload, connections, peer):
        """None if it was not measured; its `failed` says why it has no figures."""
        return self.cells.get((workload, connections, peer))

    def figure(self, name, workload, connections, peer):
        """The median, or None."""
        cell = self.cell(workload, connections, peer)
        return None if cell is None or cell["failed"] else cell[name]["median"]

    def ratio(self, name, workload, connections, peer, other):
        """How many times the figure of the other: the median of the ratios within each round, or None."""
        one, two = self.cell(workload, connections, peer), self.cell(workload, connections, other)
        if one is None or two is None or one["failed"] or two["failed"]:
            return None
        return median(mine / theirs for mine, theirs in zip(one[name]["rounds"], two[name]["rounds"], strict=True))

    def start(self, name, peer):
        found = self.peers.get(peer, {}).get(name)
        return found and found["median"]
