#!/usr/bin/env python3
"""Recorded text stays text: exports recordings with arbitrary text in every field, and runs them with the real tool.

For each scenario, a server answers what was recorded. The tool must send every request as it was recorded, find every
answer as it was recorded, and create no file: the texts try to, in every language that an export is written in.
A second run is against a server whose every answer is such a text.

usage: hostile_recordings.py SHIPYARD WORK_FOLDER SEED TOOL COMMAND...
TOOL is `http` or `hurl`, COMMAND what runs it, up to its options.
"""

import json
import random
import re
import shlex
import socket
import subprocess
import sys
import threading
from pathlib import Path

RECORDED_BASE = "http://localhost:5000"
DATE = "Mon, 23 Nov 2026 18:26:45 GMT"
SCENARIOS = 8
EXCHANGES = 14
# What an HTTP client may send that was not recorded.
OWN_HEADERS = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"}


def snippets(canary):
    """Texts that do something where they are taken for code."""
    write = f"require('fs').writeFileSync('{canary}','')"
    return [
        "{{%s}}" % write,
        "{{ %s }}" % write,
        "{{{{%s}}}}" % write,
        "{{= %s}}" % write,
        "{{@request",
        "{{",
        "}}",
        "\\{\\{%s\\}\\}" % write,
        "${%s}" % write,
        "'+%s+'" % write,
        '"+%s+"' % write,
        '");%s;("' % write,
        "`;%s;`" % write,
        f"$(touch {canary})",
        f"`touch {canary}`",
        f"; touch {canary} #",
        f">> {canary}",
        f"< {canary}",
        f"<@ {canary}",
        "Basic user password",
        "digest user password",
        "openid client_credentials x",
        "AWS a b",
        "# @disabled",
        "### next",
        "?? status == 1",
        "@base = http://127.0.0.1:1",
        "GET http://127.0.0.1:1/",
        "HTTP/1.1 200 OK",
        "query { a }",
        "// @loop for 9",
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "%7B%7B%0A..%2f",
        "../.././x",
        "\\u007b\\u{7b}\\n\\\\",
        "{{base}}",
        "{{newUuid}}",
        "{{getEnv('PATH')}}",
        "[Options]",
        f"output: {canary}",
        "file,/etc/hostname;",
        "```",
        "é\u2028\u00a0\u202e😀",
        "a,",
        " ",
        "'\"'",
        "",
    ]


class Texts:
    def __init__(self, seed, canary):
        self.random = random.Random(seed)
        self.snippets = snippets(canary)

    def any(self, breaks=False):
        parts = [self.random.choice(self.snippets) for _ in range(self.random.randint(1, 2))]
        if self.random.random() < 0.3:
            parts.append("".join(chr(self.random.choice([*range(32, 127), 0xE9, 0x4E2D])) for _ in range(5)))
        return self.random.choice(["\n", "\r\n", "\n\n"] if breaks else ["", " ", "/"]).join(parts)

    def line(self):
        """For a header: RFC 9110 has no space at its ends."""
        return self.any().strip(" ")

    def target(self):
        text = "/" + self.any()
        if self.random.random() < 0.5:
            text += "?" + self.any() + "=" + self.any()
        return "".join(c for c in text if c not in " #\u00a0")

    def name(self):
        return self.random.choice(["X-A", "x-b", "Accept", "X-ClientCert", "Authorization", "Cookie", "constructor", "X-{}"])

    def json(self, depth=0):
        kind = self.random.randrange(8 if depth < 3 else 6)
        if kind < 3:
            return self.any(breaks=self.random.random() < 0.3)
        if kind == 3:
            return self.random.choice([0, -1, 1.5, 1e21, 1e-7, 2**53, -0.0, 18446744073709551615])
        if kind == 4:
            return self.random.choice([True, False, None])
        if kind == 5:
            return {}
        if kind == 6:
            return [self.json(depth + 1) for _ in range(self.random.randint(0, 3))]
        return {self.any(): self.json(depth + 1) for _ in range(self.random.randint(1, 3))}


