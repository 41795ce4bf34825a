#!/usr/bin/env python3
"""Says what a run of Schemathesis did, and fails where it proved too little.

usage: report.py <spec.json> <events.ndjson>...

A run in which every request is refused finds no failures either. So: every check has run, every phase has sent
requests, every operation has succeeded, and in the stateful phase every operation that has links led on to a
success, and every operation that a link leads to was reached with one. (Not every pair of them: which are tried
is left to chance.)
"""

import collections
import json
import sys

PHASES = {"examples", "coverage", "fuzzing", "stateful"}
METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}


def known_checks():
    from schemathesis.checks import CHECKS, load_all_checks

    load_all_checks()
    # `max_response_time` is a limit that is not set, rather than a property of an answer.
    return set(CHECKS.get_all_names()) - {"max_response_time"}


def operations(spec):
    """(method, path) -> operationId."""
    return {
        (method.upper(), path): operation["operationId"]
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def links(spec):
    """(operationId, operationId) of every link of the specification."""
    return {
        (operation["operationId"], link["operationId"])
        for item in spec["paths"].values()
        for method, operation in item.items()
        if method in METHODS
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    }


class Run:
    """What the runs sent, and what was answered."""

    def __init__(self, spec):
        self.operations = operations(spec)
        self.requests = 0
        self.statuses = collections.defaultdict(collections.Counter)
        self.phases = collections.Counter()
        self.checks = collections.Counter()
        self.failed = collections.Counter()
        self.transitions = collections.Counter()
        self.followed = collections.Counter()

    def read(self, path):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line).get("ScenarioFinished")
                # A scenario that was skipped has nothing in it.
                if event is not None and "cases" in event["recorder"]:
                    self.scenario(event["phase"], event["recorder"])

    def scenario(self, phase, recorder):
        cases = recorder["cases"]
        for identifier, interaction in recorder["interactions"].items():
            self.requests += 1
            self.phases[phase] += 1
            response = interaction["response"]
            operation = self.operation(cases[identifier])
            if response is None or operation is None:
                continue
            self.statuses[operation][response["status_code"]] += 1
            parent = cases.get(cases[identifier].get("parent_id"))
            if phase == "stateful" and cases[identifier].get("transition") and parent is not None:
                transition = (self.operation(parent), operation)
                self.transitions[transition] += 1
                self.followed[transition] += 200 <= response["status_code"] < 300
        for checks in recorder["checks"].values():
            for check in checks:
                self.checks[check["name"]] += 1
                self.failed[check["name"]] += check["status"] != "success"

    def operation(self, case):
        """None for a method that the specification does not have, which one of the checks tries."""
        return self.operations.get((case["value"]["method"], case["value"]["path"]))


def complaints(run, spec):
    for operation in sorted(run.operations.values()):
        if not any(200 <= status < 300 for status in run.statuses[operation]):
            yield f"{operation} never succeeded: its requests prove nothing about its answers"
    for phase in sorted(PHASES - set(run.phases)):
        yield f"the {phase} phase sent no request"
    for check in sorted(known_checks() - set(run.checks)):
        yield f"the check {check} has not run"
    succeeded = [transition for transition, count in run.followed.items() if count]
    for source in sorted({source for source, _ in links(spec)} - {source for source, _ in succeeded}):
        yield f"nothing that succeeded followed {source} in the stateful phase, though it has links"
    for target in sorted({target for _, target in links(spec)} - {target for _, target in succeeded}):
        yield f"{target} never succeeded after another operation in the stateful phase, though links lead to it"
    for check, failed in sorted(run.failed.items()):
        if failed:
            yield f"the check {check} failed {failed} times"


def main(spec_path, *event_paths):
    with open(spec_path, encoding="utf-8") as file:
        spec = json.load(file)
    run = Run(spec)
    for path in event_paths:
        run.read(path)
    print("operation                  answers, by status")
    for operation, statuses in sorted(run.statuses.items()):
        counts = "  ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        print(f"{operation:26} {counts}")
    print("\nstateful transition                                    followed  succeeded")
    for (source, target), count in sorted(run.transitions.items()):
        print(f"{f'{source} -> {target}':54} {count:8} {run.followed[source, target]:10}")
    phases = ", ".join(f"{phase} {count}" for phase, count in sorted(run.phases.items()))
    print(f"\n{run.requests} requests ({phases}); {len(run.checks)} checks, {sum(run.failed.values())} failures")
    wrong = list(complaints(run, spec))
    for complaint in wrong:
        print(f"schemathesis: {complaint}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
