"""Data files with many ships or many users, and requests for them."""

import json
import random
import subprocess
from pathlib import Path

from clients import encode_request
from server import BINARY

from bench import ROOT

# How many different ids are requested: `load` holds a request for each.
REQUESTED_IDS = 10_000


class DataFiles:
    """By what grows in them and how much: `path("ships", 1000)`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.example = json.loads((ROOT / "data.json").read_text())
        # Hashed once: a start with 100,000 passwords would take an hour.
        self.hash = subprocess.run(
            [BINARY, "hash-password"], cwd=folder, input="password\n", capture_output=True, text=True,
            check=True).stdout.strip()

    def path(self, grown, count):
        users = count if grown == "users" else 2
        ships = count if grown == "ships" else len(self.example["ships"])
        path = self.folder / f"{ships}-ships-{users}-users.json"
        if not path.exists():
            with path.open("w") as file:
                file.write('{"users":[')
                _write(file, ({**self.user(id_), "password_hash": self.hash} for id_ in range(1, users + 1)))
                file.write('],"ships":[')
                _write(file, map(self.ship, range(1, ships + 1)))
                file.write("]}")
        return path

    def ship(self, id_):
        ships = self.example["ships"]
        return {**ships[(id_ - 1) % len(ships)], "id": id_}

    @staticmethod
    def user(id_):
        return {"id": id_, "name": "user" if id_ == 1 else f"user {id_}"}


def _write(file, elements):
    for number, element in enumerate(elements):
        file.write(",\n" if number else "\n")
        file.write(json.dumps(element))


def ids(count):
    """All ids from 1 to `count`, or a sample, in a random order with a fixed seed."""
    return random.Random(count).sample(range(1, count + 1), min(count, REQUESTED_IDS))


def job_request(method, target, response, body=None, token=None):
    """A request of a job for `load`, with the expected response: compact JSON with sorted names."""
    text = json.dumps(response, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    return {
        "bytes": encode_request(method, target, body, token).decode(), "status": 200, "template": [{"literal": text}]}


def get_ship(files, id_):
    return job_request("GET", f"/api/ships/{id_}", files.ship(id_))


def put_ship(files, id_, token):
    """Replaces the ship by an equal one."""
    ship = files.ship(id_)
    return job_request("PUT", f"/api/ships/{id_}", ship, {name: ship[name] for name in ship if name != "id"}, token)


def get_user(files, id_):
    return job_request("GET", f"/api/users/{id_}", files.user(id_))
