#!/usr/bin/env python3
"""Measures the server under hostile traffic, and checks the figures that docs/reliability.md promises.

Everything runs on this machine, over loopback; every measurement ends by itself. Requires a release build:
cargo build --release --locked --bins --example rocket_loop

Exit code: 0 all promises are kept, 1 one is not, 2 a measurement failed.
"""

import argparse
import base64
import http.client
import json
import os
import queue
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from clients import HOST, Closed, Connection, Good, Greedy, Refused, Slow, log_in, percentile
import networks as others
import pages as selected
import readers as lists
from server import BUILT, ROOT, NotMeasured, Server, Starting

# Cheap passwords and no rate limits, for measurements of anything else.
CHEAP = {"password_memory": 8, "password_iterations": 1, "rate_limits": "false"}
# No limit for one address, for measurements with many connections from one.
ANY_SHARE = {"max_connections_per_address": 1_000_000}


class Figures:
    """The table of results: what is promised and what was measured."""

    def __init__(self):
        self.all_kept = True

    def add(self, what, found, unit, most=None, least=None):
        ok = (most is None or found <= most) and (least is None or found >= least)
        self.all_kept &= ok
        promised = f"<= {most:g} {unit}" if most is not None else f">= {least:g} {unit}"
        print(f"| {what} | {promised} | {found:.4g} {unit} | {'ok' if ok else 'NOT KEPT'} |", flush=True)

    def tell(self, what, found):
        print(f"| {what} | | {found} | |", flush=True)


