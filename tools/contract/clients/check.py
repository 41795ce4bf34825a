#!/usr/bin/env python3
"""Generates clients as docs/clients.md says, runs them, and compares what they print with the document and with the recordings.

usage: check.py REPOSITORY SHIPYARD CACHE [SECTION...]      all sections of the document, or only those

CACHE has the installed tools: node/, venv/. Each section gets the folder generated/SECTION there, with the generated code. This program
leaves nothing elsewhere.
"""
import difflib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# The address of the server in the document and in the programs, and that of Prism.
DOCUMENT_URL = "http://localhost:5000"
PROXY_PORT = "4010"
TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
# Programs that send the recorded requests, and the name by which the commands of the section run them.
OPERATIONS = {
    "openapi-fetch": ("openapi-fetch.ts", "operations.ts"),
    "Hey API": ("hey-api.ts", "operations.ts"),
    "openapi-python-client": ("openapi_python_client.py", "operations.py"),
}
# The recordings that the programs repeat after those of docs/api.md: both kinds of error message.
WRONG_PASSWORD = "login-errors/05-wrong-password"
INVALID_SHIP = "ship-errors/08-create-out-of-range"
# What `cargo init` makes, in a workspace of its own: that command would add the crate to the workspace of the server.
CARGO_TOML = """\
[package]
name = "shipyard-client"
version = "0.1.0"
edition = "2024"

[dependencies]

[profile.dev]
debug = false

[workspace]
"""
# Sections that the job does something with of its own; they must be there.
OTHERS = {"Orval", "Progenitor", "Postman", "Bruno", "Prism"}
# Seconds for the commands of one section. A cold cache of Cargo takes the longest.
LIMIT = 400

ADVICE = {
    "document": "Change docs/clients.md, or the versions of the tools in tools/contract/clients/.",
    "generate": "If the generator does not take the specification, change src/api/openapi.rs; if its options or the generated names "
                "have changed, docs/clients.md and tools/contract/clients/. The generated code is in {folder}.",
    "print": "Change the program or its output in docs/clients.md. The generated code is in {folder}.",
    "operation": "Run tools/contract/run verify first. If it passes, the generated client does not do what the specification means: "
                 "look for the operation in {folder}, then change src/api/openapi.rs or the program in tools/contract/clients/.",
}


