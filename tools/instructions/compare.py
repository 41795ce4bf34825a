"""Compares instruction counts with a baseline."""

# How far a count may be above or below the baseline. With the same tools, two counts of one program differ by less
# than 1 %.
LIMIT = 0.10
# The same if the compiler, libc or valgrind differ, which changes the count by itself. 50 % more work is still found.
LIMIT_WITH_OTHER_TOOLS = 0.25


class NotComparable(Exception):
    """Why the counts cannot be compared."""


def differences(baseline, now):
    """A line for each property of the environment that differs between the baseline and this run."""
    return [
        f"{name}: {baseline.get(name, 'unknown')} in the baseline, {now.get(name, 'unknown')} here"
        for name in sorted(baseline.keys() | now.keys())
        if baseline.get(name) != now.get(name)
    ]


def compare(baseline, now):
    """Returns the lines to print, and whether the counts are within the limit.

    Both are {"environment": {tool: version}, "instructions": {request: count}}.
    """
    before, after = baseline["instructions"], now["instructions"]
    if before.keys() != after.keys():
        raise NotComparable(f"the baseline has {sorted(before)}, counted were {sorted(after)}")
    differing = differences(baseline["environment"], now["environment"])
    if baseline["environment"].get("machine") != now["environment"].get("machine"):
        raise NotComparable(f"the baseline is of another kind of machine ({'; '.join(differing)})")
    limit = LIMIT_WITH_OTHER_TOOLS if differing else LIMIT
    lines = ["| request | baseline | now | ratio | |", "|---|---|---|---|---|"]
    is_within, is_less = True, False
    for name, count in after.items():
        ratio = count / before[name]
        verdict = "ok"
        if ratio > 1 + limit:
            verdict, is_within = f"MORE THAN +{limit:.0%}", False
        elif ratio < 1 - limit:
            verdict, is_less = f"less than -{limit:.0%}", True
        lines.append(f"| {name} | {before[name]} | {count} | {ratio:.3f} | {verdict} |")
    if differing:
        lines += [f"The environment differs, so the limit is {limit:.0%} instead of {LIMIT:.0%}:", *differing]
        lines.append("To keep these tools, renew the baseline: count the commit before the change with --write.")
    if is_less:
        lines.append("To keep this improvement, renew the baseline with --write.")
    if not is_within:
        lines.append("If the change is worth the cost, renew the baseline with --write, and say so in the commit.")
    return lines, is_within
