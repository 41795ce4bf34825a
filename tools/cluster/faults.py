"""Scenarios with a fault under load. What was acknowledged must be there afterwards, and no token that had ended may be let in."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from database import Postgres, PgBouncer
from nodes import HAProxy, Cluster, Node, data_file, store
from processes import HOST, NotRun, Processes, free_port, listens, run, wait_until
from session import Session, judge

# What a node answers in an outage of the database.
OUTAGE = {"503"}
# What a client meets in addition that talks to a node that is killed.
BROKEN = {"refused", "closed"}
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def under_load(figures, options, name, cluster, act, allowed=OUTAGE, broken=(), **plan):
    """Load for some seconds, then the fault, then load again. Returns the session."""
    before, after = (3, 8) if options.short else (5, 10)
    with Session(cluster, **{"clients": 8, "pause": 0.004} | plan) as session:
        time.sleep(before)
        with session.faulty():
            act(session)
        time.sleep(after)
        session.finish()
    judge(figures, name, session, allowed, broken)
    return session


def initialized(processes, **settings):
    """A database with the example data."""
    server = Postgres(processes, **settings).create()
    store("init", server.url(), "--data", data_file(processes.folder))
    return server


def kill_node(figures, options):
    """kill -9 of a node, which is started again 3 s later."""
    with Processes() as processes:
        cluster = Cluster(processes, initialized(processes).url())
        killed = []

        def act(_):
            cluster.nodes[1].kill()
            killed.append(time.monotonic_ns())
            time.sleep(3)
            cluster.nodes[1].start()
            cluster.nodes[1].wait()

        # haproxy closes the client's connection instead of a 502 if the node's was used before.
        session = under_load(figures, options, "kill_node", cluster, act, {"502", "closed"}, BROKEN)
    later = [failure for failure in session.failures() if failure[3] == 0 and failure[0] > killed[0] + 10**9]
    figures.add("kill_node: requests through haproxy that failed 1 s after the kill or later", len(later), "", most=0)


def kill_database(figures, options):
    """kill -9 of the database, which is started again 3 s later."""
    with Processes() as processes:
        server = initialized(processes)
        cluster = Cluster(processes, server.url())

        def act(_):
            server.kill()
            time.sleep(3)
            server.restart_after_kill()

        under_load(figures, options, "kill_database", cluster, act)


def promote(figures, options):
    """kill -9 of the primary; its synchronous standby is promoted."""
    with Processes() as processes:
        primary = initialized(processes)
        standby = Postgres(processes, "standby").copy_of(primary)
        cluster = Cluster(processes, primary.url(standby, query="target_session_attrs=read-write"))

        def act(_):
            primary.kill()
            standby.promote()

        under_load(figures, options, "promote", cluster, act)


def promote_frozen(figures, options):
    """The primary hangs, and its synchronous standby is promoted: open connections to the old one lead nowhere."""
    with Processes() as processes:
        primary = initialized(processes)
        standby = Postgres(processes, "standby").copy_of(primary)
        cluster = Cluster(processes, primary.url(standby, query="target_session_attrs=read-write"))

        def act(_):
            primary.freeze()
            time.sleep(1)
            standby.promote()

        under_load(figures, options, "promote_frozen", cluster, act)
        # It must not come back as a second primary.
        primary.kill()


def freeze(figures, options):
    """SIGSTOP of the database for 5 s."""
    with Processes() as processes:
        server = initialized(processes)
        cluster = Cluster(processes, server.url())

        def act(_):
            server.freeze()
            time.sleep(5)
            server.thaw()

        under_load(figures, options, "freeze", cluster, act)


def few_connections(figures, options):
    """For 5 s the database allows the nodes 2 connections in all; before and after that, as many as they want."""
    with Processes() as processes:
        # Of each node: 2 for each of 2 workers, and 1 for its health; 3 are reserved for superusers, and 4 may just be closing.
        server = initialized(processes, max_connections=3 * 5 + 3 + 4)
        cluster = Cluster(processes, server.url(), database_pool=2)
        limit = "alter role shipyard connection limit {}"

        def act(_):
            server.execute(limit.format(2))
            server.execute("select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'shipyard'")
            time.sleep(5)
            server.execute(limit.format(-1))

        under_load(figures, options, "few_connections", cluster, act)


def pgbouncer(figures, options):
    """pgbouncer in transaction mode between the nodes and the database, killed and started again."""
    with Processes() as processes:
        server = initialized(processes)
        pooler = PgBouncer(processes, server)
        cluster = Cluster(processes, pooler.url(), database_pooler="true")

        def act(_):
            pooler.kill()
            time.sleep(2)
            pooler.start()

        under_load(figures, options, "pgbouncer", cluster, act)


@contextlib.contextmanager
def network():
    """A network namespace, and a cable to it. Yields its name, the name of the cable's end, and the addresses of both ends."""
    number = os.getpid() % 200 + 20
    name, ends = f"shipyard-{os.getpid()}", [f"shipyard{number}{side}" for side in "ab"]
    here, there = f"10.213.{number}.1", f"10.213.{number}.2"
    try:
        run(["ip", "netns", "add", name])
        run(["ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", name])
        run(["ip", "address", "add", f"{here}/24", "dev", ends[0]])
        run(["ip", "link", "set", ends[0], "up"])
        for command in (["address", "add", f"{there}/24", "dev", ends[1]], ["link", "set", ends[1], "up"], ["link", "set", "lo", "up"]):
            run(["ip", "-n", name, *command])
        yield name, ends[1], here, there
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", ends[0]], check=False, capture_output=True)


