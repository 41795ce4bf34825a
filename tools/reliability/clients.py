"""Clients: a good one that counts every response, and slow ones. Loopback only."""

import json
import multiprocessing
import selectors
import socket
import struct
import time

HOST = "127.0.0.1"
# A TCP state of the kernel: the connection is open.
ESTABLISHED = 1


def encode_request(method, path, body=None, token=None, close=False, fields=None):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    content = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if close:
        lines.append("Connection: close")
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Closed(Exception):
    """The connection ended before the response was complete."""


class Connection:
    """A keep-alive connection, opened again after the server has announced that it closes it."""

    def __init__(self, port, limit=20, source=HOST):
        self.port, self.limit, self.source, self.socket = port, limit, source, None

    def request(self, *arguments, **named):
        """Sends a request. Returns the status, the headers (lower case) and the body of the response."""
        if self.socket is None:
            self.socket = socket.create_connection(
                (HOST, self.port), timeout=self.limit, source_address=(self.source, 0))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.sendall(encode_request(*arguments, **named))
            response = self._read()
        except OSError as error:
            self.close()
            raise Closed(str(error)) from error
        if response[1].get("connection") == "close":
            self.close()
        return response

    def _read(self):
        text = b""
        while b"\r\n\r\n" not in text:
            text += self._more()
        head, _, body = text.partition(b"\r\n\r\n")
        first, *fields = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        while len(body) < int(headers.get("content-length", 0)):
            body += self._more()
        return int(first.split()[1]), headers, body

    def _more(self):
        bytes_ = self.socket.recv(1 << 16)
        if not bytes_:
            raise ConnectionResetError("closed before the end of the response")
        return bytes_

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def log_in(port, name="user", password="password"):
    status, _, body = Connection(port).request(
        "POST", "/auth/login", {"username": name, "password": password}, close=True)
    if status != 200:
        raise Closed(f"login: {status} {body!r}")
    tokens = json.loads(body)
    return tokens["access_token"], tokens["refresh_token"]


def _good(port, token, source, stop, results):
    """Sends requests without pause, every tenth on a new connection."""
    connection, latencies, failures = Connection(port, source=source), [], []
    while not stop.is_set():
        if len(latencies) % 10 == 9:
            connection.close()
        began = time.perf_counter()
        try:
            status, _, body = connection.request("GET", "/api/ships/2", token=token)
            if status != 200 or b"TIE" not in body:
                failures.append(f"{status}")
        except (Closed, OSError) as error:
            failures.append(str(error))
        latencies.append(time.perf_counter() - began)
        time.sleep(0.002)
    results.put((latencies, failures))


def _refused(port, stop, results):
    """Logs in with a wrong password, and measures the latency of 429 and 503 responses."""
    connection, latencies, failures = Connection(port), [], []
    while not stop.is_set():
        began = time.perf_counter()
        try:
            status, headers, _ = connection.request(
                "POST", "/auth/login", {"username": "user", "password": "wrong password"})
            if status in (429, 503):
                latencies.append(time.perf_counter() - began)
                if "retry-after" not in headers:
                    failures.append(f"{status} without Retry-After")
            elif status != 401:
                failures.append(f"{status}")
        except (Closed, OSError) as error:
            failures.append(str(error))
        time.sleep(0.005)
    results.put((latencies, failures))


class Client:
    """A client in its own process, which other clients slow down only through the server."""

    def __init__(self, work, *arguments):
        self.stop, self.results = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(
            target=work, args=(*arguments, self.stop, self.results), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.latencies, self.failures = self.results.get(timeout=60)
        self.process.join(10)

    def success(self):
        return 1 - len(self.failures) / max(len(self.latencies), 1)


class Good(Client):
    """A good client, with a token or without."""

    def __init__(self, port, token=None, source=HOST):
        super().__init__(_good, port, token, source)


class Refused(Client):
    """A client that logs in above the rate limit; the latencies are those of 429 and 503 responses."""

    def __init__(self, port):
        super().__init__(_refused, port)


def _greedy(port, source, count, kind, stop, results):
    """Keeps `count` connections open and replaces those that the server closes. Its result is the highest number open."""
    selector, last, most = selectors.DefaultSelector(), {}, 0
    first, piece, pause = GREEDY_KINDS[kind]

    def drop(connection):
        selector.unregister(connection)
        del last[connection]
        connection.close()

    while not stop.is_set():
        for _ in range(count - len(last)):
            connection = socket.socket()
            connection.bind((source, 0))
            try:
                connection.connect((HOST, port))
                connection.sendall(first)
            except OSError:
                connection.close()
                break
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
            last[connection] = time.monotonic()
        most = max(most, len(last))
        for key, _ in selector.select(0.05):
            try:
                if not key.fileobj.recv(1 << 16):
                    drop(key.fileobj)
            except OSError:
                drop(key.fileobj)
        now = time.monotonic()
        for connection in [connection for connection, at in last.items() if now - at >= pause]:
            last[connection] = now
            try:
                connection.send(piece)
            except OSError:
                drop(connection)
    for connection in list(last):
        drop(connection)
    results.put(([most], []))


class Greedy(Client):
    """One address that takes every connection that it gets; the only latency is its highest number of connections."""

    def __init__(self, port, source, count, kind):
        super().__init__(_greedy, port, source, count, kind)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


HEAD = b"GET /api/ships HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n"
# What each kind sends at once, and what it then sends each second.
KINDS = {
    "header": (HEAD, b"X-Slow: 1\r\n"),
    "body": (POST, b" "),
    "read": (HEAD + b"\r\n", None),
    "idle": (b"", b""),
}


# What each kind sends at once, what it then repeats, and the pause in seconds.
GREEDY_KINDS = {
    "asking": (HEAD + b"\r\n", HEAD + b"\r\n", 4),
    "dripping": (HEAD + b"X-Slow: ", b"x", 1),
}


class Slow:
    """Slow connections of one kind; `lifetimes` has the seconds until the server closed each."""

    def __init__(self, kind, port, count):
        self.first, self.piece = KINDS[kind]
        self.port, self.count = port, count
        self.open, self.lifetimes = {}, []

    def attack(self, limit):
        """Runs until the server has closed every connection, at most `limit` seconds. Returns the number still open."""
        end = time.monotonic() + limit
        waiting = self.count
        while (self.open or waiting) and time.monotonic() < end:
            tick = time.monotonic()
            for _ in range(min(waiting, 50)):
                self._begin()
                waiting -= 1
            for connection in list(self.open):
                self._go_on(connection)
            time.sleep(max(0.0, 0.1 - (time.monotonic() - tick)))
        left = len(self.open)
        for connection in list(self.open):
            connection.close()
        return left

    def _begin(self):
        connection = socket.socket()
        if self.piece is None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect((HOST, self.port))
        connection.sendall(self.first)
        connection.setblocking(False)
        now = time.monotonic()
        self.open[connection] = (now, now)

    def _go_on(self, connection):
        began, last = self.open[connection]
        state = struct.unpack_from("B", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))[0]
        now = time.monotonic()
        if state != ESTABLISHED:
            del self.open[connection]
            connection.close()
            self.lifetimes.append(now - began)
        elif now - last >= 1:
            self.open[connection] = (began, now)
            try:
                if self.piece is None:
                    connection.recv(64)
                elif self.piece:
                    connection.send(self.piece)
            except OSError:
                pass  # The next round checks its state.