def pin(pid, core):
    """Pins all current threads of a process to one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def wrk(port, seconds, connections, script=None, core=None):
    """Requests a second, p99 in ms, and all that wrk printed."""
    if not shutil.which("wrk"):
        raise NotMeasured("wrk is not installed (Debian package wrk)")
    command = ["taskset", "-c", str(core)] if core is not None else []
    command += ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["-s", str(script)] if script else []
    run = subprocess.run(
        [*command, f"http://{HOST}:{port}/api/ships/2"], capture_output=True, text=True, timeout=seconds + 60)
    rate, late = re.search(r"Requests/sec:\s+([\d.]+)", run.stdout), re.search(r"99%\s+([\d.]+)(us|ms|s)", run.stdout)
    if not rate or not late:
        raise NotMeasured(f"wrk: {run.stdout}{run.stderr}")
    return float(rate[1]), float(late[1]) * {"us": 0.001, "ms": 1, "s": 1000}[late[2]], run.stdout


def many_ships(folder, count):
    data = json.loads((ROOT / "data.json").read_text())
    ship = data["ships"][1]
    data["ships"] = [{**ship, "id": number} for number in range(1, count + 1)]
    path = Path(folder) / "many.json"
    path.write_text(json.dumps(data))
    return path


def slow(figures, short):
    """Slow heads, bodies and readers, and idle connections, next to a good client."""
    count = 100 if short else 1000
    limits = {"header": 5, "body": 10, "read": 15, "idle": 5}
    with tempfile.TemporaryDirectory() as folder:
        data = many_ships(folder, 10_000)
        for kind, limit in limits.items():
            with Server(data=data, **CHEAP, **ANY_SHARE) as server, Good(server.port) as good:
                attack = Slow(kind, server.port, count)
                left = attack.attack(limit + 15)
            what = f"{count} {kind}"
            figures.add(f"{what}: not closed", left, "connections", most=0)
            figures.add(f"{what}: closed after, at most", max(attack.lifetimes, default=0), "s", most=limit + 1)
            figures.add(f"{what}: good client, success", good.success() * 100, "%", least=99.9)
            figures.add(f"{what}: good client, p99", percentile(good.latencies, 0.99) * 1000, "ms", most=250)


def attacked(server, limit, command):
    """The highest number of connections while the command ran, and the seconds until the server had closed all of them. (A
    slow reader may have bytes left to read long after that.)"""
    others, most, began = server.descriptors(), 0, time.monotonic()
    attack = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() < began + limit:
            time.sleep(0.1)
            now = server.descriptors() - others
            most = max(most, now)
            # The good client may have a connection or two.
            if most > 10 and now <= 2:
                break
        return most, time.monotonic() - began
    finally:
        attack.kill()
        attack.wait()


def slowhttptest(figures, short):
    """Slow heads, bodies and readers of slowhttptest, next to a good client."""
    count = 100 if short else 1000
    if not shutil.which("slowhttptest"):
        raise NotMeasured("slowhttptest is not installed (Debian package slowhttptest)")
    modes = {
        "header (-H)": (["-H", "-i", "2", "-x", "8"], 5, "/api/ships"),
        "body (-B)": (["-B", "-i", "2", "-s", "4096", "-x", "8", "-f", "application/json"], 10, "/auth/login"),
        "slow read (-X)": (["-X", "-w", "256", "-y", "512", "-n", "2", "-z", "32", "-k", "1"], 15, "/api/ships"),
    }
    for mode, (flags, limit, path) in modes.items():
        with tempfile.TemporaryDirectory() as folder:
            data = many_ships(folder, 10_000)
            with Server(data=data, **CHEAP, **ANY_SHARE) as server, Good(server.port) as good:
                most, ended = attacked(server, count // 250 + limit + 15, [
                    "slowhttptest", *flags, "-c", str(count), "-r", "250", "-l", "600", "-p", "5",
                    "-u", f"http://{HOST}:{server.port}{path}"])
        figures.add(f"slowhttptest {mode}: open at a time", most, "connections", least=count * 0.9)
        # The last is opened when the first have been open for a while.
        figures.add(f"slowhttptest {mode}: the last ended by the server after", ended, "s",
                    most=count // 250 + limit + 1)
        figures.add(f"slowhttptest {mode}: good client, success", good.success() * 100, "%", least=99.9)
        figures.add(f"slowhttptest {mode}: good client, p99", percentile(good.latencies, 0.99) * 1000, "ms", most=250)


def memory(figures, short):
    """Memory with idle connections next to busy ones."""
    with Server(max_connections=4096, keep_alive=120, **CHEAP, **ANY_SHARE) as server:
        at_start = server.memory()
        idle = [Connection(server.port) for _ in range(2000)]
        for connection in idle:
            connection.request("GET", "/api/ships/2")
        wrk(server.port, 3 if short else 10, 64)
        figures.tell("resident at start", f"{at_start:.1f} MB")
        figures.add("2,000 idle and 64 busy connections: resident", server.memory(), "MB", most=120)
        for connection in idle:
            connection.close()


def share(figures, short):
    """One address that takes every connection that it gets, next to good clients of the same and of another address."""
    count, seconds, source = (300, 4, "127.0.0.2") if short else (1100, 30, "127.0.0.2")
    limits = {"max_connections": 280, "max_connections_per_address": 70} if short else {}
    for kind in ("asking", "dripping"):
        with Server(**CHEAP, **limits) as server:
            with Greedy(server.port, source, count, kind) as greedy:
                time.sleep(2)
                with Good(server.port) as elsewhere, Good(server.port, source=source) as there:
                    time.sleep(seconds)
        what = f"{count} {kind} connections of one address"
        figures.tell(f"{what}: at a time", f"{max(greedy.latencies)}")
        for who, good, least in [("from elsewhere", elsewhere, 99.9), ("from the same address", there, 99)]:
            figures.add(f"{what}: good client {who}, success", good.success() * 100, "%", least=least)
            figures.add(f"{what}: good client {who}, p99", percentile(good.latencies, 0.99) * 1000, "ms", most=250)
            for failure in sorted(set(good.failures))[:3]:
                figures.tell("failed with", failure)


FETCH = """
const [url, size, chunked] = [process.argv[2], Number(process.argv[3]), process.argv[4] === "chunked"];
const piece = new Uint8Array(65536).fill(32);
const pieces = async function* () { for (let sent = 0; sent < size; sent += piece.length) yield piece; };
const body = chunked ? ReadableStream.from(pieces()) : new Uint8Array(size).fill(32);
fetch(url, { method: "POST", body, duplex: "half" }).then(
  async (answer) => console.log(answer.status, (await answer.json()).error),
  (error) => console.log("failed:", error.cause?.code ?? error.message),
);
"""


def with_http_client(port, size, chunked):
    """The status that Python's http.client gets for a body of that size."""
    pieces = (bytes(1 << 16) for _ in range(size >> 16))
    connection = http.client.HTTPConnection(HOST, port, timeout=20)
    try:
        connection.request("POST", "/api/users", body=pieces if chunked else bytes(size), encode_chunked=chunked,
                           headers={"Transfer-Encoding": "chunked"} if chunked else {})
        answer = connection.getresponse()
        answer.read()
        return str(answer.status)
    except (OSError, http.client.HTTPException) as error:
        return f"failed: {error}"
    finally:
        connection.close()


