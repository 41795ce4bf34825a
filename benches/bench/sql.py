"""Shipyard in memory, on PostgreSQL with one node and with three, and a peer on PostgreSQL: the same requests to each.

The nodes share core 0, as every server of the benchmark does; PostgreSQL has core 1 together with `load`. So three nodes are
not faster than one here: the rows say what a node more costs. The CPU time of the nodes and that of PostgreSQL are read
separately."""

import contextlib
import os
import random
import subprocess
from dataclasses import dataclass, replace

from server import BINARY, NotMeasured

from bench.measure import Failed, checked, loaded
from bench.peers import RUST, SECRET, Peer, all_peers
from bench.process import NotStarted, Running
from bench.summary import FIGURES, spread
from bench.workloads import Workload, workloads

SUBJECTS = ("memory", "sql-1", "sql-3", "axum-sql")
WORKLOADS = ("get", "put", "put-one", "refresh", "login")
PEER = RUST.parent / "whole" / "peer-axum-sql"
# Connections of a node with one worker to the database, the same for Shipyard and for the peer.
POOL = os.environ.get("BENCH_POOL", "4")
MORE_FIGURES = {
    **FIGURES,
    "database_cpu_us": lambda report: report["database_cpu_s"] * 1e6 / report["requests"],
}


@dataclass(frozen=True)
class Options:
    """What is measured, and for how long."""

    rounds: int
    seconds: float
    warmup: float
    connections: tuple
    seed: int


class Nodes:
    """The nodes of one server. In what `checked` and `loaded` need, they are the first one."""

    def __init__(self, name, peer, count, data):
        self.name, self.peer, self.nodes = name, peer, []
        try:
            for _ in range(count):
                self.nodes.append(Running(peer, data, None))
        except BaseException:
            self.stop()
            raise
        self.port, self.warm = self.nodes[0].port, set()

    def pids(self):
        return [pid for node in self.nodes for pid in node.pids()]

    def memory(self):
        return sum(node.memory(peak=True) for node in self.nodes)

    def stop(self):
        for node in self.nodes:
            node.stop()


def sql_workloads(peer, data):
    """`put` replaces the ships in turn, `put-one` always the same one."""
    every = workloads(peer, data.ships, data.many)
    puts = tuple(
        replace(every["put"].requests[0], target=f"/api/ships/{ship['id']}", expected=ship,
                body={name: value for name, value in ship.items() if name != "id"})
        for ship in data.ships)
    every["put-one"] = replace(every["put"], name="put-one")
    every["put"] = Workload("put", puts, tuple(range(len(puts))))
    return {name: every[name] for name in WORKLOADS}


class Comparison:
    """Collects reports: `cells` by workload, connections and subject, a list of one for each round, or why there are none."""

    def __init__(self, options, postgres, data, tell=print):
        self.options, self.postgres, self.data, self.tell = options, postgres, data, tell
        self.random = random.Random(options.seed)
        self.cells, self.memory = {}, {}

    def run(self):
        with contextlib.ExitStack() as stack:
            up = {name: self._start(name, stack) for name in SUBJECTS}
            for turn in range(self.options.rounds):
                for workload in WORKLOADS:
                    for connections in self.options.connections:
                        self.tell(f"round {turn + 1} of {self.options.rounds}: {workload}, {connections} connections")
                        for name in self.random.sample(SUBJECTS, len(SUBJECTS)):
                            self._cell(up[name], workload, connections)
            self.memory = {name: round(nodes.memory()) for name, nodes in up.items()}

    def _start(self, name, stack):
        file = self.data.files[False]
        peer, count = all_peers()["shipyard"], {"sql-3": 3}.get(name, 1)
        if name == "axum-sql":
            url = self.postgres.database(name)
            environment = {"BENCH_DATABASE_URL": url, "BENCH_POOL": POOL, "BENCH_DATA": str(file)}
            _run([PEER, "init"], environment)
            peer = Peer(name, (PEER,), environment=environment)
        elif name != "memory":
            url = self.postgres.database(name)
            _run([BINARY, "store", "init", "--data", file], {"ROCKET_DATABASE_URL": url, "ROCKET_JWT_SECRET": SECRET})
            settings = {**peer.environment, "ROCKET_DATABASE_URL": url, "ROCKET_DATABASE_POOL": POOL}
            peer = replace(peer, name=name, command=(BINARY, "--port", "{port}"), environment=settings)
        try:
            nodes = Nodes(name, peer, count, file)
        except NotStarted as error:
            raise NotMeasured(f"{name}: {error}") from error
        stack.callback(nodes.stop)
        return nodes

    def _cell(self, nodes, name, connections):
        key = name, connections, nodes.name
        if isinstance(self.cells.get(key), str):
            return
        try:
            workload = sql_workloads(nodes.peer, self.data)[name]
            requests = checked(nodes, workload)
            warmup = self.options.warmup * (1 if name in nodes.warm else 5)
            nodes.warm.add(name)
            self.postgres.checkpoint()
            more = {
                "more_addresses": [f"127.0.0.1:{node.port}" for node in nodes.nodes[1:]],
                "database": self.postgres.pid}
            report = loaded(nodes, workload, requests, connections, warmup, self.options.seconds, more)
            self.cells.setdefault(key, []).append(report)
        except Failed as error:
            self.cells[key] = str(error)
            self.tell(f"  {nodes.name}: out of this row: {error}")


def _run(command, environment):
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("ROCKET_", "BENCH_"))}
    done = subprocess.run(
        list(map(str, command)), env=settings | environment, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotMeasured(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


def summarized(cells):
    """A list of cells, each with its figures or with the reason why it has none."""
    found = []
    for key, reports in cells.items():
        cell = dict(zip(("workload", "connections", "subject"), key))
        if isinstance(reports, str):
            found.append(cell | {"failed": reports})
            continue
        figures = {name: spread([of(report) for report in reports]) for name, of in MORE_FIGURES.items()}
        found.append(cell | {"failed": None, "requests": [report["requests"] for report in reports]} | figures)
    return found
