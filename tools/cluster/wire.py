"""HTTP/1.1 over asyncio, with the outcome of each request: answered, never sent, or unknown."""

import asyncio
import json
import re
import time
from dataclasses import dataclass

HOST = "127.0.0.1"
# Every request must be answered within this time, in seconds.
LIMIT = 10
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
TAG = re.compile(rb"\r\netag: *([^\r]+)", re.IGNORECASE)
RETRY = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
TOTAL = re.compile(rb"\r\nx-total-count: *(\d+)", re.IGNORECASE)
LOCATION = re.compile(rb"\r\nlocation: *([^\r]+)", re.IGNORECASE)


class NotSent(Exception):
    """The connection was refused: nothing reached a server."""


class Lost(Exception):
    """The connection ended before the answer: what the request did is unknown."""


class Late(Lost):
    """No answer within LIMIT."""


class Failed(Exception):
    """The operation was not answered. `is_unknown`: whether it may have happened."""

    def __init__(self, is_unknown):
        super().__init__()
        self.is_unknown = is_unknown


@dataclass(slots=True)
class Answer:
    """A response. `start` and `end` are in nanoseconds of CLOCK_MONOTONIC."""

    start: int
    end: int
    status: int
    head: bytes
    body: bytes

    def json(self):
        return json.loads(self.body)

    def field(self, pattern):
        found = pattern.search(self.head)
        return found[1].decode() if found else None


def encode(method, path, body=None, token=None, extra=()):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    content = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in extra]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class _Protocol(asyncio.Protocol):
    """A keep-alive connection with one request at a time."""

    def __init__(self):
        self.buffer, self.waiting, self.needed, self.is_open = b"", None, None, True

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        if self.needed is None:
            at = self.buffer.find(b"\r\n\r\n")
            if at < 0:
                return
            self.head, self.buffer = self.buffer[:at + 2], self.buffer[at + 4:]
            self.status = int(self.head[9:12])
            if 100 <= self.status < 200:
                return
            length = LENGTH.search(self.head)
            self.chunked = length is None and CHUNKED.search(self.head) is not None
            self.needed = int(length[1]) if length and self.status not in (204, 304) else 0
        body = self._chunks() if self.chunked else self._plain()
        if body is not None:
            self.needed = None
            if CLOSE.search(self.head):
                self.close()
            if self.waiting and not self.waiting.done():
                self.waiting.set_result((self.status, self.head, body))

    def _plain(self):
        if len(self.buffer) < self.needed:
            return None
        body, self.buffer = self.buffer[:self.needed], self.buffer[self.needed:]
        return body

    def _chunks(self):
        parts, at = [], 0
        while (line := self.buffer.find(b"\r\n", at)) >= 0:
            size = int(self.buffer[at:line].split(b";")[0], 16)
            if len(self.buffer) < line + 4 + size:
                return None
            if size == 0:
                self.buffer = self.buffer[line + 4:]
                return b"".join(parts)
            parts.append(self.buffer[line + 2:line + 2 + size])
            at = line + 4 + size
        return None

    def connection_lost(self, error):
        self.is_open = False
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(Lost(str(error or "closed")))

    def close(self):
        self.is_open = False
        self.transport.close()


class Connection:
    """A client of one address, with at most one connection."""

    def __init__(self, port, host=HOST):
        self.port, self.host, self.protocol = port, host, None

    async def request(self, method, path, body=None, token=None, extra=()):
        """Sends a request once, and never again."""
        return await self.send(encode(method, path, body, token, extra))

    async def send(self, message):
        loop, start = asyncio.get_running_loop(), time.monotonic_ns()
        if self.protocol is None or not self.protocol.is_open:
            try:
                async with asyncio.timeout(LIMIT):
                    _, self.protocol = await loop.create_connection(_Protocol, self.host, self.port)
            except TimeoutError as error:
                raise Late("no connection") from error
            except OSError as error:
                raise NotSent(str(error)) from error
        protocol = self.protocol
        protocol.waiting = loop.create_future()
        timer = loop.call_later(LIMIT, self._expire, protocol)
        try:
            protocol.transport.write(message)
            status, head, content = await protocol.waiting
        finally:
            timer.cancel()
        return Answer(start, time.monotonic_ns(), status, head, content)

    @staticmethod
    def _expire(protocol):
        if not protocol.waiting.done():
            protocol.waiting.set_exception(Late("no answer"))
            protocol.is_open = False
            protocol.transport.abort()

    def close(self):
        if self.protocol is not None:
            self.protocol.close()
            self.protocol = None
