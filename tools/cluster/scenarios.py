"""Scenarios without a fault: consistency under random operations, the same answers as in memory, and rate limits."""

import asyncio
import contextlib
import http.client
import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from database import Postgres
from nodes import Cluster, Node, data_file, store
from processes import HOST, Processes
from rotation import rotate
from session import Session, judge


@contextlib.contextmanager
def started(options, **settings):
    """A cluster, on the store that the options name. Yields the processes, the database and the cluster."""
    with Processes() as processes:
        if options.store == "memory":
            yield processes, None, Cluster(processes, count=1, **settings)
            return
        server = Postgres(processes).create()
        store("init", server.url(), "--data", data_file(processes.folder))
        yield processes, server, Cluster(processes, server.url(), options.nodes, **settings)


def consistency(figures, options):
    """Random operations of several users over all nodes; every answer is checked."""
    operations = options.operations or (20_000 if options.short else 200_000)
    with started(options) as (_, _, cluster):
        with Session(cluster, operations=operations // 2, clients=12) as session:
            session.wait()
            session.check()
    judge(figures, "consistency", session)
    figures.tell("consistency: throughput", f"{operations / session.seconds:,.0f} operations/s")
    figures.add("consistency: operations", session.total("operations"), "", least=operations)
    figures.add("consistency: logouts", session.total("logouts"), "", least=operations // 10)


def unshared(figures, options):
    """Two nodes that share nothing: the check must find that."""
    del options
    with Processes() as processes:
        cluster = Cluster(processes, count=2)
        # A node refuses the tokens of others from the second of its start.
        time.sleep(2)
        with Session(cluster, operations=1500) as session:
            session.wait()
            session.check()
    for what, sign in (("tokens let in after their end", "let in"), ("objects without an order of operations", "no order"),
                       ("ids given out twice", "given out twice")):
        found = sum(sign in reason for reason in session.violations)
        figures.add(f"unshared: {what}, found by the check", found, "", least=1)


def same(figures, options):
    """One client, and the same requests to a node with the store in memory: the answers must be the same, byte for byte."""
    rng, steps = random.Random(5), 1_000 if options.short else 6_000
    with started(options) as (processes, _, cluster):
        model = Node(processes, "model")
        model.wait()
        ours, theirs = Side(cluster.proxy.port), Side(model.port)
        different, statuses = [], Counter()
        for step in range(steps):
            kind, ask = any_request(rng)
            answers = [side.ask(ask, kind) for side in (ours, theirs)]
            statuses[answers[1][0]] += 1
            if answers[0] != answers[1]:
                different.append(f"step {step}: {kind} {ask}: {answers[0]} is not {answers[1]}")
    for reason in different[:5]:
        figures.violation("same", reason)
    figures.tell("same: statuses", ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())))
    figures.add(f"same: of {steps} requests, answers that differ from those of the store in memory", len(different), "", most=0)


class Side:
    """A server with its own tokens and versions; what is the same in both is called by the same names."""

    KEPT = {"content-type", "content-length", "location", "link", "x-total-count", "allow", "cache-control", "retry-after"}

    def __init__(self, port):
        self.connection = http.client.HTTPConnection(HOST, port, timeout=10)
        self.tokens, self.refreshes, self.versions = [], [], {}

    def ask(self, ask, kind):
        method, path, body, token, required = ask
        headers = {"Host": "ships.example", "X-Forwarded-Proto": "http"}
        pool = self.refreshes if kind in ("refresh", "log_out_refresh") else self.tokens
        if token is not None and pool:
            headers["Authorization"] = f"Bearer {pool[-1 - token % min(len(pool), 8)]}"
        if required is not None and path in self.versions:
            versions = self.versions[path]
            headers["If-Match"] = versions[required % len(versions)]
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, text, headers | ({"Content-Type": "application/json"} if text else {}))
        response = self.connection.getresponse()
        content = response.read()
        fields = {name.lower(): value for name, value in response.getheaders()}
        if tag := fields.get("etag"):
            self.versions.setdefault(path, []).append(tag)
        kept = {name: value for name, value in fields.items() if name in self.KEPT}
        if kind in ("log_in", "refresh") and response.status == 200:
            tokens = json.loads(content)
            self.tokens.append(tokens["access_token"])
            if "refresh_token" in tokens:
                self.refreshes.append(tokens["refresh_token"])
            # The lengths of two tokens may differ with the ids in them.
            return response.status, sorted(tokens)
        return response.status, sorted(kept.items()), content