def with_fetch(port, size, chunked):
    """The status that node's fetch gets for a body of that size."""
    with tempfile.NamedTemporaryFile("w", suffix=".mjs") as script:
        script.write(FETCH)
        script.flush()
        run = subprocess.run(
            ["node", script.name, f"http://{HOST}:{port}/api/users", str(size), "chunked" if chunked else "length"],
            capture_output=True, text=True, timeout=60)
    return run.stdout.split(" ")[0] if run.stdout.startswith("4") else (run.stdout or run.stderr).strip()


def early(figures, short):
    """Bodies far above the limit: whether clients that send the whole body before they read get the 413."""
    clients = {"http.client": with_http_client}
    if shutil.which("node"):
        clients["node's fetch"] = with_fetch
    else:
        figures.tell("node's fetch", "not measured: node is not installed")
    times = 2 if short else 10
    with Server(**CHEAP) as server:
        for name, client in clients.items():
            for chunked in (False, True):
                for size in (4, 8, 32):
                    found = [client(server.port, size << 20, chunked) for _ in range(times)]
                    how = "chunked" if chunked else "with Content-Length"
                    figures.add(f"{name}, {size} MB {how}: 413", found.count("413"), f"of {times}", least=times)
                    for other in sorted(set(found) - {"413"}):
                        figures.tell("instead", other)


def kid_of_login(port, user, password):
    """The id of the signing key."""
    token = log_in(port, user, password)[0]
    header = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))).get("kid")


def start(figures, short):
    """SIGHUP and SIGTERM at any time of a start, also as process 1 of a container."""
    times = 20 if short else 100
    under = {"a process": ()}
    if os.geteuid() == 0 and shutil.which("unshare"):
        under["process 1"] = ("unshare", "--pid", "--fork", "--kill-child", "--")
    else:
        figures.tell("process 1 of a namespace", "not measured: that takes root and unshare")
    for what, command in under.items():
        killed, old, slow, lost = 0, 0, 0, 0
        for number in range(times):
            # Counted from exec, which comes after the fork. For the first 1.6 ms the system loads the program, which cannot
            # handle a signal yet.
            with tempfile.TemporaryDirectory() as folder:
                keys = Path(folder) / "keys"
                keys.write_text("kid=old " + "old-" * 10 + "\n")
                starting = Starting(keys, command)
                time.sleep(0.003 + 0.297 * number / times)
                Path(f"{keys}.new").write_text("kid=new " + "new-" * 10 + "\n")
                os.replace(f"{keys}.new", keys)
                starting.signal(signal.SIGHUP)
                port = starting.port()
                if port is None:
                    killed += 1
                else:
                    old += kid_of_login(port, "user", "password") != "new"
                starting.stop()
                starting = Starting(keys, command)
                time.sleep(0.003 + 0.297 * number / times)
                began = time.monotonic()
                starting.signal(signal.SIGTERM)
                code = starting.wait(10)
                lost += code is None
                # A signal before the first line of the program kills it.
                slow += code is not None and (code not in (0, -signal.SIGTERM) or time.monotonic() - began > 3)
                starting.stop()
        figures.add(f"SIGHUP at 3 to 300 ms of a start, {what}: killed", killed, f"of {times}", most=0)
        figures.add(f"the same, {what}: the old key signs", old, f"of {times}", most=0)
        figures.add(f"SIGTERM at 3 to 300 ms of a start, {what}: lost", lost, f"of {times}", most=0)
        figures.add(f"the same, {what}: another exit code than 0, or after 3 s", slow, f"of {times}", most=0)