def partition(figures, options):
    """A node in a network namespace that is cut off from haproxy and the database for 5 s."""
    with network() as (space, end, here, there), Processes() as processes:
        server = Postgres(processes, trusted=here, listen_addresses=f"{HOST},{here}").create()
        store("init", server.url(), "--data", data_file(processes.folder))
        far = server.url(query="sslmode=disable").replace(HOST, here)
        nodes = [Node(processes, f"node{number}", server.url()) for number in (1, 2)]
        nodes.append(Node(processes, "node3", far, host=there, inside=("ip", "netns", "exec", space),
                          trusted_proxies=f'["{here}"]'))
        for node in nodes:
            node.wait()
        cluster = Cluster.of(nodes, HAProxy(processes, nodes))

        def act(_):
            run(["ip", "-n", space, "link", "set", end, "down"])
            time.sleep(5)
            run(["ip", "-n", space, "link", "set", end, "up"])

        under_load(figures, options, "partition", cluster, act, {"502", "503", "504", "closed"}, BROKEN)


@contextlib.contextmanager
def cutter(processes, server, share):
    """A proxy before the database that can cut connections. Yields its process and the URL for the nodes."""
    port = free_port()
    process = processes.start("cutter", [sys.executable, Path(__file__).parent / "cutter.py", port, server.port, share])
    wait_until("the cutting proxy listens", lambda: listens(port))
    yield process, server.url().replace(f":{server.port}", f":{port}")


def cut(figures, options):
    """A proxy cuts connections after the statement was sent, for 8 s: no create may happen twice."""
    with Processes() as processes:
        server = initialized(processes)
        with cutter(processes, server, 0.05) as (process, url):
            cluster = Cluster(processes, url)

            def act(_):
                process.send_signal(signal.SIGUSR1)
                time.sleep(8)
                process.send_signal(signal.SIGUSR1)

            under_load(figures, options, "cut", cluster, act, weights={"create_ship": 20, "create_user": 8})
            process.terminate()
            process.wait(10)
            figures.add("cut: connections cut", int(re.findall(r"^(\d+)$", processes.log("cutter"), re.MULTILINE)[-1]), "", least=50)


def silence(figures, options):
    """A proxy drops everything between the nodes and the database for 5 s, and closes nothing."""
    with Processes() as processes:
        server = initialized(processes)
        with cutter(processes, server, 0) as (process, url):
            cluster = Cluster(processes, url)

            def act(_):
                process.send_signal(signal.SIGUSR2)
                time.sleep(5)
                process.send_signal(signal.SIGUSR2)

            under_load(figures, options, "silence", cluster, act)


def clocks(figures, options):
    """Nodes whose clocks are 3 s ahead and 3 s behind."""
    if not FAKETIME.is_file():
        raise NotRun(f"{FAKETIME} is missing (Debian package faketime)")
    with Processes() as processes:
        clock = lambda seconds: {"extra": {"LD_PRELOAD": str(FAKETIME), "FAKETIME": seconds, "DONT_FAKE_MONOTONIC": "1"}}
        cluster = Cluster(processes, initialized(processes).url(), overrides={0: clock("+3s"), 2: clock("-3s")})
        with Session(cluster, clients=8, pause=0.004) as session:
            time.sleep(8 if options.short else 20)
            session.finish()
        judge(figures, "clocks", session)


def migrate(figures, options):
    """`shipyard store migrate` and `prune` under load, three times."""
    with Processes() as processes:
        server = initialized(processes)
        cluster = Cluster(processes, server.url())

        def act(_):
            for _ in range(3):
                store("migrate", server.url())
                store("prune", server.url())

        under_load(figures, options, "migrate", cluster, act, allowed=())


def drain(figures, options):
    """Each node is asked to end, and started again, one after the other: no request behind haproxy fails."""
    with Processes() as processes:
        cluster = Cluster(processes, initialized(processes).url())

        def act(_):
            for node in cluster.nodes[:1] if options.short else cluster.nodes:
                code = node.end()
                figures.add(f"drain: exit code of {node.name}", code, "", most=0, least=0)
                node.start()
                node.wait()
                wait_until("haproxy has all nodes", lambda: cluster.proxy.up() == 3)

        under_load(figures, options, "drain", cluster, act, allowed=(), broken=BROKEN, direct=0, clients=16)


FAULTS = (kill_node, kill_database, promote, promote_frozen, freeze, silence, few_connections, pgbouncer, partition, cut, clocks,
          migrate, drain)
