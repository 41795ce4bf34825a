"""Slow readers of long lists, and clients that write meanwhile: the effect on memory and on other clients."""

import json
import socket
import tempfile
import threading
import time
from pathlib import Path

from clients import HOST, Closed, Connection, Good, encode_request, log_in, percentile
from server import ROOT, Server

COUNT = 100_000
# The hash of "user" at a cheap cost. No one logs in as the other users.
HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
# The address space that the server gets, in bytes.
ADDRESS_SPACE = 1536 * 1024 * 1024
# Bytes that a slow reader takes each quarter of a second.
BITE = 6 * 1024


def much_data(folder, users, ships):
    data = json.loads((ROOT / "data.json").read_text())
    ship = data["ships"][1]
    data["ships"] = [{**ship, "id": number} for number in range(1, ships + 1)]
    data["users"] += [
        {"id": number, "name": f"user {number}", "password_hash": HASH} for number in range(3, users + 1)]
    path = Path(folder) / "much.json"
    path.write_text(json.dumps(data))
    return path


class Reader:
    """Reads a list slowly: at most 24 KB per second, in small pieces."""

    def __init__(self, port, path):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.socket.settimeout(10)
        self.socket.connect((HOST, port))
        self.socket.sendall(encode_request("GET", path))
        self.taken, self.failure, self.beginning = 0, None, b""
        self.socket.setblocking(False)

    def bite(self):
        try:
            piece = self.socket.recv(BITE)
            self.taken += len(piece)
            if len(self.beginning) < 1024:
                self.beginning += piece
            if not piece:
                self.failure = self.failure or "closed before the end"
        except BlockingIOError:
            pass
        except OSError as error:
            self.failure = self.failure or str(error)


def write(connection, token, number):
    ship = {"affiliation": "a", "category": "b", "crew": number, "length": 1, "manufacturer": "c",
            "model": "d", "roles": ["e"], "ship_class": "f"}
    status, _, body = connection.request("PUT", f"/api/ships/{number}", ship, token=token)
    if status != 200:
        raise Closed(f"PUT: {status} {body!r}")


def slow_readers(figures, path, style, count, seconds, cheap):
    users, ships = (COUNT, 1000) if path.endswith("users") else (15, COUNT)
    what = f"{count} readers of {COUNT:,} {path.rpartition('/')[2]}, {style}"
    with tempfile.TemporaryDirectory() as folder:
        data = much_data(folder, users, ships)
        limited = ["prlimit", f"--as={ADDRESS_SPACE}"]
        settings = {"json": style, "max_connections": 2048, "max_connections_per_address": 2048, **cheap}
        with Server(data=data, under=limited, **settings) as server, Good(server.port) as good:
            token, _ = log_in(server.port)
            writer, readers = Connection(server.port), []
            alone, most = server.memory(), 0.0
            for number in range(1, count + 1):
                write(writer, token, number % 990 + 3)
                readers.append(Reader(server.port, path))
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                tick = time.monotonic()
                for reader in readers:
                    reader.bite()
                most = max(most, server.memory())
                time.sleep(max(0.0, 0.25 - (time.monotonic() - tick)))
            status, _, body = Connection(server.port).request("GET", path)
            complete = status == 200 and len(json.loads(body)) == COUNT
        failed = [reader.failure for reader in readers if reader.failure]
        begun = sum(reader.beginning.startswith(b"HTTP/1.1 200") for reader in readers)
    figures.tell(f"{what}: resident before", f"{alone:.0f} MB")
    figures.add(f"{what}: resident beyond that", most - alone, "MB", most=128)
    figures.add(f"{what}: readers that got a response", begun, "readers", least=count)
    figures.add(f"{what}: readers that were cut off", len(failed), "readers", most=0)
    figures.add(f"{what}: the whole list afterwards", complete, "of 1", least=1)
    figures.add(f"{what}: good client, success", good.success() * 100, "%", least=99.9)
    figures.add(f"{what}: good client, p99", percentile(good.latencies, 0.99) * 1000, "ms", most=50)


def readers(figures, short, cheap):
    """1,000 slow readers of lists of 100,000, each after a write, in 1.5 GB of address space."""
    for style in ("compact", "pretty"):
        for path in ("/api/users", "/api/ships"):
            slow_readers(figures, path, style, 100 if short else 1000, 5 if short else 20, cheap)


def writers(figures, short, cheap):
    """4 clients that write a ship and read the list of 60,000 in a loop, next to a good client."""
    with tempfile.TemporaryDirectory() as folder:
        with Server(data=much_data(folder, 2, 60_000), **cheap) as server:
            token, _ = log_in(server.port)
            until, failures, lists = time.monotonic() + (3 if short else 15), [], [0] * 4

            def work(index):
                connection = Connection(server.port)
                while time.monotonic() < until:
                    try:
                        write(connection, token, index + 3)
                        status, headers, body = connection.request("GET", "/api/ships")
                        lists[index] += 1
                        if status != 200 or len(body) != int(headers["content-length"]):
                            failures.append(f"{status}, {len(body)} bytes")
                    except (Closed, OSError) as error:
                        failures.append(str(error))

            threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
            with Good(server.port) as good:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(60)
    what = "4 clients that write and read a list of 60,000 ships"
    figures.add(f"{what}: lists", sum(lists), "lists", least=8)
    figures.add(f"{what}: failures", len(failures), "requests", most=0)
    figures.add(f"{what}: another client, p99", percentile(good.latencies, 0.99) * 1000, "ms", most=20)