FLOOD = """
wrk.method = "POST"
wrk.path = "/auth/login"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"username":"user","password":"wrong password"}'
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() refused, tried, other = 0, 0, 0 end
function response(status)
  if status == 429 or status == 503 then refused = refused + 1
  elseif status == 401 then tried = tried + 1
  else other = other + 1 end
end
function done()
  for _, thread in ipairs(threads) do
    io.write(string.format("COUNTS %d %d %d\\n", thread:get("refused"), thread:get("tried"), thread:get("other")))
  end
end
"""


def flood(figures, short):
    """200 clients that log in without pause, with and without rate limits."""
    seconds = 5 if short else 30
    for name, settings in {"rate limits": {}, "no rate limits": {"rate_limits": "false"}}.items():
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script, Server(**settings) as server:
            script.write(FLOOD)
            script.flush()
            token, _ = log_in(server.port)
            with Good(server.port, token) as good, Refused(server.port) as probe:
                _, _, printed = wrk(server.port, seconds, 200, script.name)
        refused, tried, other = map(int, re.search(r"COUNTS (\d+) (\d+) (\d+)", printed).groups())
        figures.tell(f"login flood, {name}", f"{tried} tried, {refused} refused (429 or 503)")
        figures.add(f"login flood, {name}: other responses", other, "responses", most=0)
        figures.add(f"login flood, {name}: p99 of a read with a token",
                    percentile(good.latencies, 0.99) * 1000, "ms", most=50)
        figures.add(f"login flood, {name}: reads, success", good.success() * 100, "%", least=100)
        figures.add(f"login flood, {name}: wrong refusals", len(probe.failures), "responses", most=0)
        figures.add(f"login flood, {name}: refusals measured", len(probe.latencies), "responses", least=50)
        figures.add(f"login flood, {name}: refused within (p99)",
                    percentile(probe.latencies, 0.99) * 1000, "ms", most=100)


def shutdown(figures, short):
    """SIGTERM while 32 connections are busy: every request gets its response."""
    failures, slowest, codes, answered = [], 0.0, set(), 0
    lock = threading.Lock()
    for _ in range(3 if short else 10):
        with Server(**CHEAP) as server:
            ending = threading.Event()

            def busy():
                nonlocal answered
                connection = Connection(server.port)
                count = 0
                while True:
                    if connection.socket is None and ending.is_set():
                        break
                    try:
                        status, _, _ = connection.request("GET", "/api/ships/2")
                        count += 1
                        if status != 200:
                            failures.append(str(status))
                    except ConnectionRefusedError:
                        if not ending.is_set():
                            failures.append("refused before the end")
                        break
                    except (Closed, OSError) as error:
                        failures.append(str(error))
                        break
                with lock:
                    answered += count

            threads = [threading.Thread(target=busy) for _ in range(32)]
            for thread in threads:
                thread.start()
            time.sleep(1)
            ending.set()
            code, took = server.end()
            for thread in threads:
                thread.join(30)
            codes.add(code)
            slowest = max(slowest, took)
    figures.add("SIGTERM under load: answered", answered, "requests", least=1000)
    figures.add("SIGTERM under load: failed requests", len(failures), "requests", most=0)
    for failure in sorted(set(failures)):
        figures.tell("failed with", failure)
    figures.add("SIGTERM under load: exit codes other than 0", len(codes - {0}), "codes", most=0)
    figures.add("SIGTERM under load: ended after, at most", slowest, "s", most=3)


