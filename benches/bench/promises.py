"""Checks the measured speed of the server against what is promised."""

from dataclasses import dataclass

from bench.summary import Results
from bench.tables import counted

OWN = "shipyard"
PROMISED_AT = 32
MENTIONED_AT = (1, 256)
WORKLOADS = ("get", "put", "refresh")
# Figure, whose, of whose, and the least or most of the ratio. `None` is no bound.
RATIOS = (
    ("cpu_us", OWN, "axum", None, 1.0),
    ("cpu_us", OWN, "hyper", None, 1.6),
    ("cpu_us", "flask", OWN, 15, None),
    ("cpu_us", "fastapi", OWN, 10, None),
    ("cpu_us", "express", OWN, 4, None),
    ("cpu_us", "json-server", OWN, 4, None),
    ("p99_us", OWN, "axum", None, 1.0),
)
LIST = ("cpu_us", OWN, "hyper", None, 1.2)
STARTS = (("start_ms", "start-up", 50, "ms"), ("idle_mb", "idle memory", 15, "MB"))
WORDS = {"cpu_us": "CPU a request", "p99_us": "p99"}


@dataclass(frozen=True)
class Verdict:
    """`kept` is None where nothing is promised."""

    kept: bool | None
    text: str

    def __str__(self):
        return f"{ {True: 'kept', False: 'NOT KEPT', None: '-'}[self.kept]:9}{self.text}"


def verdicts(results):
    """One for each promise, and one for each figure that is only mentioned."""
    found = Results(results)
    judged = [_all_rows(results)]
    for connections in (PROMISED_AT, *MENTIONED_AT):
        judged += [_ratio(found, workload, connections, *ratio) for workload in WORKLOADS for ratio in RATIOS]
        judged.append(_ratio(found, "list-10000", connections, *LIST))
    return judged + [_start(found, *start) for start in STARTS]


def _all_rows(results):
    out = [
        f"{cell['workload']} at {cell['connections']}: {cell['failed']}"
        for cell in results["cells"] if cell["peer"] == OWN and cell["failed"]]
    return Verdict(not out, f"{OWN} answers right in every row{': ' if out else ''}{'; '.join(out)}")


def _within(value, least, most):
    return (least is None or value >= least) and (most is None or value <= most)


def _ratio(found, workload, connections, figure, whose, other, least, most):
    value = found.ratio(figure, workload, connections, whose, other)
    bound = f"at least {least:g}" if least is not None else f"at most {most:g}"
    text = f"{workload}, {counted(connections)}: {WORDS[figure]} of {whose} against {other}"
    if value is None:
        text += f": not measured ({bound})"
    else:
        mine, theirs = (found.figure(figure, workload, connections, name) for name in (whose, other))
        text += f": {value:.3g} times ({bound}); {mine:.4g} and {theirs:.4g} µs"
    kept = value is not None and _within(value, least, most)
    return Verdict(kept if connections == PROMISED_AT else None, text)


def _start(found, figure, words, most, unit):
    value = found.start(figure, OWN)
    told = "not measured" if value is None else f"{value:.3g} {unit}"
    return Verdict(value is not None and value <= most, f"{words} of {OWN}: {told} (at most {most:g} {unit})")


def check(results, tell=print):
    """Prints each; whether all are kept."""
    return told(verdicts(results), tell)


def told(judged, tell):
    for verdict in judged:
        tell(verdict)
    return all(verdict.kept is not False for verdict in judged)
