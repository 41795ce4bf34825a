"""The requests of each workload, and the expected responses."""

import json
from dataclasses import dataclass
from pathlib import Path

from clients import encode_request

from bench import ROOT
from bench.answers import ANYTHING, Token

MANY = 10_000
CONNECTIONS = (1, 32, 256)


@dataclass(frozen=True)
class Request:
    """A request, and the expected response."""

    method: str
    target: str
    body: dict | None = None
    # Which token it sends: "access", "refresh", or none.
    token: str | None = None
    status: int = 200
    expected: object = ANYTHING

    def bytes(self, tokens):
        return encode_request(self.method, self.target, self.body, tokens.get(self.token))


@dataclass(frozen=True)
class Workload:
    """Requests, and the order in which they are repeated."""

    name: str
    requests: tuple
    order: tuple
    many: bool = False
    min_requests: int = 0
    # Seconds that a response may take.
    limit: float = 10


def login(peer):
    expected = {"access_token": Token("access"), "refresh_token": Token("refresh")}
    return Request("POST", "/auth/login", {peer.user_field: "user", "password": "password"}, expected=expected)


def workloads(peer, ships, many):
    """By name, in the order in which they are measured. `ships` and `many` are those of the two data files."""
    gets = tuple(Request("GET", f"/api/ships/{ship['id']}", expected=ship) for ship in ships)
    all_gets = tuple(range(len(gets)))
    # Replaces the ship by an equal one, so that the responses of GET stay the same.
    body = {name: value for name, value in ships[0].items() if name != "id"}
    put = Request("PUT", "/api/ships/1", body, "access", expected=ships[0])
    refresh = Request("POST", "/auth/refresh", token="refresh", expected={"access_token": Token("access")})
    # 4 of 5 requests are a GET of a ship, of each ship equally often.
    mixed = tuple(
        step for number in range(len(gets))
        for step in (*(all_gets[(4 * number + turn) % len(gets)] for turn in range(4)), len(gets)))
    every = (
        Workload("get", gets, all_gets),
        Workload("list", (Request("GET", "/api/ships", expected=ships),), (0,)),
        Workload("put", (put,), (0,)),
        Workload("refresh", (refresh,), (0,)),
        Workload("404", (Request("GET", "/api/ships/999999", status=404),), (0,)),
        Workload("mixed", (*gets, put), mixed),
        # The last of those with 15 ships: the memory that passwords take is told apart from that of all the others.
        Workload("login", (login(peer),), (0,), min_requests=20),
        # 256 of these at a time take the slowest servers 10 seconds.
        Workload("list-10000", (Request("GET", "/api/ships", expected=many),), (0,), many=True, limit=30),
    )
    return {workload.name: workload for workload in every}


NAMES = ("get", "list", "put", "refresh", "404", "mixed", "login", "list-10000")


class Data:
    """The data files that the servers are started with: the example's ships, and many like them."""

    def __init__(self, folder):
        example = json.loads((ROOT / "data.json").read_text())
        self.ships = example["ships"]
        self.many = [{**self.ships[at % len(self.ships)], "id": at + 1} for at in range(MANY)]
        self.files = {}
        for many, ships in ((False, self.ships), (True, self.many)):
            self.files[many] = Path(folder) / f"{len(ships)}.json"
            self.files[many].write_text(json.dumps({**example, "ships": ships}))
