#!/usr/bin/env python3
"""Capacity model: a discrete-event simulation of nodes on one PostgreSQL.

usage: tools/capacity/simulate.py [--check] [--measured docs/performance/sql.json]

A request takes a core of its node, a connection of the node's pool, cores of the database, and for a write the time of a commit,
during which its row is locked. A login also takes one of the node's places for hashing, and a core for as long as the hash
takes. The cost of each step comes from a measured run (benches/run --sql). --check compares the model with that run: the same
clients, on the same cores. Without it, the model says what LOGINS a minute take, with the SESSION of each. Exit code of --check: 1 if the model is off by
more than TOLERANCE.
"""
import argparse
import heapq
import itertools
import json
import random
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MEASURED = ROOT / "docs" / "performance" / "sql.json"
# By how much the throughput of the model may differ from that of the measured run, in percent.
TOLERANCE = 30
# The load that is planned for: logins in a minute, and what a user does in a session after the login.
LOGINS = 10_000
SESSION = {"get": 20, "put": 2, "post": 0.2, "refresh": 2, "logout": 0.5}
# What is wanted of it: the 99th percentile in milliseconds, and the share of any machine that is in use.
WANTED = {"get": 50, "put": 100, "login": 1000}
SHARE = 0.7
# A commit of a distributed engine: agreement of most of its machines, over a network.
DISTRIBUTED_COMMIT = 5_000.0


class Simulation:
    """Time in microseconds. A process is a generator that yields how long it waits, or a resource that it wants."""

    def __init__(self, seed=1):
        self.now, self.random = 0.0, random.Random(seed)
        self._events, self._order = [], itertools.count()

    def start(self, process, delay=0.0):
        heapq.heappush(self._events, (self.now + delay, next(self._order), process))

    def run(self, until):
        while self._events and self._events[0][0] <= until:
            self.now, _, process = heapq.heappop(self._events)
            self._step(process)
        self.now = until

    def _step(self, process):
        for wanted in process:
            if isinstance(wanted, Resource):
                if not wanted.take(process):
                    return
            else:
                self.start(process, wanted)
                return


class Resource:
    """So many at a time; the others wait in order."""

    def __init__(self, simulation, capacity):
        self.simulation, self.free = simulation, capacity
        self.capacity, self.waiting, self.busy_since, self.busy = capacity, deque(), 0.0, 0.0

    def take(self, process):
        """Whether it is there at once."""
        if self.free == 0:
            self.waiting.append(process)
            return False
        self._count()
        self.free -= 1
        return True

    def give(self):
        if self.waiting:
            self.simulation.start(self.waiting.popleft())
            return
        self._count()
        self.free += 1

    def _count(self):
        now = self.simulation.now
        self.busy += (now - self.busy_since) * (self.capacity - self.free)
        self.busy_since = now

    def used(self):
        """The share of the time that it was in use."""
        self._count()
        return self.busy / (self.simulation.now * self.capacity) if self.simulation.now else 0.0


@dataclass(frozen=True)
class Operation:
    """Microseconds of a core: of the node, of the database for all statements, of a hash. `row` names the rows that a write
    locks: one of so many."""

    node: float
    database: float
    statements: int
    writes: int = 0
    hash: float = 0.0
    rows: tuple = ()


@dataclass
class Machine:
    """What there is."""

    nodes: int = 1
    cores: int = 1
    pool: int = 2
    database_cores: float = 1
    # Until a commit is on the disk, and with synchronous replication on that of the standby as well.
    commit: float = 300.0
    # On the core of the database, for each request: the client of a benchmark.
    client: float = 0.0


@dataclass
class Served:
    """What came out."""

    latencies: dict = field(default_factory=dict)
    used: dict = field(default_factory=dict)
    seconds: float = 0.0

    def rate(self, name):
        return len(self.latencies.get(name, ())) / self.seconds

    def quantile(self, name, share):
        found = sorted(self.latencies.get(name, ()))
        return found[min(len(found) - 1, int(len(found) * share))] if found else 0.0


