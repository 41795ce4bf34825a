"""A run of the load in several processes, next to a fault, and the figures of it."""

import asyncio
import contextlib
import gc
import multiprocessing
import time
from collections import Counter

from load import Load, Plan
from models import check_ids
from processes import HOST, NotRun

GREATEST = {"ships": 15, "users": 2}
RECOVERY = 5
# Percent of the rate before a fault that must be back afterwards. Other work on the machine makes it vary.
LEAST_RATE = 25
# Seconds for the final reads and the check of all histories.
CHECK_LIMIT = 900


def _work(plan, stop, settled, results):
    try:
        load = Load(plan, stop)
        gc.disable()
        asyncio.run(load.run())
        results.put(("loaded", plan.number, None))
        settled.wait()
        asyncio.run(load.read_all())
        results.put(("report", plan.number, load.check()))
    except Exception as error:
        results.put(("failed", plan.number, f"{type(error).__name__}: {error}"))
        raise


class Session:
    """Load against a cluster: start(), then a fault, then finish()."""

    def __init__(self, cluster, processes=2, **plan):
        self.cluster, self.context = cluster, multiprocessing.get_context("fork")
        self.stop, self.settled, self.results = self.context.Event(), self.context.Event(), self.context.Queue()
        proxy = (HOST, cluster.proxy.port)
        self.plans = [Plan(proxy, cluster.addresses(), number=number, seed=17 + number, **plan) for number in range(processes)]
        self.workers = [self.context.Process(target=_work, args=(plan, self.stop, self.settled, self.results), daemon=True)
                        for plan in self.plans]
        self.reports, self.fault = [], None

    def __enter__(self):
        self.began = time.monotonic()
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            if worker.is_alive():
                worker.kill()
            worker.join()

    @contextlib.contextmanager
    def faulty(self):
        """Notes when a fault begins and ends."""
        begin = time.monotonic_ns()
        yield
        self.fault = (begin, time.monotonic_ns())

    def _collect(self, kind, limit):
        found = []
        until = time.monotonic() + limit
        while len(found) < len(self.workers):
            if time.monotonic() > until:
                raise NotRun(f"the clients did not end within {limit} s")
            try:
                what, _, result = self.results.get(timeout=1)
            except Exception:
                if any(worker.exitcode not in (None, 0) for worker in self.workers):
                    raise NotRun("a process of clients died") from None
                continue
            if what == "failed":
                raise NotRun(f"the clients failed: {result}")
            if what == kind:
                found.append(result)
        return found

    def wait(self, limit=1800):
        """Waits until the clients have done their operations."""
        self._collect("loaded", limit)
        self.seconds = time.monotonic() - self.began

    def finish(self):
        """Ends the load, reads everything, and checks all histories."""
        self.ended = time.monotonic()
        self.stop.set()
        self.wait(60)
        self.check()

    def check(self):
        self.settled.set()
        began = time.monotonic()
        self.reports = self._collect("report", CHECK_LIMIT)
        self.check_seconds = time.monotonic() - began
        self.violations = self._all_violations()

    # Figures

    def total(self, name):
        return sum(getattr(report, name) for report in self.reports)

    def _all_violations(self):
        """All violations of all processes, and those that only show in all histories together."""
        reasons = [reason for report in self.reports for reason in report.violations]
        for kind in GREATEST:
            creates = [create for report in self.reports for create in report.creates[kind]]
            seen = [id_ for report in self.reports for id_ in report.seen[kind]]
            unknown = sum(report.unknown_creates[kind[:-1]] for report in self.reports)
            lists = self.cluster.everything(f"/api/{kind}")
            reasons += [f"{kind}: node {number} has another list than node 1"
                        for number, other in enumerate(lists, 1) if other != lists[0]]
            seen += [item["id"] for item in lists[0]]
            reasons += [f"{kind}: {reason}" for reason in check_ids(creates, unknown, GREATEST[kind], seen)]
        return reasons

    def failures(self):
        return sorted(failure for report in self.reports for failure in report.failures)

    def recovery(self):
        """Seconds from the end of the fault to the last request that failed, counted from its start."""
        _, end = self.fault
        return max((start - end for start, *_ in self.failures()), default=0) / 1e9

    def early(self):
        """The requests that failed before the fault."""
        begin, _ = self.fault
        return [failure for failure in self.failures() if failure[1] < begin]

    def rates(self):
        """Answered operations a second before the fault, while it lasted, and after it and the time to recover."""
        counts = sum((report.rates for report in self.reports), Counter())
        begin, end = (moment / 1e9 for moment in self.fault)
        # The load began in the first second of the counts; a second that is not whole does not count.
        windows = ((min(counts) + 1, begin), (begin, end), (end + RECOVERY, self.ended))
        return [sum(count for second, count in counts.items() if first <= second and second + 1 <= last) /
                max(int(last - first), 1) for first, last in windows]

    def statuses(self):
        return sum((report.statuses for report in self.reports), Counter())

    def percentile(self, share):
        values = sorted(value for report in self.reports for value in report.latencies)
        return values[min(int(len(values) * share), len(values) - 1)] / 1e6 if values else float("nan")


def judge(figures, name, session, allowed=(), broken=()):
    """The criteria of every scenario. `allowed` are the failures that the fault may cause at the proxy, `broken` those that
    a client meets in addition that talks to a node itself."""
    violations = session.violations
    for reason in violations[:10]:
        figures.violation(name, reason)
    figures.tell(f"{name}: operations", f"{session.total('operations'):,} in {session.seconds:.0f} s, "
                 f"{session.total('objects')} objects, {session.total('tokens'):,} tokens, {session.total('logouts'):,} logouts; "
                 f"checked in {session.check_seconds:.0f} s")
    figures.add(f"{name}: violations", len(violations), "", most=0)
    figures.add(f"{name}: requests not answered within 10 s", session.total("late"), "", most=0)
    slowest = max(report.slowest for report in session.reports)
    figures.tell(f"{name}: latency", f"p50 {session.percentile(0.5):.1f} ms, p99 {session.percentile(0.99):.1f} ms, "
                 f"slowest {slowest:.2f} s")
    kinds = Counter(what for *_, what, where, _ in session.failures() if what not in allowed and not (where and what in broken))
    figures.tell(f"{name}: failures", ", ".join(f"{count} {what}" for what, count in sorted(
        Counter(what for *_, what, _, _ in session.failures()).items())) or "none")
    figures.add(f"{name}: failures of other kinds {dict(kinds) or ''}".rstrip(), sum(kinds.values()), "", most=0)
    if session.fault:
        figures.add(f"{name}: failures before the fault", len(session.early()), "", most=0)
        before, meanwhile, afterwards = session.rates()
        figures.tell(f"{name}: operations/s", f"{before:,.0f} before, {meanwhile:,.0f} while it lasts, {afterwards:,.0f} afterwards")
        figures.add(f"{name}: operations/s afterwards, of those before", afterwards / max(before, 1) * 100, "%", least=LEAST_RATE)
        figures.add(f"{name}: last failed request, after the end of the fault", session.recovery(), "s", most=RECOVERY)
