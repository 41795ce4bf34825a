"""The rounds: every server, every workload, every number of connections; and the starts."""

import contextlib
import http.client
import json
import random
import subprocess
import time
from dataclasses import dataclass

from bench.answers import Wrong, template
from bench.peers import LOAD
from bench.process import NotStarted, Running, exchange
from bench.tables import counted
from bench.workloads import login, workloads

# Seconds that a cell may take in addition to its measuring time and its last responses.
CELL_LIMIT = 30
# How many times longer the first warm-up of a workload is: some peers compile hot code at run time.
FIRST = 5
# The workloads whose peak memory is reported separately.
PEAKS = {"login": "peak_login_mb", "list-10000": "peak_many_mb"}
# Seconds from the first response until the memory of an idle server is read, once: some release the memory of the startup
# only after its thread was idle for 10 seconds.
SETTLE = 12.5


class Failed(Exception):
    """Why a server is out of a row."""


@dataclass(frozen=True)
class Options:
    """What is measured, and for how long."""

    peers: tuple
    workloads: tuple
    connections: tuple
    rounds: int
    seconds: float
    warmup: float
    starts: int
    seed: int


class Measurement:
    """Collects what is found: `cells` by workload, connections and peer, a list of one report for each round, or a text
    that says why there is none; `peers` by name."""

    def __init__(self, options, peers, data, canned, tell=print):
        self.options, self.data, self.canned, self.tell = options, data, canned, tell
        self.peers = {name: peers[name] for name in options.peers}
        self.random = random.Random(options.seed)
        self.work = {name: workloads(peer, data.ships, data.many) for name, peer in self.peers.items()}
        self.cells = {}
        self.found = {
            name: {"start_ms": [], "idle_mb": [], "peak_mb": [], **{figure: [] for figure in PEAKS.values()}}
            for name in self.peers}

    def shuffled(self):
        names = list(self.peers)
        self.random.shuffle(names)
        return names

    def run(self):
        for turn in range(self.options.starts):
            self.tell(f"start {turn + 1} of {self.options.starts}")
            for name in self.shuffled():
                self._start_once(name, settle=turn + 1 == self.options.starts)
        for turn in range(self.options.rounds):
            for many in (False, True):
                if names := self._names(many):
                    self._round(f"round {turn + 1} of {self.options.rounds}", many, names)

    def _names(self, many):
        first = next(iter(self.work.values()))
        return [name for name in self.options.workloads if first[name].many == many]

    def _start(self, name, many=False):
        return Running(self.peers[name], self.data.files[many], self.canned.get(many))

    def _start_once(self, name, settle):
        """Starts one server alone."""
        with contextlib.suppress(NotStarted):  # A round tells why.
            with self._start(name) as running:
                self.found[name]["start_ms"].append(running.started * 1000)
                if settle:
                    time.sleep(SETTLE)
                    self.found[name]["idle_mb"].append(running.memory())

    def _round(self, what, many, names):
        """All servers run at once; `load` sends to one at a time. The innermost loop goes from server to server, so
        that a disturbance of the machine affects all of them."""
        with contextlib.ExitStack() as stack:
            up, peaks = {}, {}
            for name in self.shuffled():
                self._bring_up(up, stack, name, many, names)
            for workload in names:
                for connections in self.options.connections:
                    self.tell(f"{what}: {workload}, {counted(connections)}")
                    for name in self.shuffled():
                        if name in up and not self._cell(up[name], workload, connections):
                            # Its pending requests could keep it busy for long, and so disturb the others.
                            self._note_peak(peaks, up[name], workload)
                            up.pop(name).stop()
                            self._bring_up(up, stack, name, many, names)
                for running in up.values():
                    self._note_peak(peaks, running, workload)
            for (name, figure), value in peaks.items():
                self.found[name][figure].append(value)

    def _bring_up(self, up, stack, name, many, names):
        try:
            up[name] = stack.enter_context(self._start(name, many))
        except NotStarted as error:
            self.tell(f"  {name}: {error}")
            for workload in names:
                for connections in self.options.connections:
                    self.cells[workload, connections, name] = str(error)

    def _note_peak(self, peaks, running, workload):
        figure = PEAKS.get(workload, "peak_mb")
        with contextlib.suppress(OSError, TypeError):  # It has ended, or is about to.
            key = running.peer.name, figure
            peaks[key] = max(peaks.get(key, 0), running.memory(peak=True))

    def _cell(self, running, workload, connections):
        """Whether the server responded correctly, or had left this row already."""
        name = running.peer.name
        key = workload, connections, name
        if isinstance(self.cells.get(key), str):
            return True
        try:
            warmup = self.options.warmup * (1 if workload in running.warm else FIRST)
            running.warm.add(workload)
            report = measured(running, self.work[name][workload], connections, warmup, self.options)
        except Failed as error:
            self.cells[key] = str(error)
            self.tell(f"  {name}: out of this row: {error}")
            return False
        self.cells.setdefault(key, []).append(report)
        return True


def measured(running, workload, connections, warmup, options):
    """One cell of one round, as `load` reports it."""
    return loaded(running, workload, checked(running, workload), connections, warmup, options.seconds)


def loaded(running, workload, requests, connections, warmup, seconds, more=None):
    """The same, with requests that were checked, and with `more` in the job."""
    job = {
        "address": f"127.0.0.1:{running.port}", "connections": connections, "warmup_s": warmup,
        "seconds": seconds, "min_requests": workload.min_requests, "request_limit_s": workload.limit,
        "limit_s": warmup + seconds + 2 * workload.limit + CELL_LIMIT,
        "requests": requests, "order": workload.order, "pids": running.pids(), **(more or {})}
    load = subprocess.run(
        [LOAD], input=json.dumps(job), capture_output=True, text=True, timeout=job["limit_s"] + CELL_LIMIT)
    if load.returncode != 0:
        raise Failed(load.stderr.strip())
    report = json.loads(load.stdout)
    if report["error"]:
        raise Failed(report["error"])
    if running.pids() != job["pids"]:
        # The sum lacks the time of processes that started or ended meanwhile.
        raise Failed("its processes changed while it was measured")
    return report


def checked(running, workload):
    """Sends each request once and checks the response. Returns the requests for `load` with the expected responses."""
    tokens = {}
    if any(request.token for request in workload.requests):
        _, _, body = _send(running, login(running.peer), tokens, workload.limit)
        tokens = {name.removesuffix("_token"): token for name, token in json.loads(body).items()}
    return [
        {"bytes": bytes_.decode(), "status": request.status, "template": segments}
        for request in workload.requests for bytes_, segments, _ in [_send(running, request, tokens, workload.limit)]]


def _send(running, request, tokens, limit):
    """Sends a request. Returns its bytes, the template of the response, and the body."""
    bytes_ = request.bytes(tokens)
    try:
        status, _, body = exchange(running.port, bytes_, limit)
        return bytes_, template(status, body, request.status, request.expected), body
    except (Wrong, OSError, http.client.HTTPException) as error:
        raise Failed(f"{request.method} {request.target}: {error}") from error