class Model:
    """Nodes, database and rows, ready for requests."""

    def __init__(self, machine, operations, seed=1):
        self.machine, self.operations = machine, operations
        self.simulation = Simulation(seed)
        of = self.simulation
        self.cores = [Resource(of, machine.cores) for _ in range(machine.nodes)]
        # Half of the cores hash at the same time, at least one.
        self.hashers = [Resource(of, max(1, machine.cores // 2)) for _ in range(machine.nodes)]
        self.pools = [Resource(of, machine.cores * machine.pool) for _ in range(machine.nodes)]
        self.database = Resource(of, max(1, round(machine.database_cores)))
        self.rows, self.served, self.counted_from = {}, Served(), 0.0
        self.turn = itertools.count()

    def _use(self, resource, time):
        """Exponential times: a mean is all that is known of them."""
        yield resource
        yield time if time > 5_000 else self.simulation.random.expovariate(1 / time) if time > 0 else 0.0
        resource.give()

    def _row(self, name, count):
        return self.rows.setdefault((name, self.simulation.random.randrange(count)), Resource(self.simulation, 1))

    def request(self, name):
        """One request, from its first byte to its answer."""
        operation, began = self.operations[name], self.simulation.now
        at = next(self.turn) % self.machine.nodes
        if self.machine.client:
            yield from self._use(self.database, self.machine.client)
        yield from self._use(self.cores[at], operation.node)
        if operation.hash:
            yield self.hashers[at]
            yield from self._use(self.cores[at], operation.hash)
            self.hashers[at].give()
        for statement in range(operation.statements):
            writes = statement >= operation.statements - operation.writes
            yield self.pools[at]
            row = self._row(*operation.rows) if writes and operation.rows else None
            if row:
                yield row
            yield from self._use(self.database, operation.database / operation.statements)
            if writes:
                yield self.machine.commit
            if row:
                row.give()
            self.pools[at].give()
        if began >= self.counted_from:
            self.served.latencies.setdefault(name, []).append(self.simulation.now - began)

    def client(self, name):
        """A client of a benchmark: its next request as soon as it has an answer."""
        while True:
            yield from self.request(name)

    def arrivals(self, name, rate):
        """Requests of many users, each independent of the others."""
        while True:
            yield self.simulation.random.expovariate(rate / 1e6)
            self.simulation.start(self.request(name))

    def run(self, seconds, warmup=0.2):
        self.counted_from = warmup * 1e6
        self.simulation.run((warmup + seconds) * 1e6)
        self.served.seconds = seconds
        shares = {"nodes": self.cores, "hashing": self.hashers, "pools": self.pools, "database": [self.database]}
        self.served.used = {name: max(one.used() for one in found) for name, found in shares.items()}
        return self.served


def closed(machine, operations, name, clients, seconds=2.0):
    model = Model(machine, operations)
    for _ in range(clients):
        model.simulation.start(model.client(name))
    return model.run(seconds)


def offered(machine, operations, rates, seconds=10.0):
    model = Model(machine, operations)
    for name, rate in rates.items():
        model.simulation.start(model.arrivals(name, rate))
    return model.run(seconds, warmup=1.0)


class Measured:
    """The figures of a run of benches/run --sql."""

    def __init__(self, path):
        self.results = json.loads(Path(path).read_text())
        self.cells = {(cell["workload"], cell["connections"], cell["subject"]): cell for cell in self.results["cells"]}

    def figure(self, workload, connections, name, subject="sql-1"):
        cell = self.cells.get((workload, connections, subject))
        return None if cell is None or cell["failed"] else cell[name]["median"]

    def stretch(self, workload):
        """How many times longer all takes because other programs had a share of the cores: the server in memory, which waits
        for nothing else, would use all of its core."""
        rate, cpu = (self.figure(workload, self.many(), name, "memory") for name in ("requests_s", "cpu_us"))
        return max(1.0, 1e6 / (rate * cpu))

    def many(self):
        return max(self.results["options"]["connections"])

    def commit(self):
        """What a PUT takes with one client beyond its CPU time: the wait for the disk, nearly all of it."""
        one = [self.figure("put", 1, name) for name in ("p50_us", "cpu_us", "database_cpu_us", "load_cpu_us")]
        return max(50.0, one[0] - sum(one[1:]))

    def operations(self):
        """Costs with many clients: with one, each request also pays for waking up both processes."""
        cost = {
            name: (self.figure(name, self.many(), "cpu_us"), self.figure(name, self.many(), "database_cpu_us"))
            for name in ("get", "put", "put-one", "refresh", "login")}
        login, refresh = cost["login"], cost["refresh"]
        return {
            "get": Operation(*cost["get"], 1),
            "put": Operation(*cost["put"], 2, 1, rows=("ships", 15)),
            "put-one": Operation(*cost["put-one"], 2, 1, rows=("ships", 1)),
            "refresh": Operation(*refresh, statements=1),
            # Of the node's time, all but that of a refresh is the hash.
            "login": Operation(refresh[0], login[1], 2, 1, hash=login[0] - refresh[0], rows=("users", 1)),
        }


def check(measured):
    """Compares the model with the measured run. Returns whether all is within the tolerance."""
    operations, good = measured.operations(), True
    print(f"{'':22}{'requests/s':>24}{'p99, ms':>20}")
    print(f"{'':22}{'measured':>12}{'model':>12}{'measured':>10}{'model':>10}")
    for name in operations:
        for clients in measured.results["options"]["connections"]:
            rate = measured.figure(name, clients, "requests_s")
            if rate is None:
                continue
            costs = dict(operations)
            if clients == 1:
                # Both processes wake up for each request.
                factor = measured.figure("get", 1, "cpu_us") / operations["get"].node
                database = measured.figure("get", 1, "database_cpu_us") / operations["get"].database
                old = operations[name]
                costs[name] = Operation(
                    old.node * factor, old.database * database, old.statements, old.writes, old.hash, old.rows)
            stretch = measured.stretch(name)
            of = costs[name]
            costs[name] = Operation(
                of.node * stretch, of.database * stretch, of.statements, of.writes, of.hash * stretch, of.rows)
            machine = Machine(
                pool=int(measured.results["options"]["pool"]), commit=measured.commit(),
                client=measured.figure(name, clients, "load_cpu_us") * stretch)
            served = closed(machine, costs, name, clients, seconds=30.0 if name == "login" else 3.0)
            off = abs(served.rate(name) / rate - 1) * 100
            good &= off <= TOLERANCE
            print(
                f"{name + ', ' + str(clients):22}{rate:12,.0f}{served.rate(name):12,.0f}"
                f"{measured.figure(name, clients, 'p99_us') / 1000:10.2f}{served.quantile(name, 0.99) / 1000:10.2f}"
                f"{'' if off <= TOLERANCE else '  off'}")
    return good


def planned(operations):
    """The operations, with those that the benchmark does not measure: their costs are those of the nearest that it does."""
    put, refresh = operations["put"], operations["refresh"]
    return operations | {
        "put": Operation(put.node, put.database, 2, 1, rows=("ships", 100_000)),
        "login": Operation(**{**vars(operations["login"]), "rows": ("users", 1_000_000)}),
        # A create locks the row with the last id.
        "post": Operation(put.node, put.database, 2, 1, rows=("counter", 1)),
        "logout": Operation(refresh.node, put.database, 2, 1, rows=("users", 1_000_000)),
    }


def plan(measured):
    """Prints what the planned load takes."""
    operations, commit = planned(measured.operations()), measured.commit()
    rates = {"login": LOGINS / 60} | {name: LOGINS / 60 * count for name, count in SESSION.items()}
    print(f"Commit {commit / 1000:.2f} ms. Requests/s: " + ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items()))
    hashing = rates["login"] * operations["login"].hash / 1e6
    database = sum(rate * operations[name].database for name, rate in rates.items()) / 1e6
    print(f"Cores in use: hashing {hashing:.2f}, the rest of the nodes"
          f" {sum(rate * operations[name].node for name, rate in rates.items()) / 1e6:.2f}, database {database:.2f}")
    print(f"{'nodes':>6}{'cores':>6}{'database':>9}{'hashing':>9}{'nodes':>7}{'database':>9}"
          + "".join(f"{name + ', ms':>11}" for name in WANTED))
    for cores, database_cores in ((2, 2), (4, 2), (4, 4)):
        for nodes in range(2, 13):
            machine = Machine(nodes=nodes, cores=cores, database_cores=database_cores, commit=commit)
            served = offered(machine, operations, rates, seconds=5.0)
            found = {name: served.quantile(name, 0.99) / 1000 for name in WANTED}
            if all(found[name] <= most for name, most in WANTED.items()) and max(
                    served.used[part] for part in ("hashing", "nodes", "database")) <= SHARE:
                print(f"{nodes:6}{cores:6}{database_cores:9}{served.used['hashing']:9.0%}{served.used['nodes']:7.0%}"
                      f"{served.used['database']:9.0%}" + "".join(f"{found[name]:11.1f}" for name in WANTED))
                break
        else:
            print(f"more than 12 nodes of {cores} cores with {database_cores} cores of the database")
    ends(operations, commit)


def ends(operations, commit):
    """Prints what one primary does at most, by core, and what one row does."""
    print("\nAt most, requests/s for each core of the primary, by its CPU time: "
          + ", ".join(f"{name} {1e6 / one.database:,.0f}" for name, one in operations.items()))
    print(f"{'one row, requests/s':32}{'primary':>10}{'distributed':>13}")
    for name, title in (("post", "creates: the counter row"), ("put-one", "changes of one ship"), ("logout", "one user's row")):
        operation = operations[name]
        one = Operation(operation.node, operation.database, operation.statements, operation.writes, rows=("row", 1))
        found = []
        for wait in (commit, DISTRIBUTED_COMMIT):
            machine = Machine(nodes=8, cores=4, pool=4, database_cores=16, commit=wait)
            found.append(closed(machine, {name: one}, name, 128).rate(name))
        print(f"{title:32}{found[0]:10,.0f}{found[1]:13,.0f}")
    for block in (10, 100):
        print(f"{f'creates with blocks of {block} ids':32}{'':10}{block * 1e6 / DISTRIBUTED_COMMIT:13,.0f} (the row of the counter)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", default=MEASURED, type=Path)
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    found = Measured(chosen.measured)
    if chosen.check:
        sys.exit(0 if check(found) else 1)
    plan(found)
