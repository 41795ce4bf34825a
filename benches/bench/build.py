"""Builds and installs what is measured, each in the versions that its lock or requirements name."""

import shutil
import subprocess
import sys

from bench import BENCHES, ROOT
from bench.peers import VENVS


class NotBuilt(Exception):
    """What could not be built."""


def _run(*command, cwd=ROOT):
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=cwd, check=False)
    if done.returncode != 0:
        raise NotBuilt(f"{' '.join(map(str, command))} ended with {done.returncode}")


def build(peers):
    """Builds what these peers need, and `load`."""
    _run("cargo", "build", "--release", "--locked", "--bins")
    _run(
        "cargo", "build", "--release", "--locked", "--bins", "--workspace", "--exclude", "peer-axum-sql", "--manifest-path",
        "benches/Cargo.toml")
    for name in peers:
        folder = BENCHES / "peers" / name
        if (folder / "requirements.txt").is_file():
            venv(VENVS / name, folder / "requirements.txt")
        elif (folder / "package-lock.json").is_file():
            _node_modules(folder)


def build_sql():
    """Builds what the comparison on SQL needs: the peer with the whole-program optimisation that the server has."""
    _run("cargo", "build", "--release", "--locked", "--bins")
    _run("cargo", "build", "--release", "--locked", "--package", "load", "--manifest-path", "benches/Cargo.toml")
    _run("cargo", "build", "--profile", "whole", "--locked", "--package", "peer-axum-sql", "--manifest-path", "benches/Cargo.toml")


def venv(folder, requirements):
    """Makes a virtual environment with these packages. The mark is written last, so only a complete one has it."""
    mark = folder / "made-from"
    if mark.is_file() and mark.read_bytes() == requirements.read_bytes():
        return
    if folder.exists():
        shutil.rmtree(folder)
    _run(sys.executable, "-m", "venv", folder)
    pip = (folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet")
    _run(*pip, "install", "--no-deps", "--requirement", requirements)
    _run(*pip, "check")
    mark.write_bytes(requirements.read_bytes())


def _node_modules(folder):
    mark = folder / "node_modules" / ".made-from"
    lock = (folder / "package-lock.json").read_bytes()
    if not mark.is_file() or mark.read_bytes() != lock:
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
        mark.write_bytes(lock)
