"""What is counted now against what was counted once."""

# Of what the baseline says. With the same tools, two counts of one program lie less than 1 % apart.
LIMIT = 0.10
# What another compiler, libc or valgrind may change by itself. A request that does half as much again is still seen.
LIMIT_OF_OTHER_TOOLS = 0.25


class NotComparable(Exception):
    """Why the counts say nothing about one another."""


def differences(baseline, now):
    """Lines about the tools: what the baseline was made with and what is here, where they are not the same."""
    return [
        f"{name}: {baseline.get(name, 'unknown')} in the baseline, {now.get(name, 'unknown')} here"
        for name in sorted(baseline.keys() | now.keys())
        if baseline.get(name) != now.get(name)
    ]


def compare(baseline, now):
    """Lines to print, and whether the counts are within the limit.

    Both are {"made_with": {tool: version}, "instructions": {request: count}}.
    """
    before, after = baseline["instructions"], now["instructions"]
    if before.keys() != after.keys():
        raise NotComparable(f"the baseline has {sorted(before)}, counted were {sorted(after)}")
    others = differences(baseline["made_with"], now["made_with"])
    if baseline["made_with"].get("machine") != now["made_with"].get("machine"):
        raise NotComparable(f"of another kind of machine nothing can be said ({'; '.join(others)})")
    limit = LIMIT_OF_OTHER_TOOLS if others else LIMIT
    lines = ["| request | baseline | now | ratio | |", "|---|---|---|---|---|"]
    kept, less = True, False
    for name, count in after.items():
        ratio = count / before[name]
        verdict = "ok"
        if ratio > 1 + limit:
            verdict, kept = f"MORE THAN +{limit:.0%}", False
        elif ratio < 1 - limit:
            verdict, less = f"less than -{limit:.0%}", True
        lines.append(f"| {name} | {before[name]} | {count} | {ratio:.3f} | {verdict} |")
    if others:
        lines += [f"Made with something else, and so judged by {limit:.0%} rather than {LIMIT:.0%}:", *others]
        lines.append("If these tools are here to stay, renew the baseline: count the commit before the change with --write.")
    if less:
        lines.append("So much less should be held: renew the baseline with --write.")
    if not kept:
        lines.append("If that is what the change is worth, renew the baseline with --write, and say so in the commit.")
    return lines, kept
