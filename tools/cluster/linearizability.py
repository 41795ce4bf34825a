"""Linearizability of the operations on one object: the algorithm of Wing and Gong, with Lowe's cache of configurations.

A model has `initial` (a hashable state), `step(state, operation)`, which returns the next state, or None if the answer is
impossible in that state, and `reads(operation)`: whether the operation changes no state at all. An operation takes effect at one moment between `start` and `end`. One with an unknown outcome
ends at FOREVER: it takes effect at any time after its start, or never.
"""

from dataclasses import dataclass
from typing import Any

FOREVER = 1 << 62
# Configurations that one object may take; the most that a correct history of a run took is a few thousand.
MOST_CONFIGURATIONS = 500_000


@dataclass(slots=True)
class Operation:
    """A request and its answer. Times are in nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share."""

    kind: str
    start: int
    end: int
    # None: the outcome is unknown.
    status: int | None
    # What was asked.
    asked: Any = None
    # What was answered.
    found: Any = None

    @property
    def is_unknown(self):
        return self.status is None


@dataclass(slots=True)
class Verdict:
    """Whether a history is linearizable; `reason` says why not."""

    ok: bool
    configurations: int
    reason: str = ""


class _Pending:
    """The operations that have not taken effect yet, by start: a doubly linked list."""

    def __init__(self, operations):
        self.operations, self.count = operations, len(operations)
        self.next = list(range(1, self.count + 2))
        self.last = list(range(-1, self.count + 1))
        self.first = 0

    def remove(self, index):
        before, after = self.last[index], self.next[index]
        self.last[after] = before
        if before < 0:
            self.first = after
        else:
            self.next[before] = after

    def restore(self, index):
        before, after = self.last[index], self.next[index]
        self.last[after] = index
        if before < 0:
            self.first = index
        else:
            self.next[before] = index

    def is_over(self):
        """Whether only operations with an unknown outcome are left: they may never have taken effect."""
        index = self.first
        while index < self.count:
            if self.operations[index].end < FOREVER:
                return False
            index = self.next[index]
        return True

    def candidates(self):
        """The operations that may be the next to take effect: none of the others ended before they started. The one that
        ended first comes first."""
        index, earliest, found = self.first, FOREVER, []
        while index < self.count:
            operation = self.operations[index]
            if operation.start > earliest:
                break
            earliest = min(earliest, operation.end)
            found.append(index)
            index = self.next[index]
        found.sort(key=lambda index: self.operations[index].end)
        return found


def check(model, operations, most=MOST_CONFIGURATIONS):
    """Searches for an order in which the operations took effect one by one."""
    operations = sorted(operations, key=lambda operation: operation.start)
    pending, state, mask, seen = _Pending(operations), model.initial, 0, set()
    # What has taken effect: index, and the state and the untried candidates before that.
    path, deepest, depth = [], (), -1
    choices = None
    while True:
        if choices is None:
            if pending.is_over():
                return Verdict(True, len(seen))
            candidates = pending.candidates()
            # A read that fits, and tells nothing new, can come first: no other order would allow more.
            free = next((index for index in candidates if model.reads(operations[index])
                         and model.step(state, operations[index]) == state), None)
            choices = iter(candidates if free is None else (free,))
            if len(path) > depth:
                depth, deepest = len(path), (state, tuple(candidates))
        for index in choices:
            following = model.step(state, operations[index])
            if following is None or (following == state and operations[index].end == FOREVER):
                continue
            configuration = (mask | 1 << index, following)
            if configuration in seen:
                continue
            seen.add(configuration)
            if len(seen) > most:
                return Verdict(False, len(seen), f"undecided after {most} configurations")
            path.append((index, state, choices))
            pending.remove(index)
            mask, state, choices = configuration[0], following, None
            break
        else:
            if not path:
                return Verdict(False, len(seen), _explain(operations, depth, deepest))
            index, state, choices = path.pop()
            pending.restore(index)
            mask &= ~(1 << index)


def _explain(operations, depth, deepest):
    """The longest order that was found, and the operations of which none can come next."""
    state, candidates = deepest
    lines = [f"no order exists; after {depth} of {len(operations)} operations the state is {state!r}, and next would be:"]
    begin = operations[0].start
    for index in candidates:
        operation = operations[index]
        end = "never" if operation.end == FOREVER else f"{(operation.end - begin) / 1e6:.3f}"
        lines.append(f"  {(operation.start - begin) / 1e6:.3f} to {end} ms: {operation.kind} {operation.asked!r} "
                     f"-> {operation.status} {operation.found!r}")
    return "\n".join(lines)
