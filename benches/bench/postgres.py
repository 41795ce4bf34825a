"""A PostgreSQL server of the benchmark: a cluster of its own with default settings, on loopback."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from server import NotMeasured

from bench.process import free_port

START_LIMIT = 30
USER = "postgres"


def binaries():
    """The folder of `initdb` and `postgres`, of the newest version that is installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    for folder in folders:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise NotMeasured("PostgreSQL is missing: apt-get install postgresql")


class Postgres:
    """With its own settings, those of its installation: a commit is on the disk when it is answered. It refuses to run as
    root, and so runs as the user `postgres` then."""

    def __init__(self, core):
        self.binaries, self.port = binaries(), free_port()
        self.folder = tempfile.TemporaryDirectory()
        self.user = USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        data = Path(self.folder.name) / "data"
        if os.geteuid() == 0:
            shutil.chown(self.folder.name, USER)
        self._done("initdb", "--pgdata", data, "--auth", "trust", "--username", USER, "--no-instructions")
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *self._as_user(), self.binaries / "postgres", "-D", data, "-p", str(self.port),
             "-c", f"unix_socket_directories={self.folder.name}", "-c", "listen_addresses=127.0.0.1"],
            cwd=self.folder.name, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, start_new_session=True)
        try:
            self._wait(time.monotonic() + START_LIMIT)
        except BaseException:
            self.stop()
            raise

    def _as_user(self):
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"] if os.geteuid() == 0 else []

    def _done(self, program, *words):
        done = subprocess.run(
            [*self._as_user(), self.binaries / program, *words], cwd=self.folder.name, capture_output=True, text=True,
            check=False)
        if done.returncode != 0:
            raise NotMeasured(f"{program}: {done.stderr.strip()}")
        return done.stdout

    def _wait(self, deadline):
        ready = [*self._as_user(), self.binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.output.seek(0)
                raise NotMeasured(f"PostgreSQL did not start: {self.output.read().decode(errors='replace')[-500:]}")
            time.sleep(0.05)

    @property
    def pid(self):
        """Of the first process, whose children serve the connections: `taskset` and `setpriv` have become it."""
        return self.process.pid

    def version(self):
        return self._sql("postgres", "SHOW server_version").split()[0]

    def database(self, name):
        """Makes an empty database. Returns its URL."""
        self._sql("postgres", f'CREATE DATABASE "{name}"')
        return f"postgres://{USER}@127.0.0.1:{self.port}/{name}?sslmode=disable"

    def checkpoint(self):
        """Writes out what is waiting, so that no server pays for the writes of another."""
        self._sql("postgres", "CHECKPOINT")

    def _sql(self, database, statement):
        return self._done(
            "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER,
            "-d", database, "-c", statement).strip()

    def stop(self):
        if self.process.poll() is None:
            # A fast shutdown: it ends the connections.
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(10)
        self.output.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
