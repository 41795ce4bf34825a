"""Growth: the cost of a request and the memory, by the number of ships, users, logged-out tokens or connections."""

import base64
import contextlib
import json
import subprocess
import time
from dataclasses import dataclass, replace

from bench.growth_data import DataFiles, get_ship, get_user, ids, put_ship
from bench.measure import CELL_LIMIT, SETTLE, Failed, loaded
from bench.peers import LOAD, SECRET, all_peers
from bench.process import Running, exchange
from bench.summary import FIGURES, spread
from bench.workloads import Workload, login

MAIN = 32
# Seconds until tokens that are signed here expire: none does before all is measured, so that all stay remembered.
LIFETIME = 24 * 60 * 60
# Logging out: connections, and requests that are on their way on each. At least so many a second are logged out.
LINES, DEPTH, LEAST_S = 32, 16, 5_000


@dataclass(frozen=True)
class Sizes:
    """How many there are of each, and how it is measured."""

    ships: tuple = (100, 10_000, 1_000_000)
    users: tuple = (100, 100_000)
    revocations: tuple = (0, 100_000, 1_000_000)
    connections: tuple = (1, 32, 1000)
    rounds: int = 3
    seconds: float = 0.4
    warmup: float = 0.2


QUICK = Sizes(ships=(100, 10_000), users=(100, 1_000), connections=(1, 32), rounds=1, seconds=0.3, warmup=0.1)


def stages(most):
    """0, the powers of ten from 100,000, and the most."""
    powers = [10 ** power for power in range(5, 9) if 10 ** power < most]
    return (0, *powers, *([most] if most else []))


class Growth:
    """Collects one row for each size of each thing that grows."""

    def __init__(self, sizes, folder, tell=print):
        self.sizes, self.tell = sizes, tell
        self.files = DataFiles(folder)
        self.peer = all_peers()["shipyard"]
        self.rows = []

    def run(self):
        self._by_id("ships", self.sizes.ships, self._ship_operations)
        self._by_id("users", self.sizes.users, self._user_operations)
        self._revocations()
        self._connections()

    def _start(self, path, **settings):
        # Without the response cache: a cached response does not reach the store.
        settings = {"response_cache_size": 0} | settings
        environment = {f"ROCKET_{name.upper()}": str(value) for name, value in settings.items()}
        return Running(replace(self.peer, environment=self.peer.environment | environment), path, None)

    def _by_id(self, grown, sizes, operations):
        """Servers of all sizes run at once and get requests in turn, so that a disturbance affects all of them."""
        with contextlib.ExitStack() as stack:
            cells = []
            for count in sizes:
                self.tell(f"{grown}: {count:,}")
                path = self.files.path(grown, count)
                running = stack.enter_context(self._start(path, **{f"max_{grown}": max(count, 100)}))
                time.sleep(SETTLE)
                row = {
                    "grown": grown, "n": count, "start_ms": round(running.started * 1000, 1),
                    "memory_mb": round(running.memory(), 1), "peak_mb": round(running.memory(peak=True), 1)}
                self.rows.append(row)
                cells += [(row, name, running, requests) for name, requests in operations(running, count).items()]
            for (row, name, *_), reports in zip(cells, self._rounds([cell[2:] for cell in cells])):
                row[name] = costs(reports)

    def _rounds(self, cells, connections=MAIN):
        """For each pair of a server and its requests, a report for each round."""
        found = [[] for _ in cells]
        for _ in range(self.sizes.rounds):
            for reports, (running, requests) in zip(found, cells):
                workload = Workload("growth", (), tuple(range(len(requests))))
                reports.append(
                    loaded(running, workload, requests, connections, self.sizes.warmup, self.sizes.seconds))
        return found

    def _ship_operations(self, running, count):
        token = self._token(running)
        return {
            "get": [get_ship(self.files, id_) for id_ in ids(count)],
            "put": [put_ship(self.files, id_, token) for id_ in ids(count)]}

    def _user_operations(self, _, count):
        return {"get": [get_user(self.files, id_) for id_ in ids(count)]}

    def _token(self, running):
        status, _, body = exchange(running.port, login(self.peer).bytes({}))
        if status != 200:
            raise Failed(f"login: {status} {body[:100]!r}")
        return json.loads(body)["access_token"]

    def _revocations(self):
        path = self.files.path("revocations", 0)
        room = max(self.sizes.revocations) + 1
        with self._start(path, max_revocations=room, access_token_ttl=LIFETIME) as running:
            # Of the second in which it started, the server knows the tokens that it issued itself, and no other.
            time.sleep(1.1)
            token = self._token(running)
            requests, row = [put_ship(self.files, 1, token)], None
            for count in self.sizes.revocations:
                self.tell(f"revocations: {count:,}")
                seconds = log_out(running, token, count - (row["n"] if row else 0))
                time.sleep(SETTLE)
                memory = running.memory()
                row = {"grown": "revocations", "n": count, "memory_mb": round(memory, 1), "seconds": round(seconds, 1)}
                row["put"] = costs(self._rounds([(running, requests)])[0])
                if count == 0:
                    # The requests took memory too, which later stages reuse.
                    before = running.memory()
                    row["memory_mb"] = round(before, 1)
                else:
                    row["bytes_each"] = round((memory - before) * 1e6 / count, 1)
                self.rows.append(row)

    def _connections(self):
        path = self.files.path("connections", 0)
        ships = len(self.files.example["ships"])
        requests = [get_ship(self.files, id_) for id_ in range(1, ships + 1)]
        for count in self.sizes.connections:
            self.tell(f"connections: {count:,}")
            # Without settings, as most servers run.
            with self._start(path, response_cache_size=1024) as running:
                reports = self._rounds([(running, requests)], count)[0]
                self.rows.append({
                    "grown": "connections", "n": count, "memory_mb": round(running.memory(peak=True), 1),
                    "get": costs(reports)})


def costs(reports):
    """CPU time of a request, in µs."""
    return spread([FIGURES["cpu_us"](report) for report in reports])


def log_out(running, token, count):
    """Logs out so many tokens like this one, each with an id of its own. Seconds that it took."""
    head, claims, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    job = {
        "address": f"127.0.0.1:{running.port}", "connections": LINES, "depth": DEPTH, "tokens": count, "secret": SECRET,
        "head": head, "claims": json.dumps({**claims, "jti": "{jti}"}, separators=(",", ":")),
        "request": "DELETE /auth/logout HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n",
        "status": 200, "body": '{"message":"Successfully logged out."}\n', "request_limit_s": 10}
    load = subprocess.run(
        [LOAD, "revoke"], input=json.dumps(job), capture_output=True, text=True, check=False,
        timeout=CELL_LIMIT + count / LEAST_S)
    if load.returncode != 0:
        raise Failed(load.stderr.strip())
    report = json.loads(load.stdout)
    if report["error"] or report["tokens"] != count:
        raise Failed(f"logging out: {report['tokens']} of {count}: {report['error']}")
    return report["seconds"]