def any_request(rng):
    """A kind, and (method, path, body, number of the token, number of the version)."""
    ship, user = f"/api/ships/{rng.randint(1, 30)}", f"/api/users/{rng.randint(1, 12)}"
    token = rng.randrange(1000) if rng.random() < 0.9 else None
    required = rng.randrange(1000) if rng.random() < 0.3 else None
    name, password = rng.choice(["user", "guest", "ann", "bob", "eve", "ü\0ni"]), rng.choice(["password", "guest", "secret"])
    body = {"affiliation": rng.choice(["Empire", "Rebel Alliance", "ÄÖ\0"]), "category": "Test", "crew": rng.randint(1, 9),
            "length": rng.randint(1, 9), "manufacturer": rng.choice(["K", "k", "É"]), "model": f"m{rng.randint(0, 9)}",
            "roles": rng.choice([[], ["a", "b"], ["b"]]), "ship_class": "c"}
    if rng.random() < 0.05:
        body[rng.choice(list(body))] = rng.choice([None, 0, "x" * 200, [1]])
    account = {"name": name, "password": password}
    query = rng.choice([
        "", "?limit=3", "?sort=-crew,model&limit=4", "?crew.gte=3&sort=length", "?q=k", "?roles=b&limit=2", "?affiliation=Empire",
        "?manufacturer=k&manufacturer=K", "?limit=0", "?cursor=x", "?length.lt=5&crew.gt=2&sort=-id", "?model=m1&model=m2&limit=1"])
    return rng.choice([
        ("get", ("GET", ship, None, None, required)), ("get", ("GET", user, None, None, required)),
        ("list", ("GET", "/api/ships" + query, None, None, None)), ("list", ("GET", "/api/users", None, None, None)),
        ("list", ("GET", f"/api/users?sort=-name&limit={rng.randint(1, 3)}", None, None, None)),
        ("create", ("POST", "/api/ships", body, token, None)), ("create", ("POST", "/api/users", account, None, None)),
        ("put", ("PUT", ship, body, token, required)), ("put", ("PUT", user, account, token, required)),
        ("patch", ("PATCH", ship, {"crew": rng.randint(-1, 9)}, token, required)),
        ("patch", ("PATCH", user, {rng.choice(["name", "password"]): name}, token, required)),
        ("delete", ("DELETE", ship, None, token, required)),
        *([("delete", ("DELETE", user, None, token, required))] if rng.random() < 0.1 else []),
        ("log_in", ("POST", "/auth/login", {"username": name, "password": password}, None, None)),
        *[("log_in", ("POST", "/auth/login", {"username": name, "password": word}, None, None))
          for word in ("password", "guest", "secret", name)],
        ("refresh", ("POST", "/auth/refresh", None, token, None)),
        *([("log_out", ("DELETE", "/auth/logout", None, token, None)),
           ("log_out_refresh", ("DELETE", "/auth/logout2", None, token, None))] if rng.random() < 0.3 else []),
    ])


def rotation(figures, options):
    """Refresh rotation: two nodes that are asked at once spend a token once."""
    with started(options, refresh_rotation="true", refresh_grace=0) as (_, _, cluster):
        found, logins = asyncio.run(rotate(cluster.addresses()))
    for reason in found[:5]:
        figures.violation("rotation", reason)
    figures.add(f"rotation: violations in {logins} logins", len(found), "", most=0)


NO_LIMIT = "1000000/second"


def limits(figures, options):
    """Rate limits over all nodes let through what one node does."""
    cases = {
        "rate_by_address": ("20/hour", [("127.1.0.1", f"name{number}") for number in range(120)], 20),
        "rate_by_user": ("10/hour", [(f"127.2.0.{number + 1}", "user") for number in range(120)], 10),
        "rate_overall": ("50/hour", [(f"127.3.0.{number + 1}", f"name{number}") for number in range(200)], 50),
    }
    for setting, (rate, clients, expected) in cases.items():
        settings = {name: NO_LIMIT for name in cases} | {setting: rate, "rate_limits": "true"}
        with Processes() as processes:
            alone = Node(processes, "alone", **settings)
            alone.wait()
            by_one = let_through([alone], clients)
        figures.add(f"limits: {setting} = {rate}, one node, let through of {len(clients)} logins at once", by_one, "",
                    least=expected, most=expected)
        if options.store == "memory":
            continue
        with started(options, **settings) as (_, _, cluster):
            by_all = let_through(cluster.nodes, clients)
        figures.add(f"limits: {setting} = {rate}, {options.nodes} nodes", by_all, "", least=by_one, most=by_one)


def let_through(nodes, clients):
    """The number of logins that are not refused as too many, each at another node."""
    def log_in(numbered):
        number, (source, name) = numbered
        node = nodes[number % len(nodes)]
        connection = http.client.HTTPConnection(node.host, node.port, timeout=10, source_address=(source, 0))
        try:
            connection.request("POST", "/auth/login", json.dumps({"username": name, "password": "wrong password"}),
                               {"Content-Type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(log_in, enumerate(clients)))
    unexpected = [status for status in statuses if status not in (401, 429)]
    return statuses.count(401) if not unexpected else -len(unexpected)
