"""Many networks that use up the rates of login, refresh and registration: what a good client notices."""

import json
import threading
import time

from clients import Closed, Connection
from server import Server

NETWORKS = 256
# Requests a second to each operation, of all networks together.
RATE = 24
ATTACKERS = 8
OPERATIONS = {
    "login": ("POST", "/auth/login"), "refresh": ("POST", "/auth/refresh"), "creation": ("POST", "/api/users")}


class From(Connection):
    """A connection of a trusted proxy, for a client with that address."""

    def __init__(self, port, address):
        super().__init__(port)
        self.address = address

    def ask(self, method, path, body=None, token=None):
        return super().ask(method, path, body, token, fields={"X-Forwarded-For": self.address})


def attack(port, stop, body, failures, first):
    """As fast as it can for all networks, then its share of RATE requests a second to each operation."""
    connection, count = From(port, ""), first
    while not stop.is_set():
        tick = time.monotonic()
        for _ in range(NETWORKS if count == first else RATE // ATTACKERS):
            count += ATTACKERS
            connection.address = f"2001:db8:{count % NETWORKS:x}:1::1"
            for method, path in OPERATIONS.values():
                try:
                    connection.ask(method, path, body and body(path, count))
                except (Closed, OSError) as error:
                    failures.append(str(error))
                    connection.close()
        time.sleep(max(0.0, 1 - (time.monotonic() - tick)))


def good(port, seconds):
    """Logs in, refreshes and creates a user, once a second: within its own limits; how often each was answered as it should be."""
    connection = From(port, "192.0.2.7")
    credentials = {"username": "user", "password": "password"}
    done, well = dict.fromkeys(OPERATIONS, 0), dict.fromkeys(OPERATIONS, 0)
    refresh = json.loads(connection.ask("POST", "/auth/login", credentials)[2])["refresh_token"]
    # By the next request the server would have closed it as idle.
    connection.close()
    yield
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        asked = {
            "login": (200, credentials, None),
            "refresh": (200, None, refresh),
            "creation": (201, {"name": f"good {done['creation']}", "password": "password"}, None),
        }
        for name, (expected, body, token) in asked.items():
            status, _, _ = connection.ask(*OPERATIONS[name], body, token)
            done[name] += 1
            well[name] += status == expected
        time.sleep(1)
    yield {name: well[name] / done[name] * 100 for name in OPERATIONS}


def wrong(path, number):
    """A body that is as it should be, but for the password."""
    if path == "/auth/login":
        return {"username": f"stranger {number}", "password": "wrong password"}
    return {"name": "user", "password": "password"}


def networks(figures, short):
    """256 networks that use up the rates of login, refresh and registration, while a good client does the same."""
    for kind, body in {"without token or body": None, "with wrong passwords and taken names": wrong}.items():
        # A cheap password, but one that costs something: what is refused must be refused before it is hashed.
        with Server(trusted_proxies='["127.0.0.1"]', password_memory=1024, password_iterations=1) as server:
            client = good(server.port, 5 if short else 20)
            next(client)
            stop, failures = threading.Event(), []
            attackers = [
                threading.Thread(target=attack, args=(server.port, stop, body, failures, first))
                for first in range(ATTACKERS)]
            for attacker in attackers:
                attacker.start()
            time.sleep(6 if short else 10)
            shares = next(client)
            stop.set()
            for attacker in attackers:
                attacker.join(60)
        for name, share in shares.items():
            figures.add(f"{NETWORKS} networks {kind}: {name} of a good client", share, "%", least=99)
        figures.add(f"{NETWORKS} networks {kind}: requests that were not answered", len(failures), "requests", most=0)
