"""Checks the measured growth of the server against what is promised."""

from math import log

from bench.promises import Verdict, told

# What grows, and the operation on one of them by its id.
BY_ID = (("ships", "get"), ("ships", "put"), ("users", "get"))
# Beyond a tree's share, which is the logarithm.
SLACK = 1.15
REVOKED_FROM, REVOKED_TIMES, REVOKED_BYTES = 100_000, 3.0, 64


def rows(results, grown):
    """From the smallest to the largest."""
    return sorted((row for row in results["rows"] if row["grown"] == grown), key=lambda row: row["n"])


def verdicts(results):
    return [_by_id(results, *what) for what in BY_ID] + [_revoked_cost(results), _revoked_bytes(results)]


def _cost(found, what, bound):
    """The cost at the largest, against that at the smallest."""
    if len(found) < 2:
        return Verdict(False, f"{what}: not measured")
    (least, first), (most, last) = found[0], found[-1]
    most_times = bound(least, most)
    return Verdict(
        last / first <= most_times,
        f"{what}: {last / first:.3g} times the CPU at {most:,} as at {least:,} (at most {most_times:.3g});"
        f" {first:.4g} and {last:.4g} µs")


def _by_id(results, grown, operation):
    found = [(row["n"], row[operation]["median"]) for row in rows(results, grown) if row.get(operation)]
    return _cost(found, f"{operation.upper()} by id, {grown}", lambda least, most: log(most) / log(least) * SLACK)


def _revoked_cost(results):
    found = [(row["n"], row["put"]["median"]) for row in rows(results, "revocations") if row["n"] >= REVOKED_FROM]
    if len(found) == 1 and found[0][0] == REVOKED_FROM:
        return Verdict(None, f"PUT, revocations: no more than {REVOKED_FROM:,} were requested")
    if found and found[0][0] != REVOKED_FROM:
        found = []
    return _cost(found, "PUT, revocations", lambda *_: REVOKED_TIMES)


def _revoked_bytes(results):
    found = [row for row in rows(results, "revocations") if row["n"] >= REVOKED_FROM]
    if not found:
        return Verdict(False, "bytes a revoked token: not measured")
    row = found[-1]
    return Verdict(
        row["bytes_each"] <= REVOKED_BYTES,
        f"bytes a revoked token, of {row['n']:,}: {row['bytes_each']:.3g} (at most {REVOKED_BYTES})")


def check(results, tell=print):
    """Prints each; whether all are kept."""
    return told(verdicts(results), tell)
