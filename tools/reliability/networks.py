"""Many networks that exhaust the rate limits of login, refresh and registration: the effect on a good client."""

import json
import threading
import time

from clients import Closed, Connection
from server import Server

NETWORKS = 256
# Requests per second to each operation, of all networks together.
RATE = 24
ATTACKERS = 8
OPERATIONS = {
    "login": ("POST", "/auth/login"), "refresh": ("POST", "/auth/refresh"), "creation": ("POST", "/api/users")}


class ProxyConnection(Connection):
    """A connection of a trusted proxy, on behalf of a client with that address."""

    def __init__(self, port, address):
        super().__init__(port)
        self.address = address

    def request(self, method, path, body=None, token=None):
        return super().request(method, path, body, token, fields={"X-Forwarded-For": self.address})


def attack(port, stop, body, failures, first):
    """Sends as fast as it can for all networks, then its share of RATE requests per second to each operation."""
    connection, count = ProxyConnection(port, ""), first
    while not stop.is_set():
        tick = time.monotonic()
        for _ in range(NETWORKS if count == first else RATE // ATTACKERS):
            count += ATTACKERS
            connection.address = f"2001:db8:{count % NETWORKS:x}:1::1"
            for method, path in OPERATIONS.values():
                try:
                    connection.request(method, path, body and body(path, count))
                except (Closed, OSError) as error:
                    failures.append(str(error))
                    connection.close()
        time.sleep(max(0.0, 1 - (time.monotonic() - tick)))


def good(port, seconds):
    """Logs in, refreshes and creates a user once a second, within its limits; yields the percentage that succeeds."""
    connection = ProxyConnection(port, "192.0.2.7")
    credentials = {"username": "user", "password": "password"}
    sent, succeeded = dict.fromkeys(OPERATIONS, 0), dict.fromkeys(OPERATIONS, 0)
    refresh = json.loads(connection.request("POST", "/auth/login", credentials)[2])["refresh_token"]
    # The server would close it as idle before the next request.
    connection.close()
    yield
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        requests = {
            "login": (200, credentials, None),
            "refresh": (200, None, refresh),
            "creation": (201, {"name": f"good {sent['creation']}", "password": "password"}, None),
        }
        for name, (expected, body, token) in requests.items():
            status, _, _ = connection.request(*OPERATIONS[name], body, token)
            sent[name] += 1
            succeeded[name] += status == expected
        time.sleep(1)
    yield {name: succeeded[name] / sent[name] * 100 for name in OPERATIONS}


def wrong(path, number):
    """A valid body with a wrong password, or with a taken name."""
    if path == "/auth/login":
        return {"username": f"stranger {number}", "password": "wrong password"}
    return {"name": "user", "password": "password"}


def networks(figures, short):
    """256 networks that exhaust the rate limits of login, refresh and registration, next to a good client."""
    for kind, body in {"without token or body": None, "with wrong passwords and taken names": wrong}.items():
        # Passwords are cheap but not free: a refused request must be refused before its password is hashed.
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
        figures.add(f"{NETWORKS} networks {kind}: requests without a response", len(failures), "requests", most=0)
