"""The server under measurement: starts it on a free port, reads its figures from /proc, and stops it."""

import os
import re
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
BINARY = BUILT / "shipyard"
TICKS = os.sysconf("SC_CLK_TCK")
START_LIMIT = 30


class NotMeasured(Exception):
    """Why a measurement failed."""


# The settings with which baselines and documented figures were measured.
SETTINGS = {"json": "compact", "log_level": "critical"}


class Server:
    """`settings` are names and values as in Rocket.toml, `under` is a command that runs the server."""

    def __init__(self, data=None, binary=BINARY, under=(), **settings):
        if not binary.is_file():
            raise NotMeasured(f"{binary} is missing: cargo build --release --locked --example rocket_loop --bins")
        self.folder = tempfile.TemporaryDirectory()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROCKET_")}
        environment |= {f"ROCKET_{name.upper()}": str(value) for name, value in (SETTINGS | settings).items()}
        command = [*under, binary, "--port", "0", *(["--data", data] if data else [])]
        self.process = subprocess.Popen(
            command, cwd=self.folder.name, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        ready, _, _ = select.select([self.process.stdout], [], [], START_LIMIT)
        first = self.process.stdout.readline() if ready else ""
        found = re.search(r":(\d+)$", first.strip())
        if not found:
            self.stop()
            raise NotMeasured(f"the server did not announce itself within {START_LIMIT} s: {first!r}")
        self.port = int(found[1])
        self.pid = self.process.pid

    def memory(self):
        """Resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1000

    def descriptors(self):
        """The number of open files and connections."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu(self):
        """CPU time of the process in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def end(self):
        """Stops the server with SIGTERM. Returns its exit code and the seconds until it ended."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        return code, time.monotonic() - began

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Starting:
    """A server in the moment of exec, with that key file; run by `command`, if there is one."""

    def __init__(self, keys, command):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROCKET_")}
        self.process = subprocess.Popen(
            [*command, BINARY, "--port", "0", "--jwt-secret-file", keys], cwd=keys.parent, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.pid = self._executed(bool(command))

    def _executed(self, is_child):
        """The process id of the server, after exec."""
        until = time.monotonic() + START_LIMIT
        while time.monotonic() < until:
            pid = self.process.pid
            try:
                if is_child:
                    pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
                if os.path.samefile(f"/proc/{pid}/exe", BINARY):
                    return pid
            except (OSError, IndexError):
                pass
        raise NotMeasured("the server is not executed")

    def signal(self, number):
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def port(self):
        """The port that it announces; None if it ends before that."""
        ready, _, _ = select.select([self.process.stdout], [], [], START_LIMIT)
        found = re.search(r":(\d+)$", (self.process.stdout.readline() if ready else "").strip())
        return int(found[1]) if found else None

    def wait(self, limit):
        """The exit code; None if it runs for longer."""
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
