"""Random operations by several clients of one process, and the check of all their answers."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import wire
from linearizability import FOREVER
from ships import Ships
from users import Users
from wire import Connection, Failed, Late, Lost, NotSent
from world import CrewObject, FleetObject, Token, User, payload

REFUSALS = {"Token has been revoked", "Unauthorized"}


@dataclass
class Plan:
    """What a process of clients does."""

    # The ports of the proxy and of the nodes, as (host, port); `direct` is the share of requests that go to a node.
    proxy: tuple
    nodes: list
    number: int = 0
    clients: int = 12
    operations: int = 10**9
    seconds: float = 10**9
    direct: float = 0.25
    seed: int = 1
    # Seconds between the operations of one client.
    pause: float = 0.0
    # Whether 502 and 504 are answers that the fault allows, besides 503.
    weights: dict = field(default_factory=dict)


@dataclass
class Report:
    """The results of one process."""

    operations: int = 0
    logouts: int = 0
    tokens: int = 0
    probes: int = 0
    violations: list = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    # (start, end, what, where) of each request that got no answer of an operation.
    failures: list = field(default_factory=list)
    late: int = 0
    slowest: float = 0
    unknown_creates: Counter = field(default_factory=Counter)
    creates: dict = field(default_factory=lambda: {"ships": [], "users": []})
    seen: dict = field(default_factory=lambda: {"ships": [], "users": []})
    latencies: list = field(default_factory=list)
    # Answers of operations in each second of CLOCK_MONOTONIC.
    rates: Counter = field(default_factory=Counter)
    objects: int = 0
    configurations: int = 0
    seconds: float = 0


WEIGHTS = {
    "get_ship": 20, "create_ship": 6, "put_ship": 12, "patch_ship": 8, "delete_ship": 4, "list_ships": 6,
    "create_user": 3, "get_user": 4, "change_user": 4, "delete_user": 1, "list_users": 2,
    "log_in": 5, "refresh": 10, "log_out": 12, "log_out_refresh": 3,
}


class Load(Ships, Users):
    """Clients that share their tokens, ships and users, and so meet at them."""

    def __init__(self, plan, stop):
        self.plan, self.stop, self.rng, self.report = plan, stop, random.Random(plan.seed), Report()
        self.counter = 0
        self.fleets, self.crews, self.all_fleets, self.all_crews = [], [], [], []
        self.tokens, self.access, self.refreshes, self.ended = [], [], [], []
        # Users that nothing changes: their tokens end by logouts only.
        self.steady = [User(1, "user", ["password"]), User(2, "guest", ["guest"])]
        weights = WEIGHTS | plan.weights
        self.kinds, self.weights = list(weights), list(weights.values())

    # Requests

    def unique(self):
        """A number that no other write of this run has."""
        self.counter += 1
        return self.plan.number * 20_000_000 + self.counter

    def route(self, connections):
        """The proxy, or a node."""
        if connections[1:] and self.rng.random() < self.plan.direct:
            return self.rng.randrange(1, len(connections))
        return 0

    async def ask(self, connections, kind, *arguments, where=None, **named):
        """Sends a request, and counts the answer. Raises Failed if it is not the answer of an operation."""
        where = self.route(connections) if where is None else where
        report, start = self.report, time.monotonic_ns()
        report.operations += 1
        try:
            answer = await connections[where].request(*arguments, **named)
        except NotSent:
            return self.fail(start, "refused", kind, where, False)
        except Late:
            report.late += 1
            return self.fail(start, "late", kind, where, True)
        except Lost:
            return self.fail(start, "closed", kind, where, True)
        report.statuses[kind, answer.status] += 1
        report.latencies.append(answer.end - answer.start)
        if answer.status in (502, 503, 504):
            if answer.field(wire.RETRY) is None:
                report.violations.append(f"{kind}: {answer.status} without Retry-After")
            return self.fail(start, str(answer.status), kind, where, True)
        report.rates[answer.end // 10**9] += 1
        return answer

    def fail(self, start, what, kind, where, is_unknown):
        self.report.failures.append((start, time.monotonic_ns(), what, where, kind))
        raise Failed(is_unknown)

    def unexpected(self, kind, answer):
        self.report.violations.append(f"{kind}: unexpected answer {answer.status} {answer.body[:200]!r}")

    def judge(self, token, answer, is_owner=False):
        """Records what the answer says about the token. Returns whether the token was let in. The owner of a deleted account
        gets 404 for it."""
        error = answer.json().get("error") if answer.status == 401 else None
        if error in REFUSALS:
            token.uses.append((answer.start, answer.end, False))
            self.forget(token)
            return False
        is_gone = answer.status == 404 and is_owner
        (token.gone if is_gone else token.uses).append((answer.start, answer.end, True))
        return True

    def forget(self, token):
        pool = self.refreshes if token.is_refresh else self.access
        if token in pool:
            pool.remove(token)

    # Objects

    def fleet(self):
        return self.rng.choice(self.fleets)

    def crew(self):
        return self.rng.choice(self.crews)

    def refill(self):
        """Replaces objects whose history is long enough."""
        for live, every, make in ((self.fleets, self.all_fleets, FleetObject), (self.crews, self.all_crews, CrewObject)):
            for index, item in enumerate(live):
                if item.is_full():
                    live[index] = make(f"{item.name.split('.')[0]}.{len(every)}")
                    every.append(live[index])

    def begin(self):
        letter = f"p{self.plan.number}"
        self.fleets = [FleetObject(f"fleet-{letter}{index}.0") for index in range(2)]
        self.crews = [CrewObject(f"crew-{letter}{index}.0") for index in range(2)]
        self.all_fleets, self.all_crews = list(self.fleets), list(self.crews)

    async def client(self, number, until):
        rng, plan = self.rng, self.plan
        connections = [Connection(port, host) for host, port in (plan.proxy, *plan.nodes)]
        while self.report.operations < plan.operations and time.monotonic() < until and not self.stop.is_set():
            kind = rng.choices(self.kinds, self.weights)[0]
            if len(self.access) < 12 and kind == "log_out":
                kind = "refresh" if self.refreshes else "log_in"
            if not self.access or (not self.refreshes and kind in ("refresh", "log_out_refresh")):
                kind = "log_in"
            try:
                await getattr(self, kind)(connections)
            except Failed:
                await asyncio.sleep(0.1)
            self.refill()
            if plan.pause:
                await asyncio.sleep(plan.pause)
        for connection in connections:
            connection.close()

    # Tokens

    async def log_in(self, connections):
        user = self.rng.choice(self.steady)
        if self.rng.random() < 0.6 and (crew := self.crew()).users:
            user = self.rng.choice(list(crew.users.values()))
        password = self.rng.choice(user.passwords[-3:])
        name = user.name
        answer = await self.ask(connections, "log_in", "POST", "/auth/login", {"username": name, "password": password})
        if answer.status not in (200, 401):
            return self.unexpected("log_in", answer)
        id_ = None
        if answer.status == 200:
            tokens = answer.json()
            id_ = payload(tokens["access_token"])["identity"]
            owner = user if user.crew is None else user.crew.users.get(id_) or user.crew.users.setdefault(
                id_, User(id_, name, [password], crew=user.crew))
            self.add_token(tokens["access_token"], False, owner, answer)
            self.add_token(tokens["refresh_token"], True, owner, answer)
        if user.crew:
            user.crew.add("login", answer.start, answer.end, 200, (name, password), id_)
        elif id_ != user.id:
            self.unexpected(f"log_in as {user.name}", answer)

    def add_token(self, text, is_refresh, user, answer):
        token = Token(text, is_refresh, user, (answer.start, answer.end))
        self.tokens.append(token)
        pool = self.refreshes if is_refresh else self.access
        pool.append(token)
        if len(pool) > 200:
            pool.pop(self.rng.randrange(100))

    async def refresh(self, connections):
        await self.refresh_with(connections, self.rng.choice(self.refreshes))

    async def refresh_with(self, connections, token, where=None):
        answer = await self.ask(connections, "refresh", "POST", "/auth/refresh", token=token.text, where=where)
        if self.judge(token, answer) and answer.status == 200:
            self.add_token(answer.json()["access_token"], False, token.user, answer)
        elif answer.status != 401:
            self.unexpected("refresh", answer)

    async def log_out(self, connections):
        await self.end(connections, self.rng.choice(self.access), "/auth/logout")

    async def log_out_refresh(self, connections):
        if len(self.refreshes) > 4:
            await self.end(connections, self.rng.choice(self.refreshes), "/auth/logout2")

    async def end(self, connections, token, path):
        """Logs a token out, and asks a node or all of them at once whether they still let it in."""
        start = time.monotonic_ns()
        try:
            answer = await self.ask(connections, "log_out", "DELETE", path, token=token.text)
        except Failed as failed:
            if failed.is_unknown:
                token.logouts.append((start, FOREVER, False))
            raise
        if answer.status == 200:
            token.logouts.append((answer.start, answer.end, True))
            self.report.logouts += 1
            self.ended.append(token)
        elif answer.status != 401:
            return self.unexpected("log_out", answer)
        self.judge(token, answer)
        self.forget(token)
        for where in range(len(connections)) if self.rng.random() < 0.2 else (self.route(connections),):
            await self.probe(connections, token, where)

    async def probe(self, connections, token, where):
        """Asks whether a token is let in, without changing anything."""
        if token.is_refresh:
            return await self.refresh_with(connections, token, where)
        answer = await self.ask(connections, "probe", "POST", "/api/ships", {}, token=token.text, where=where)
        self.report.probes += 1
        if answer.status not in (400, 401):
            self.unexpected("probe", answer)
        self.judge(token, answer)

    def any_access(self):
        """An access token: now and then one that was logged out a moment ago."""
        if self.ended and self.rng.random() < 0.1:
            token = self.rng.choice(self.ended[-20:])
            if not token.is_refresh:
                return token
        return self.rng.choice(self.access)

    # Writes

    async def change(self, connections, item, kind, asked, *request, token, accepted, version=None):
        """A write to an object. Returns the answer, unless the token was refused."""
        extra = [("If-Match", version)] if version else []
        start = time.monotonic_ns()
        try:
            answer = await self.ask(connections, f"{kind}_{item.kind}", *request,
                                    token=token and token.text, extra=extra)
        except Failed as failed:
            if failed.is_unknown:
                item.add(kind, start, FOREVER, None, asked)
                self.report.unknown_creates[item.kind] += kind == "create"
            raise
        if token and not self.judge(token, answer, item.kind == "user"):
            if answer.json()["error"] == "Unauthorized" and 401 in accepted:
                item.add(kind, answer.start, answer.end, 401, asked)
            return None
        if answer.status not in accepted:
            self.unexpected(kind, answer)
            return None
        return answer

    # The whole run

    async def run(self):
        self.begin()
        began = time.monotonic()
        until = began + self.plan.seconds
        await asyncio.gather(*(self.client(number, until) for number in range(self.plan.clients)))
        self.report.seconds = time.monotonic() - began

    async def read_all(self):
        """After the load: reads every object, and asks every node about every token."""
        work, nodes = [], max(len(self.plan.nodes), 1)
        for fleet in self.all_fleets:
            work.append((self.list_ships, fleet))
        for crew in self.all_crews:
            work.append((self.list_users, crew))
        for token in self.tokens:
            work.append((self.probe, token))
        work.reverse()

        async def client():
            connections = [Connection(port, host) for host, port in (self.plan.nodes or [self.plan.proxy])]
            while work:
                ask, item = work.pop()
                places = range(nodes) if ask == self.probe else (self.rng.randrange(nodes),)
                for where in places:
                    await self.insist(ask, connections, item, where)
            for connection in connections:
                connection.close()

        await asyncio.gather(*(client() for _ in range(self.plan.clients)))

    async def insist(self, ask, *arguments, attempts=5):
        """Reads, although a few requests may fail shortly after a fault."""
        for _ in range(attempts):
            try:
                return await ask(*arguments)
            except Failed:
                await asyncio.sleep(0.2)
        self.report.violations.append(f"{ask.__name__} failed {attempts} times after the load")

    def check(self):
        """Checks all histories. Returns the report."""
        report = self.report
        for item in (*self.all_fleets, *self.all_crews):
            reasons, configurations = item.check()
            report.violations += reasons
            report.configurations = max(report.configurations, configurations)
        report.violations += filter(None, (token.violation() for token in self.tokens))
        report.objects, report.tokens = len(self.all_fleets) + len(self.all_crews), len(self.tokens)
        report.seen["ships"] = [id_ for fleet in self.all_fleets for id_ in fleet.makers.values()]
        report.seen["users"] = [id_ for crew in self.all_crews for id_ in crew.users]
        report.slowest = max(report.latencies, default=0) / 1e9
        return report
