"""Nodes and haproxy: a cluster as in production, on this machine."""

import http.client
import json
import os
import shutil
import signal
import socket
from pathlib import Path

from processes import HOST, ROOT, NotRun, free_port, listens, run, stop, wait_until

BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# CLUSTER_BINARY names another one, such as a debug build.
BINARY = Path(os.environ.get("CLUSTER_BINARY", BUILT / "release/shipyard"))
SECRET = "a key for tests only, of more than 32 bytes"
# Cheap passwords: the tests do not measure them.
SETTINGS = {
    "json": "compact", "log_level": "critical", "log_format": "text", "keep_alive": 75, "password_memory": 8,
    "password_iterations": 1, "password_queue": 10_000, "rate_limits": "false", "trusted_proxies": f'["{HOST}"]',
    "max_ships": 10_000_000, "max_users": 10_000_000, "shutdown_delay": 3, "workers": 2, "jwt_secret": SECRET,
}


def get(port, path, host=HOST, method="GET", body=None, headers=None, limit=10):
    """One request on a connection of its own. Returns the status and the body."""
    connection = http.client.HTTPConnection(host, port, timeout=limit)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def environment(settings):
    return {f"ROCKET_{name.upper()}": str(value) for name, value in settings.items()}


class Node:
    """One server process. `inside` is a command that runs it elsewhere, such as in a network namespace."""

    def __init__(self, processes, name, url=None, host=HOST, inside=(), extra=None, **settings):
        if not BINARY.is_file():
            raise NotRun(f"{BINARY} is missing: cargo build --release --locked --bins")
        self.processes, self.name, self.host, self.inside = processes, name, host, inside
        self.port, self.admin = free_port(), free_port()
        self.settings = known(SETTINGS) | settings | {
            "address": host, "port": self.port, "admin_address": f"{host}:{self.admin}"}
        self.extra = extra or {}
        if url:
            self.settings["database_url"] = url
        self.start()

    def start(self):
        # At the end of a scenario no one waits for it to drain.
        self.process = self.processes.start(
            self.name, [BINARY], environment(self.settings) | self.extra, prefix=self.inside, ends_at=signal.SIGKILL)

    def is_ready(self):
        if self.process.poll() is not None:
            raise NotRun(f"{self.name} ended: {self.processes.log(self.name)[-1500:]}")
        try:
            return get(self.admin, "/health/ready", self.host, limit=3)[0] == 200
        except OSError:
            return False

    def wait(self, limit=30):
        return wait_until(lambda: f"{self.name} is ready: {self.processes.log(self.name)[-1000:]}", self.is_ready, limit)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Asks it to end, and waits. Returns the exit code."""
        return stop(self.process, signal.SIGTERM, 30)


def known(settings):
    """Those of the settings that the binary has: a baseline may be older."""
    table = run([BINARY, "config"], env=clean_environment())
    return {name: value for name, value in settings.items() if f"\n{name} = " in table or f"\n# {name} is" in table}


def clean_environment():
    return {key: value for key, value in os.environ.items() if not key.startswith("ROCKET_")}


def store(command, url, *flags):
    """Runs `shipyard store`. Returns its output."""
    settings = environment({"database_url": url, "jwt_secret": SECRET, **known({"password_memory": 8})})
    return run([BINARY, "store", command, *flags], env=clean_environment() | settings)


def data_file(folder):
    path = folder / "data.json"
    shutil.copy(ROOT / "data.json", path)
    return path


class HAProxy:
    """haproxy with deploy/haproxy.cfg."""

    def __init__(self, processes, nodes):
        if not shutil.which("haproxy", path="/usr/sbin:/usr/bin"):
            raise NotRun("haproxy is missing (Debian package haproxy)")
        self.processes, self.port = processes, free_port()
        self.path = processes.folder / "haproxy.sock"
        variables = {"FRONT": f"{HOST}:{self.port}", "HAPROXY_SOCKET": str(self.path)}
        for number in range(3):
            # With fewer nodes, the others are down.
            node = nodes[number] if number < len(nodes) else None
            variables[f"NODE_{number + 1}"] = f"{node.host}:{node.port}" if node else f"{HOST}:9"
            variables[f"NODE_{number + 1}_ADMIN_PORT"] = str(node.admin if node else 9)
        self.process = processes.start("haproxy", ["/usr/sbin/haproxy", "-db", "-f", ROOT / "deploy/haproxy.cfg"], variables)
        wait_until(lambda: f"haproxy listens: {processes.log('haproxy')[-500:]}", lambda: self.path.exists() and listens(self.port))
        wait_until("haproxy has all nodes", lambda: self.up() == len(nodes))

    def command(self, text):
        """A command of the runtime API."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.path))
            connection.sendall(text.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def statistics(self):
        """The row of each node in `show stat`."""
        header, *rows = self.command("show stat").lstrip("# ").strip().splitlines()
        tables = (dict(zip(header.split(","), row.split(","))) for row in rows)
        return {row["svname"]: row for row in tables if row["svname"].startswith("node")}

    def up(self):
        """The number of nodes that have passed their check."""
        if self.process.poll() is not None:
            raise NotRun(f"haproxy ended: {self.processes.log('haproxy')[-1000:]}")
        return sum(row["status"].startswith("UP") and row["check_status"].startswith("L7") for row in self.statistics().values())


class Cluster:
    """`count` nodes on one store behind haproxy."""

    def __init__(self, processes, url=None, count=3, names=(), overrides=None, **settings):
        """`url` is None for the store in memory, which only one node has. `overrides` has arguments of single nodes."""
        self.nodes = [Node(processes, f"node{number + 1}", url, **settings | (overrides or {}).get(number, {}))
                      for number in range(count)]
        for node in self.nodes:
            node.wait()
        self.proxy = HAProxy(processes, self.nodes)

    @classmethod
    def of(cls, nodes, proxy):
        """A cluster of nodes that run already."""
        cluster = cls.__new__(cls)
        cluster.nodes, cluster.proxy = nodes, proxy
        return cluster

    def addresses(self):
        """The addresses of the nodes, for clients that pass by the proxy."""
        return [(node.host, node.port) for node in self.nodes]

    def everything(self, path):
        """The list that each node returns."""
        return [json.loads(self._insist(node, path)) for node in self.nodes]

    @staticmethod
    def _insist(node, path, attempts=5):
        for _ in range(attempts):
            status, body = get(node.port, path, node.host)
            if status == 200:
                return body
        raise NotRun(f"{node.name} answers {path} with {status}")
