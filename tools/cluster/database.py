"""PostgreSQL servers, and a pooler."""

import os
import shutil
import signal
from pathlib import Path

from processes import HOST, NotRun, free_port, listens, run, wait_until

# Debian keeps the programs of each version in a folder of its own.
PROGRAMS = Path("/usr/lib/postgresql/15/bin")
OWNER = "postgres"
NAME = "shipyard"


class Postgres:
    """A server with a folder of its own. `settings` are those of postgresql.conf; the network of `trusted` may connect too."""

    def __init__(self, processes, name="primary", trusted=None, **settings):
        if not (PROGRAMS / "postgres").is_file():
            raise NotRun(f"{PROGRAMS}/postgres is missing (Debian package postgresql)")
        self.processes, self.name, self.trusted, self.port = processes, name, trusted, free_port()
        self.folder = processes.folder / name
        self.settings = {
            "listen_addresses": HOST, "port": self.port, "unix_socket_directories": self.folder, "max_connections": 100,
            "shared_buffers": "128MB", "max_wal_size": "2GB", "log_min_messages": "fatal", "logging_collector": "off",
        } | settings
        self.folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self.folder, OWNER, OWNER)

    def create(self):
        """Makes a new cluster with an empty database, and starts it."""
        run([PROGRAMS / "initdb", "--pgdata", self.folder, "--username", OWNER, "--auth", "trust", "--encoding", "UTF8",
             "--locale", "C.UTF-8", "--no-sync"], user=OWNER)
        if self.trusted:
            with open(self.folder / "pg_hba.conf", "a", encoding="utf-8") as access:
                access.write(f"host all all {self.trusted}/24 trust\n")
        self.start()
        self.execute(f"create role {NAME} login", database="postgres")
        self.execute(f"create database {NAME} owner {NAME}", database="postgres")
        return self

    def copy_of(self, primary):
        """Becomes a standby that the primary waits for at each commit, and starts."""
        run([PROGRAMS / "pg_basebackup", "--pgdata", self.folder, "--host", HOST, "--port", primary.port, "--username", OWNER,
             "--write-recovery-conf", "--checkpoint", "fast", "--no-sync"], user=OWNER)
        self.start()
        primary.execute("alter system set synchronous_standby_names = '*'")
        primary.execute("select pg_reload_conf()")
        wait_until("the standby is synchronous", lambda: primary.execute(
            "select count(*) from pg_stat_replication where sync_state = 'sync'").strip() == "1")
        return self

    def start(self):
        flags = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        # SIGINT is a fast shutdown: it ends the connections.
        self.process = self.processes.start(
            self.name, [PROGRAMS / "postgres", "-D", self.folder, *flags], user=OWNER, ends_at=signal.SIGINT)
        wait_until(lambda: f"PostgreSQL ({self.name}) answers: {self.processes.log(self.name)[-500:]}", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise NotRun(f"PostgreSQL ({self.name}) ended: {self.processes.log(self.name)[-1000:]}")
        try:
            self.execute("select 1", database="postgres")
            return True
        except NotRun:
            return False

    def execute(self, statement, database=NAME):
        return run(["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--host", HOST, "--port", self.port,
                    "--username", OWNER, "--dbname", database, "--set", "ON_ERROR_STOP=1", "--command", statement])

    def url(self, *others, query=""):
        """The URL for a node; `others` are further servers of the same database."""
        hosts = ",".join(f"{HOST}:{server.port}" for server in (self, *others))
        return f"postgres://{NAME}@{hosts}/{NAME}{query and '?'}{query}"

    def processes_of_server(self):
        """The ids of the server and of all processes that it started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def kill(self):
        """kill -9 of all its processes."""
        self._signal_all(signal.SIGKILL)
        self.process.wait()
        wait_until("the port is free", lambda: not listens(self.port, HOST))

    def freeze(self):
        self._signal_all(signal.SIGSTOP)

    def thaw(self):
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number):
        for pid in self.processes_of_server():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def restart_after_kill(self):
        """Starts again after kill(). Process 1 of a container may not have reaped the children, which then look alive."""
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        self.start()

    def promote(self):
        self.execute("select pg_promote(true, 30)", database="postgres")


class PgBouncer:
    """A pooler in transaction mode."""

    def __init__(self, processes, server, connections=20):
        if not shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"):
            raise NotRun("pgbouncer is missing (Debian package pgbouncer)")
        self.processes, self.port, self.name = processes, free_port(), "pgbouncer"
        self.path = processes.folder / "pgbouncer.ini"
        self.path.write_text(f"""[databases]
{NAME} = host={HOST} port={server.port} dbname={NAME} user={NAME}
[pgbouncer]
listen_addr = {HOST}
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 1000
default_pool_size = {connections}
ignore_startup_parameters = extra_float_digits
""")
        self.path.chmod(0o644)
        self.start()

    def start(self):
        self.process = self.processes.start(self.name, ["/usr/sbin/pgbouncer", self.path], user=OWNER)
        wait_until(lambda: f"pgbouncer listens: {self.processes.log(self.name)[-300:]}", lambda: listens(self.port))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def url(self, query=""):
        return f"postgres://{NAME}@{HOST}:{self.port}/{NAME}{query and '?'}{query}"