class Exchange:
    def __init__(self, texts, name):
        choose = texts.random.choice
        self.name = name
        self.method = choose(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
        self.target = texts.target()
        self.headers = [(texts.name(), texts.line()) for _ in range(texts.random.randint(0, 3))]
        self.headers = [(name, value) for name, value in self.headers if value and re.fullmatch("[A-Za-z-]+", name)]
        # How more than one of these is sent is each tool's own affair.
        self.headers = list({name.lower(): (name, value) for name, value in self.headers}.values())
        self.body = None
        if self.method not in ("HEAD", "TRACE") and texts.random.random() < 0.7:
            self.body = choose([texts.any(), json.dumps(texts.json()), json.dumps({texts.any(): texts.any()})])
            self.body = None if self.body.startswith("@") else self.body
        if self.body is not None:
            label = choose(["application/json", "application/json", "text/plain", "application/x-www-form-urlencoded", texts.line()])
            self.headers.append(("Content-Type", label or "text/plain"))
        self.status = choose([200, 201, 400, 404, 422, 500, 307])
        self.answer = choose([texts.any(breaks=True), json.dumps(texts.json(), ensure_ascii=False)])
        self.answer = "" if self.method == "HEAD" else self.answer
        self.answer_headers = [("Content-Type", choose(["application/json", texts.line() or "a/b"]))]
        if texts.random.random() < 0.4:
            self.answer_headers.append(("Location", choose([texts.line() or "/", RECORDED_BASE + texts.target()])))
        if texts.random.random() < 0.4:
            self.answer_headers.append(("Set-Cookie", "s=" + (texts.line() or "1")))

    def transcript(self):
        words = ["curl", "-i", "-g", "--path-as-is", RECORDED_BASE + self.target, "-X", self.method]
        for name, value in self.headers:
            words += ["-H", f"{name}: {value}" if value.strip() else f"{name};"]
        if self.body is not None:
            words += ["--data-raw", self.body]
        command = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words[1:])
        head = "".join(f"{name}: {value}\n" for name, value in [*self.answer_headers, ("Date", DATE)])
        return f"$ curl {command}\nHTTP/1.1 {self.status} ANY\n{head}\n{self.answer}"

    def response(self, base):
        headers = [
            (name, base + value[len(RECORDED_BASE) :] if value.startswith(RECORDED_BASE + "/") else value)
            for name, value in self.answer_headers
        ]
        return self.status, headers, self.answer