class Person(threading.Thread):
    """Logs in, refreshes, writes ships and logs out, in a loop; remembers which writes were acknowledged."""

    def __init__(self, number, port, until):
        super().__init__()
        self.name, self.password = f"person {number}", "correct horse"
        self.port, self.until = port, until
        self.ships, self.responses, self.early_ends, self.wrong = {}, 0, 0, []

    def run(self):
        # An unexpected result is a wrong response too.
        try:
            self.live(Connection(self.port))
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")

    def live(self, connection):
        self.expect(connection, 201, "POST", "/api/users", {"name": self.name, "password": self.password})
        while time.monotonic() < self.until:
            try:
                self.round(connection)
            except (Closed, OSError) as error:
                self.wrong.append(str(error))
                connection.close()

    def expect(self, connection, expected, *arguments, **named):
        """The body, or None if the status is another than expected."""
        status, _, body = connection.request(*arguments, **named)
        self.responses += 1
        if status == expected:
            return json.loads(body) if body else {}
        self.wrong.append(f"{arguments[0]} {re.sub('[0-9]+', 'N', arguments[1])}: {status}, expected {expected}")
        return None

    def round(self, connection):
        credentials = {"username": self.name, "password": self.password}
        pair = self.expect(connection, 200, "POST", "/auth/login", credentials)
        refresh = pair and pair["refresh_token"]
        for crew in range(1, 6):
            status, _, body = connection.request("POST", "/auth/refresh", token=refresh)
            self.responses += 1
            if status == 401 and crew > 1:
                # The deny list is full, so the last logout ended this token too.
                self.early_ends += 1
                return
            if status != 200:
                self.wrong.append(f"refresh: {status}")
                return
            access = json.loads(body)["access_token"]
            self.write(connection, access, crew)
            self.expect(connection, 200, "DELETE", "/auth/logout", token=access)
            self.expect(connection, 401, "DELETE", "/api/ships/1", token=access)
        status, _, _ = connection.request("DELETE", "/auth/logout2", token=refresh)
        self.responses += 1
        if status not in (200, 401):
            self.wrong.append(f"logout2: {status}")
        self.expect(connection, 401, "POST", "/auth/refresh", token=refresh)

    def write(self, connection, access, crew):
        ship = {"affiliation": "a", "category": "b", "crew": crew, "length": 1, "manufacturer": "c",
                "model": "d", "roles": ["e"], "ship_class": "f"}
        created = self.expect(connection, 201, "POST", "/api/ships", ship, token=access)
        if created is None:
            return
        changed = {**ship, "crew": crew + 1000}
        self.ships[created["id"]] = self.expect(
            connection, 200, "PUT", f"/api/ships/{created['id']}", changed, token=access)
        if len(self.ships) > 3:
            oldest = next(iter(self.ships))
            if self.expect(connection, 204, "DELETE", f"/api/ships/{oldest}", token=access) is not None:
                del self.ships[oldest]


