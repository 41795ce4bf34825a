"""The measured servers, and how each is started."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from server import BINARY

from bench import BENCHES

SECRET = "the key that signs all tokens of the benchmark"
RUST = Path(os.environ.get("CARGO_TARGET_DIR", BENCHES / "target")) / "release"
VENVS = BENCHES / ".venv"
LOAD = RUST / "load"


@dataclass(frozen=True)
class Peer:
    """A server. `{port}` and `{data}` in `command` stand for the port and the data file."""

    name: str
    command: tuple
    # Where it is started; None for an empty folder.
    folder: Path | None = None
    environment: dict = field(default_factory=dict)
    # The field of a login's body that holds the name of the user.
    user_field: str = "name"
    # The files that must be installed, other than the interpreter and the system.
    installed: tuple = ()
    # Sends the responses that `canned` recorded: a floor, the least cost of any server.
    floor: bool = False

    def size(self):
        """The size of the installed files in bytes."""
        return sum(_size(path) for path in self.installed)


def _size(path):
    if path.is_file():
        return path.stat().st_size
    skipped = ("pip", "setuptools", "_distutils_hack", "distutils-precedence")
    return sum(
        entry.stat().st_size
        for child in path.iterdir() if not child.name.startswith(skipped)
        for entry in ([child] if child.is_file() else child.rglob("*"))
        if entry.is_file() and not entry.is_symlink())


def _rust(name, **more):
    binary = RUST / f"peer-{name}"
    return Peer(name, (binary,), installed=(binary,), **more)


def _python(name, *command):
    folder, venv = BENCHES / "peers" / name, VENVS / name
    packages = tuple(venv.glob("lib/python3*/site-packages")) or (venv / "lib",)
    return Peer(name, (venv / "bin" / command[0], *command[1:]), folder=folder, installed=(*packages, folder / "app.py"))


def _node(name):
    folder = BENCHES / "peers" / name
    return Peer(
        name, (shutil.which("node") or "node", "server.js"), folder=folder, environment={"NODE_ENV": "production"},
        installed=(folder / "node_modules", folder / "server.js"))


# Without the limits that its peers do not have: rate limits, and the queue of logins. Compact JSON and no access log, as in
# the peers. Other settings have their defaults.
SETTINGS = {
    "rate_limits": "false", "password_queue": "10000", "jwt_secret": SECRET, "json": "compact", "log_level": "critical"}


def _shipyard(name, **more):
    settings = {**SETTINGS, **more}
    return Peer(
        name, (BINARY, "--port", "{port}", "--data", "{data}"), user_field="username", installed=(BINARY,),
        environment={f"ROCKET_{name.upper()}": value for name, value in settings.items()})


def all_peers():
    """By name, in the order of the tables."""
    return {peer.name: peer for peer in (
        _rust("hyper", floor=True), _rust("rocket", floor=True),
        _shipyard("shipyard"), _shipyard("shipyard-uncached", response_cache_size="0"), _rust("axum"), _rust("actix"),
        _python("flask", "gunicorn", "app:app"), _python("fastapi", "python", "app.py"),
        _node("express"), _node("json-server"))}