class Failure(Exception):
    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Processes:
    """Started processes, each the leader of its own group. Those that are left end with this program."""

    def __init__(self):
        self.running = set()

    def start(self, command, **options):
        process = subprocess.Popen(command, start_new_session=True, **options)
        self.running.add(process)
        return process

    def end(self, process):
        try:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(5)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.running.discard(process)

    def run(self, command, limit, folder, env, text=""):
        """Exit code and output."""
        process = self.start(command, cwd=folder, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        try:
            output, _ = process.communicate(text, timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failure("generate", f"not done within {limit} s: {shlex.join(command)[-200:]}") from None
        finally:
            self.end(process)
        return process.returncode, output

    def interrupted(self, *_):
        for process in list(self.running):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os._exit(130)


PROCESSES = Processes()


class Server:
    """A fresh server with the example data on a free port, as a context: its URL."""

    def __init__(self, shipyard, folders):
        self.shipyard, self.folders = shipyard, folders

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(dir=self.folders)
        env = {name: value for name, value in os.environ.items() if not name.startswith("ROCKET_")}
        # Passwords cost next to nothing.
        env |= {"ROCKET_PASSWORD_MEMORY": "8", "ROCKET_PASSWORD_ITERATIONS": "1"}
        out = Path(self.folder.name, "out")
        with out.open("wb") as file:
            self.process = PROCESSES.start([self.shipyard, "--port", "0"], cwd=self.folder.name, env=env, stdout=file,
                                           stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not (url := re.search(r"^Shipyard \S+ listens on (\S+)$", out.read_text(), re.MULTILINE)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = out.read_text()
                self.__exit__()
                raise Failure("operation", f"the server did not start. It said:\n{said}")
            time.sleep(0.02)
        return url[1]

    def __exit__(self, *_):
        PROCESSES.end(self.process)
        self.folder.cleanup()


def get(url):
    """Status and JSON body."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@dataclass
class Exchange:
    """An exchange, and the file that says how it goes."""

    file: str
    operation: str
    summary: str
    id: int | None
    body: object
    token: str | None
    status: int
    response: object
    query: dict | None = None
    # Whether `If-Match` names the version that was read before the first such request.
    if_match: bool = False


def exchange(repository, specification, name):
    command, status, rest = (repository / "fixtures" / f"{name}.txt").read_text().split("\n", 2)
    words = shlex.split(command)
    value = {word: words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-X", "-d")}
    path = next(word for word in words if word.startswith(DOCUMENT_URL)).removeprefix(DOCUMENT_URL)
    template = re.sub(r"/\d+$", "/{id}", path)
    operation = specification["paths"][template][value.get("-X", "GET").lower()]
    schemes = [scheme for choice in operation.get("security", []) for scheme in choice]
    body = rest.split("\n\n", 1)[1].strip() if "\n\n" in rest else ""
    return Exchange(
        file=f"fixtures/{name}.txt",
        operation=operation["operationId"],
        summary=operation["summary"],
        id=int(path.rsplit("/", 1)[1]) if template != path else None,
        body=json.loads(value["-d"]) if "-d" in value else None,
        token={"accessToken": "access_token", "refreshToken": "refresh_token"}[schemes[0]] if schemes else None,
        status=int(status.split()[1]),
        response=json.loads(body) if body else None,
    )


def later_exchanges(specification, ships):
    """A page, and two changes of the version that was read: the second is refused. The original has neither."""
    def one(path, method, **members):
        operation = specification["paths"][path][method]
        names = {"operation": operation["operationId"], "summary": operation["summary"]}
        return Exchange(file="docs/api.md", **names, **members)

    page = one("/api/ships", "get", id=None, body=None, token=None, status=200, query={"limit": "2", "sort": "-crew"},
               response={"ids": [9, 10], "total": "15", "next": True})
    refused = specification["paths"]["/api/ships/{id}"]["patch"]["responses"]["412"]["content"]["application/json"]["examples"]
    changes = [(2, 200, {**ships[0], "crew": 2}), (3, 412, next(iter(refused.values()))["value"])]
    return [page] + [
        one("/api/ships/{id}", "patch", id=1, body={"crew": crew}, token="access_token", status=status, response=response, if_match=True)
        for crew, status, response in changes
    ]


def without_tokens(value):
    """Tokens differ with each login."""
    if isinstance(value, dict):
        return {name: without_tokens(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_tokens(item) for item in value]
    return "TOKEN" if isinstance(value, str) and TOKEN.fullmatch(value) else value


def compare(exchanges, output):
    """Fails at the first response that is not as recorded."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    for recorded, line in zip(exchanges, lines):
        expected = {"operation": recorded.operation, "status": recorded.status, "body": recorded.response}
        shown = [json.dumps(without_tokens(one), indent=1, sort_keys=True).splitlines() for one in (expected, line)]
        if shown[0] != shown[1]:
            difference = "\n".join(difflib.unified_diff(*shown, "expected", "received", n=2, lineterm=""))
            raise Failure("operation", f"{recorded.operation}: not as in {recorded.file}:\n{difference}")
    if len(lines) != len(exchanges):
        missing = exchanges[len(lines)].operation if len(lines) < len(exchanges) else "none"
        raise Failure("operation", f"{len(lines)} responses of {len(exchanges)}; the first missing: {missing}\n{output[-3000:]}")


class Section:
    """A section of the document: its commands, files and printed lines."""

    def __init__(self, heading, text):
        self.name = heading
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        # Of a program, the first line is a comment with the name of its file.
        self.files = {block.split("\n", 1)[0].split()[1]: block for kind, block in blocks if kind not in ("sh", "text")}
        self.printed = [line for kind, block in blocks if kind == "text" for line in block.splitlines()]
        lines = [line for kind, block in blocks if kind == "sh" for line in block.splitlines()]
        self.installs = [line for line in lines if re.match("(npm|cargo) init|npm install|pip install|cargo add", line)]
        # These change Cargo.toml, and install nothing.
        self.dependencies = [line for line in lines if line.startswith("cargo add ")]
        self.commands = [line for line in lines if line not in self.installs]

    def versions(self):
        return [match.groups() for line in self.installs for match in re.finditer(r"(?<=\s)([@\w][\w./-]*)(?:@|==)(\d\S*)", line)]


class Check:
    def __init__(self, repository, shipyard, cache):
        self.repository, self.shipyard, self.cache = Path(repository), shipyard, Path(cache)
        self.tools = self.repository / "tools/contract/clients"
        self.specification = json.loads((self.repository / "spec/openapi.json").read_text())
        recordings = sorted(file.stem for file in (self.repository / "fixtures/readme").iterdir())
        recorded = [exchange(self.repository, self.specification, f"readme/{stem}") for stem in recordings]
        errors = [exchange(self.repository, self.specification, name) for name in (WRONG_PASSWORD, INVALID_SHIP)]
        ships = next(one.response for one in recorded if one.operation == "ships_list")
        self.exchanges = recorded + later_exchanges(self.specification, ships) + errors
        document = (self.repository / "docs/clients.md").read_text()
        parts = [part.split("\n", 1) for part in re.split("^## ", document, flags=re.MULTILINE)[1:]]
        self.sections = {heading: Section(heading, text) for heading, text in parts}
        self.pinned = self.pins()
        self.servers = self.cache / "servers"
        shutil.rmtree(self.servers, ignore_errors=True)
        self.servers.mkdir(parents=True)

    def server(self):
        return Server(self.shipyard, self.servers)

    def pins(self):
        packages = json.loads((self.tools / "package.json").read_text())["dependencies"]
        requirements = dict(line.split("==") for line in (self.tools / "requirements.txt").read_text().split() if "==" in line)
        lock = (self.tools / "progenitor.lock").read_text()
        crates = dict(re.findall(r'^name = "(.*)"\nversion = "(.*)"$', lock, re.MULTILINE))
        return crates | requirements | packages

    def environment(self):
        env = dict(os.environ)
        paths = [self.cache / "venv/bin", self.cache / "node/node_modules/.bin", env["PATH"]]
        return env | {
            "PATH": os.pathsep.join(map(str, paths)),
            "CARGO_TARGET_DIR": str(self.cache / "cargo"),
            "CI": "true",
            "DO_NOT_TRACK": "1",
            "NO_COLOR": "1",
            # `npx` runs what is installed, and nothing else.
            "npm_config_offline": "true",
            "npm_config_update_notifier": "false",
        }

    def place(self, section):
        return self.cache / "generated" / re.sub(r"\W+", "-", section.name.lower())

    def folder(self, section):
        folder = self.place(section)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{ "type": "module" }\n')
        (folder / "node_modules").symlink_to(self.cache / "node/node_modules")
        return folder

    def shell(self, folder, commands, url):
        """Runs commands of the document, and returns their output."""
        script = "trap 'printf \"failed: %s\\n\" \"$BASH_COMMAND\"' ERR\n" + "\n".join(commands).replace(DOCUMENT_URL, url)
        code, output = PROCESSES.run(["bash", "-Eeuo", "pipefail", "-c", script], LIMIT, folder, self.environment())
        if code != 0:
            raise Failure("generate", f"exit code {code} of a command:\n{output[-4000:]}")
        return output

    def section(self, section):
        """Runs the commands and the program as the document has them, then the program with the recorded operations."""
        folder = self.folder(section)
        with self.server() as url:
            for name, text in section.files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text(text.replace(DOCUMENT_URL, url))
            if section.dependencies:
                (folder / "Cargo.toml").write_text(CARGO_TOML)
                self.shell(folder, section.dependencies, url)
                shutil.copy(self.tools / "progenitor.lock", folder / "Cargo.lock")
            output = self.shell(folder, section.commands, url).replace(url, DOCUMENT_URL)
        missing = [line for line in section.printed if line not in output]
        if missing:
            raise Failure("print", f"not printed: {missing[0]}\n{output[-3000:]}")
        done = "generated and run as documented" if section.printed else "generated and checked"
        if section.name == "Progenitor" and (folder / "Cargo.lock").read_bytes() != (self.tools / "progenitor.lock").read_bytes():
            raise Failure("document", f"the dependencies have changed; copy {folder}/Cargo.lock to tools/contract/clients/progenitor.lock")
        if section.name in OPERATIONS:
            done += f", {self.operations(section, folder)} exchanges as recorded or documented"
        if section.name == "Postman":
            done += f", {self.postman(folder)} exchanges as recorded or documented"
        return done

    def program(self, name, folder, target, url):
        (folder / target).write_text((self.tools / name).read_text().replace(DOCUMENT_URL, url))

    def operations(self, section, folder):
        source, target = OPERATIONS[section.name]
        suffix = Path(target).suffix
        commands = [line.replace(f"example{suffix}", target) for line in section.commands if f"example{suffix}" in line]
        with self.server() as url:
            self.program(source, folder, target, url)
            try:
                output = self.shell(folder, commands, url)
            except Failure as failure:
                done = str(failure).count('\n{"operation"')
                at = f"stopped at {self.exchanges[done].operation}, after {done} responses: " if done else ""
                raise Failure("operation", f"{at}{failure}") from None
        compare(self.exchanges, output)
        return len(self.exchanges)

    def postman(self, folder):
        requests = []
        for one in self.exchanges:
            # The user of the next requests logs in first.
            user = ("user", "password")
            login = {"users_update": ("new user", "secret"), "ships_create": user, "ships_patch": user}.get(one.operation)
            if login:
                requests.append({"summary": self.exchanges[0].summary, "body": dict(zip(("username", "password"), login))})
            if one.if_match and not any(request.get("if_match") for request in requests):
                requests.append({"summary": self.specification["paths"]["/api/ships/{id}"]["get"]["summary"], "id": one.id})
            requests.append({name: value for name, value in vars(one).items() if value not in (None, False)})
        with self.server() as url:
            self.program("postman.js", folder, "operations.cjs", url)
            command = ["node", "operations.cjs", "postman.json"]
            code, output = PROCESSES.run(command, LIMIT, folder, self.environment(), json.dumps(requests))
        if code != 0:
            raise Failure("operation", f"Newman failed:\n{output[-3000:]}")
        compare(self.exchanges, output)
        return len(self.exchanges)

    def prism(self, section):
        """The Python client through the proxy. Then, that the proxy notices a response with a renamed member."""
        python = self.sections["openapi-python-client"]
        folder = self.folder(section)
        with self.server() as url:
            self.shell(folder, [line for line in python.commands if " generate " in line], url)
            with Prism(self, section, folder, url) as proxy:
                self.program("openapi_python_client.py", folder, "operations.py", proxy.url)
                compare(self.exchanges[:-1], self.shell(folder, ["python operations.py --valid-only"], url))
            refused = [line for line in proxy.log().splitlines() if "error" in line]
            if refused:
                raise Failure("operation", "Prism found a violation:\n" + "\n".join(refused))
            altered = json.dumps(self.specification).replace('"manufacturer"', '"maker"')
            (folder / "altered.json").write_text(altered)
            with Prism(self, section, folder, url, specification="altered.json") as proxy:
                status, _ = get(f"{proxy.url}/api/ships/1")
                if status < 400:
                    raise Failure("operation", "ships_get: Prism did not notice a response with a renamed member; its options have changed")
        return f"{len(self.exchanges) - 1} exchanges without a violation"

    def all(self, wanted):
        unknown = {*wanted, *OPERATIONS, *OTHERS} - set(self.sections)
        if unknown:
            raise Failure("document", f"docs/clients.md has no section {', '.join(unknown)}; there are: {', '.join(self.sections)}")
        for section in self.sections.values():
            if not section.versions():
                raise Failure("document", f"{section.name}: docs/clients.md does not install it with its version")
            for name, version in section.versions():
                if self.pinned.get(name) != version:
                    raise Failure("document", f"{section.name}: docs/clients.md has {name} {version}, the job {self.pinned.get(name)}")
        with self.server() as url:
            if get(f"{url}/openapi.json")[1] != self.specification:
                raise Failure("document", "/openapi.json of the server is not spec/openapi.json; run cargo run -- spec --write")
        sections = [section for section in self.sections.values() if not wanted or section.name in wanted]
        # The longest first.
        sections.sort(key=lambda section: section.name != "Progenitor")
        with ThreadPoolExecutor(2) as pool:
            return sum(list(pool.map(self.report, sections)))

    def report(self, section):
        """Runs a section, and prints what came of it: 1 for a failure."""
        start = time.monotonic()
        try:
            done = self.prism(section) if section.name == "Prism" else self.section(section)
        except Failure as failure:
            advice = ADVICE[failure.kind].format(folder=self.place(section))
            print(f"clients: {section.name}: {failure}\n  What to do: {advice}", file=sys.stderr, flush=True)
            return 1
        print(f"{section.name}: {done} ({time.monotonic() - start:.0f} s)", flush=True)
        return 0


class Prism:
    """The proxy, started by the last command of its section, as a context."""

    def __init__(self, check, section, folder, url, specification=None):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        command = section.commands[-1]
        if specification:
            command = command.replace(f"{DOCUMENT_URL}/openapi.json", specification)
        self.command = command.replace(DOCUMENT_URL, url).replace(PROXY_PORT, port)
        self.url = f"http://127.0.0.1:{port}"
        self.check, self.folder, self.file = check, folder, folder / "prism.log"

    def log(self):
        return self.file.read_text()

    def __enter__(self):
        with self.file.open("wb") as file:
            self.process = PROCESSES.start(["bash", "-c", self.command], cwd=self.folder, env=self.check.environment(),
                                           stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while "Prism is listening" not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                PROCESSES.end(self.process)
                raise Failure("generate", f"{self.command} did not start:\n{self.log()[-3000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        PROCESSES.end(self.process)


def main():
    repository, shipyard, cache, *wanted = sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, PROCESSES.interrupted)
    try:
        return 1 if Check(repository, shipyard, cache).all(wanted) else 0
    except Failure as failure:
        print(f"clients: {failure}\n  What to do: {ADVICE[failure.kind]}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