def soak(figures, short):
    """Mixed logins, refreshes, logouts and writes, beyond the limit of revocations."""
    seconds = 30 if short else 600
    limit = 2000
    with Server(**CHEAP, max_revocations=limit, password_queue=64, log_level="off") as server:
        before = {ship["id"] for ship in json.loads(Connection(server.port).request("GET", "/api/ships")[2])}
        until = time.monotonic() + seconds
        people = [Person(number, server.port, until) for number in range(8)]
        for person in people:
            person.start()
        samples = []
        while time.monotonic() < until:
            samples.append(server.memory())
            time.sleep(seconds / 60)
        for person in people:
            person.join(60)
        stuck = sum(person.is_alive() for person in people)
        ships = {ship["id"]: ship for ship in json.loads(Connection(server.port).request("GET", "/api/ships")[2])}
    responses = sum(person.responses for person in people)
    wrong = [text for person in people for text in person.wrong]
    early = sum(person.early_ends for person in people)
    figures.tell("soak", f"{responses} responses in {seconds} s; {early} logouts ended all tokens of their user")
    figures.add("soak: logouts beyond the limit of revocations", early, "logouts", least=1)
    figures.add("soak: wrong responses", len(wrong), "responses", most=0)
    figures.add("soak: people who still wait for a response", stuck, "people", most=0)
    figures.add("soak: people who wrote something", sum(bool(person.ships) for person in people), "people", least=8)
    for text in sorted(set(wrong))[:5]:
        figures.tell("wrong", text)
    expected = {number: ship for person in people for number, ship in person.ships.items()}
    differing = sum(ships.get(number) != ship for number, ship in expected.items())
    unexpected = len(ships.keys() - expected.keys() - before)
    figures.add("soak: acknowledged writes that are missing", differing, "ships", most=0)
    figures.add("soak: ships that were never written, or that were deleted", unexpected, "ships", most=0)
    # Warm-up is the first third.
    warm = samples[len(samples) // 3:]
    figures.tell("soak: resident", f"{samples[0]:.1f} MB at first, {warm[0]:.1f} warm, {warm[-1]:.1f} at the end")
    figures.add("soak: resident at the end, of that when warm", warm[-1] / warm[0] * 100, "%", most=110)


def rocket(figures, short):
    """GET of one ship, next to the same server behind Rocket's own loop: one thread each on one core, wrk on the other."""
    loop = BUILT / "examples/rocket_loop"
    if not loop.is_file():
        raise NotMeasured(f"{loop} is not there: cargo build --release --locked --example rocket_loop")
    with Server(log_level="off", workers=1) as server:
        settings = {"ROCKET_PORT": str(server.port + 1), "ROCKET_WORKERS": "1"}
        other = subprocess.Popen([loop], cwd=server.folder.name, env=settings)
        try:
            ports = {server.port: server.pid, server.port + 1: other.pid}
            time.sleep(1)
            for pid in ports.values():
                pin(pid, 0)
            rates, costs = {port: [] for port in ports}, {port: [] for port in ports}
            for _ in range(3 if short else 9):
                for port, pid in ports.items():
                    server.pid = pid
                    began = server.cpu()
                    rate, _, printed = wrk(port, 2 if short else 4, 32, core=1)
                    requests = int(re.search(r"(\d+) requests in", printed)[1])
                    rates[port].append(rate)
                    costs[port].append((server.cpu() - began) / requests * 1e6)
        finally:
            other.kill()
            other.wait()
    middle = lambda values: percentile(values, 0.5)
    ours, theirs = ports
    figures.tell("GET one ship, 32 connections, requests/s",
                 f"{middle(rates[ours]):.0f}, Rocket's {middle(rates[theirs]):.0f}")
    figures.tell("GET one ship, CPU a request", f"{middle(costs[ours]):.2f} us, Rocket's {middle(costs[theirs]):.2f} us")
    figures.add("GET one ship: requests/s, of those of Rocket's own loop",
                middle(rates[ours]) / middle(rates[theirs]), "times", least=1.2)


def readers(figures, short):
    """1,000 slow readers of lists of 100,000, each after a write, in 1.5 GB of address space."""
    lists.readers(figures, short, CHEAP)


def writers(figures, short):
    """4 clients that write a ship and read the list of 60,000, in a loop."""
    lists.writers(figures, short, CHEAP)


def pages(figures, short):
    """Pages of a list of 100,000 ships: CPU and memory, and the effect on another client."""
    selected.pages(figures, short, CHEAP)


def networks(figures, short):
    """256 networks that exhaust the rate limits of login, refresh and registration, next to a good client."""
    others.networks(figures, short)


MEASUREMENTS = {measurement.__name__: measurement for measurement in (
    slow, slowhttptest, readers, writers, pages, memory, share, networks, early, start, flood, shutdown, soak, rocket)}


def main():
    about = "\n".join(f"  {name:13} {measurement.__doc__}" for name, measurement in MEASUREMENTS.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"measurements:\n{about}", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurements", nargs="*", metavar="MEASUREMENT", help="what to measure (default: everything)")
    parser.add_argument("--short", action="store_true", help="fewer connections and less time, as a quick check")
    arguments = parser.parse_args()
    unknown = set(arguments.measurements) - MEASUREMENTS.keys()
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    # The clients open thousands of connections too.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    figures = Figures()
    print("| What | Promised | Measured | |\n|---|---|---|---|")
    try:
        for name in arguments.measurements or MEASUREMENTS:
            MEASUREMENTS[name](figures, arguments.short)
    except (NotMeasured, Closed, OSError, subprocess.SubprocessError, queue.Empty) as error:
        print(f"measure: not measured: {error or type(error).__name__}", file=sys.stderr)
        return 2
    return 0 if figures.all_kept else 1


if __name__ == "__main__":
    sys.exit(main())
