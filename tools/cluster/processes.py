"""Processes that the tests start: each one is stopped by its id, whatever happens."""

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent.parent
START_LIMIT = 30
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class NotRun(Exception):
    """Why a scenario could not run."""


def free_port():
    """A free port below those that the kernel gives to outgoing connections: one of them could take it before the server does."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def wait_until(what, is_true, limit=START_LIMIT, pause=0.05):
    """Waits until the condition is met; `what` says which, or is a function that does. Returns the seconds that it took."""
    began = time.monotonic()
    while not is_true():
        if time.monotonic() > began + limit:
            raise NotRun(f"not within {limit} s: {what() if callable(what) else what}")
        time.sleep(pause)
    return time.monotonic() - began


def listens(port, host=HOST):
    try:
        socket.create_connection((host, port), timeout=0.5).close()
        return True
    except OSError:
        return False


def _die_with_parent():
    """The kernel kills the process when the tests end, even if they are killed."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Processes(contextlib.ExitStack):
    """Started processes and a folder. At the end all are stopped, the last one first."""

    def __enter__(self):
        super().__enter__()
        self.folder = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="cluster-")))
        self.folder.chmod(0o755)
        return self

    def start(self, name, command, environment=None, user=None, prefix=(), ends_at=signal.SIGTERM):
        """Starts a command whose output goes to a file. Returns the process."""
        log = open(self.folder / f"{name}.log", "ab")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ROCKET_", "PG"))}
        identity = {"user": user, "group": user, "extra_groups": []} if user and os.geteuid() == 0 else {}
        process = subprocess.Popen(
            [*prefix, *map(str, command)], cwd=self.folder, env=clean | (environment or {}), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, preexec_fn=_die_with_parent, **identity)
        log.close()
        self.callback(stop, process, ends_at)
        return process

    def log(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def stop(process, number=signal.SIGTERM, limit=5):
    """Stops a process, and waits for it. Returns its exit code."""
    if process.poll() is None:
        # A process may have been stopped with SIGSTOP.
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def run(command, user=None, limit=60, **named):
    """Runs a command to its end. Returns its output."""
    identity = {"user": user, "group": user, "extra_groups": []} if user and os.geteuid() == 0 else {}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=limit, cwd="/", **identity, **named)
    if done.returncode:
        raise NotRun(f"{command[0]}: exit code {done.returncode}: {done.stdout[-500:]}{done.stderr[-1000:]}")
    return done.stdout