class Server(threading.Thread):
    """Answers requests one after the other with what `answer` gives for the number of each, and keeps the requests."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.answer = answer
        self.requests = []

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                try:
                    self.serve(connection)
                except OSError:
                    pass

    def serve(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
        headers = [tuple(part.strip(b" ") for part in line.split(b":", 1)) for line in lines[1:]]
        headers = [(name.decode().lower(), value) for name, value in headers]
        length = int(dict(headers).get("content-length", b"0"))
        while len(body) < length:
            body += connection.recv(65536)
        method, target = lines[0].rsplit(b" ", 1)[0].split(b" ", 1)
        self.requests.append((method.decode(), target, headers, body))
        status, answer_headers, text = self.answer(len(self.requests) - 1, self.base)
        text = text.encode()
        answer_headers = [*answer_headers, ("Content-Length", str(len(text))), ("Connection", "close")]
        out = f"HTTP/1.1 {status} ANY\r\n" + "".join(f"{name}: {value}\r\n" for name, value in answer_headers)
        connection.sendall(out.encode() + b"\r\n" + text)

    def stop(self):
        self.socket.close()


class Check:
    def __init__(self, shipyard, work, seed, tool, command):
        self.shipyard, self.work, self.seed, self.tool, self.command = shipyard, work.resolve(), seed, tool, command
        # Where the tool runs; the recordings, whose names are such texts as well, are elsewhere.
        self.folder = self.work / "run"
        self.folder.mkdir()
        self.canary = self.folder / "canary"
        self.faults = []
        self.sent = self.left_out = self.refused = 0

    def fault(self, place, text):
        self.faults.append(f"{place}: {text}")

    def write(self, scenario, exchanges):
        folder = self.work / "fixtures" / scenario
        folder.mkdir(parents=True)
        for exchange in exchanges:
            (folder / f"{exchange.name}.txt").write_bytes(exchange.transcript().encode())

    def export(self, scenario):
        flags = [f"--{self.tool}", "--fixtures", self.work / "fixtures", "--scenario", scenario]
        done = subprocess.run([self.shipyard, "export", *flags], capture_output=True, cwd=self.work, timeout=60)
        if done.returncode != 0:
            self.fault(scenario, f"export: {done.stderr.decode()}")
            return None
        file = self.folder / f"{scenario}.{self.tool}"
        file.write_bytes(done.stdout)
        return file

    def understood(self, scenario, exchanges):
        """Those whose curl lines are understood. The others are refused by name before anything is exported."""
        while exchanges:
            flags = [f"--{self.tool}", "--fixtures", self.work / "fixtures", "--scenario", scenario]
            done = subprocess.run([self.shipyard, "export", *flags], capture_output=True, cwd=self.work, timeout=60)
            said = done.stderr.decode()
            refused = next((one for one in exchanges if done.returncode == 2 and f"/{one.name}.txt:" in said), None)
            if refused is None:
                break
            (self.work / "fixtures" / scenario / f"{refused.name}.txt").unlink()
            exchanges = [one for one in exchanges if one is not refused]
            self.refused += 1
        return exchanges

    def run(self, file, base):
        """The exit code of the tool, and what it said."""
        options = {
            "http": ["send", file.name, "--all", "--var", f"base={base}", "--filter", "only-failed", "--no-color"],
            "hurl": ["--test", "--no-cookie-store", "--continue-on-error", "--variable", f"base={base}", file.name],
        }[self.tool]
        done = subprocess.run([*self.command, *options], capture_output=True, cwd=self.folder, timeout=240)
        said = (done.stdout + done.stderr).decode(errors="replace")
        for path in self.folder.iterdir():
            if path.suffix != f".{self.tool}":
                self.fault(file.name, f"recorded text was run: it made {path.name!r}")
                path.unlink()
        return done.returncode, said

    def scenario(self, name, exchanges):
        self.write(name, exchanges)
        exchanges = self.understood(name, exchanges)
        file = self.export(name) if exchanges else None
        if file is None:
            return
        # What stands in the place of an exchange that cannot be sent names it, by its number first.
        omitted = re.findall("^# Left out: ([0-9]+)-", file.read_text(), re.MULTILINE)
        expected = [exchange for exchange in exchanges if exchange.name.split("-")[0] not in omitted]
        self.sent += len(expected)
        self.left_out += len(omitted)
        server = Server(lambda number, base: expected[min(number, len(expected) - 1)].response(base))
        server.start()
        code, said = self.run(file, server.base)
        server.stop()
        if code != 0:
            self.fault(file.name, f"not found as recorded (exit {code}):\n{said[-3000:]}")
        if len(server.requests) != len(expected):
            self.fault(file.name, f"{len(server.requests)} requests were sent, not {len(expected)}")
        for exchange, request in zip(expected, server.requests):
            self.compare(f"{file.name}: {exchange.name}", exchange, request)

    def compare(self, place, exchange, request):
        method, target, headers, body = request
        recorded = sorted((name.lower(), value.encode()) for name, value in exchange.headers)
        names = {name for name, _ in recorded}
        found = sorted(pair for pair in headers if pair[0] in names or pair[0] not in OWN_HEADERS)
        for what, was, sent in [
            ("method", exchange.method, method),
            ("target", exchange.target.encode(), target),
            ("headers", recorded, found),
            ("body", (exchange.body or "").encode(), body),
        ]:
            if was != sent:
                self.fault(place, f"{what}: recorded {was!r}, sent {sent!r}")

    def logins(self, texts):
        """A login whose token later exchanges send, against a server whose tokens and all else are such texts."""
        token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.x"
        odd = "a\n[Options]\noutput: " + str(self.canary) + "\nb]};" + texts.snippets[0]
        answer = json.dumps({"access_token": token, odd: token + "y", "__proto__": token + "z"})
        head = f"HTTP/1.1 200 OK\nContent-Type: application/json\nDate: {DATE}\n"
        folder = self.work / "fixtures" / "logins"
        folder.mkdir(parents=True)
        log_in = f"$ curl '{RECORDED_BASE}/auth/login' -d '{{}}' -H 'Content-Type: application/json'\n{head}\n{answer}"
        (folder / "01-login.txt").write_text(log_in)
        for number, sent in enumerate([token, token + "y", token + "z"], 2):
            use = f"$ curl '{RECORDED_BASE}/x' -H 'Authorization: Bearer {sent}'\n{head}\n{{}}"
            (folder / f"{number:02}-use {{{{base}}}}.txt").write_text(use)
        (folder / "05-\n{{\nrequire('fs').writeFileSync('canary', '')\n}}\n.txt").write_text(use)
        file = self.export("logins")
        if file is None:
            return
        for text in texts.snippets:
            body = json.dumps({"access_token": text, odd: text, "__proto__": text})
            for answer in [body, text]:
                line = text.strip() or "x"
                headers = [("Content-Type", "application/json" if answer == body else "text/plain"), ("X", line), ("Location", line)]
                server = Server(lambda _, base: (200, headers, answer))
                server.start()
                self.run(file, server.base)
                server.stop()
                if len(server.requests) == 0:
                    self.fault(file.name, "nothing was sent")

    def all(self):
        texts = Texts(self.seed, self.canary)
        for number in range(SCENARIOS):
            names = [f"{count:02}-{texts.any()}".replace("/", "_").replace(",", "_") for count in range(EXCHANGES)]
            self.scenario(f"hostile-{number}", [Exchange(texts, name.rstrip()) for name in names])
        texts.snippets = texts.snippets[:1] + texts.random.sample(texts.snippets, 2)
        self.logins(texts)


def main():
    shipyard, work, seed, tool, *command = sys.argv[1:]
    check = Check(shipyard, Path(work), int(seed), tool, command)
    check.all()
    for fault in check.faults:
        print(f"hostile-recordings: {fault}", file=sys.stderr)
    print(f"{tool}, seed {seed}: {check.sent} exchanges sent, {check.left_out} left out, {check.refused} refused, {len(check.faults)} faults")
    return 1 if check.faults or check.sent == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
