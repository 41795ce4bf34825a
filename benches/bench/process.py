"""A server under measurement: starts it on its core, reads its figures from /proc, and stops it."""

import http.client
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from clients import HOST, encode_request

from bench.peers import SECRET

SERVER_CORE, LOAD_CORE = 0, 1
START_LIMIT = 30
# Seconds between two attempts to connect: well below the time of a startup.
PAUSE = 0.0005


class NotStarted(Exception):
    """Why a server does not serve."""


def free_port():
    with socket.socket() as one:
        one.bind((HOST, 0))
        return one.getsockname()[1]


def exchange(port, bytes_, limit=60):
    """Sends one request. Returns the status, the headers as a list, and the body of the response."""
    with socket.create_connection((HOST, port), timeout=limit) as connection:
        connection.sendall(bytes_)
        with http.client.HTTPResponse(connection) as response:
            response.begin()
            return response.status, response.getheaders(), response.read()


def descendants(root, parents=None):
    """The process and its descendants, in order."""
    parents = _parents() if parents is None else parents
    found = [root]
    for pid in found:
        found += sorted(child for child, parent in parents.items() if parent == pid)
    return found


def _parents():
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                pass  # It has ended meanwhile.
    return parents


class Running:
    """A peer that serves; `started` says how many seconds it took to its first response."""

    def __init__(self, peer, data, canned):
        self.peer, self.port = peer, free_port()
        # The workloads that it has served.
        self.warm = set()
        self.stopped = False
        self.folder = tempfile.TemporaryDirectory()
        self.output = tempfile.TemporaryFile()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROCKET_", "BENCH_"))}
        environment |= peer.environment
        environment |= {"BENCH_PORT": str(self.port), "BENCH_DATA": str(data), "BENCH_SECRET": SECRET}
        if peer.floor:
            environment["BENCH_CANNED"] = str(canned)
        command = [str(part).format(port=self.port, data=data) for part in peer.command]
        began = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *command], cwd=peer.folder or self.folder.name, env=environment,
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, start_new_session=True)
        try:
            self._wait(began + START_LIMIT)
        except BaseException:
            self.stop()
            raise
        self.started = time.monotonic() - began

    def _wait(self, deadline):
        first = encode_request("GET", "/api/ships/1")
        while True:
            try:
                if exchange(self.port, first, START_LIMIT)[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass  # Not yet.
            if self.process.poll() is not None:
                raise NotStarted(f"ended at once with {self.process.returncode}: {self._last_output()}")
            if time.monotonic() > deadline:
                raise NotStarted(f"did not respond within {START_LIMIT} s: {self._last_output()}")
            time.sleep(PAUSE)

    def _last_output(self):
        self.output.seek(0)
        lines = self.output.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "no output"

    def pids(self):
        return descendants(self.process.pid)

    def memory(self, peak=False):
        """Resident memory of all its processes in MB, now or at its highest."""
        name = "VmHWM" if peak else "VmRSS"
        statuses = (Path(f"/proc/{pid}/status").read_text() for pid in self.pids())
        return sum(int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) for status in statuses) * 1024 / 1e6

    def stop(self):
        """Stops it with SIGTERM, and kills what is left after 5 seconds."""
        if self.stopped:
            return
        self.stopped = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        try:
            # The session that it was started in, so that no worker survives its master.
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.output.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
