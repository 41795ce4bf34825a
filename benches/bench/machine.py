"""The machine and the versions of a measurement."""

import json
import os
import platform
import re
import resource
import subprocess
import time
import tomllib
from pathlib import Path

from bench import BENCHES, ROOT


def machine():
    return {
        "cpu": _first(r"model name\s*:\s*(.+)", "/proc/cpuinfo"),
        "cores": os.cpu_count(),
        "memory_gb": round(int(_first(r"MemTotal:\s+(\d+) kB", "/proc/meminfo")) * 1024 / 1e9),
        "kernel": f"{platform.system()} {platform.release()}",
    }


def _first(pattern, path):
    found = re.search(pattern, Path(path).read_text())
    return found[1].strip() if found else "?"


def commit():
    """The commit, and whether there is more than it."""
    return {
        "commit": _said("git", "-C", str(ROOT), "rev-parse", "HEAD"),
        "changed": bool(_said("git", "-C", str(ROOT), "status", "--porcelain")),
    }


class Others:
    """What other programs take of these cores meanwhile."""

    def __init__(self, cores):
        self.cores = cores
        self.began = time.monotonic(), self._busy(), self._ours()

    def percent(self):
        began, busy, ours = self.began
        seconds = (time.monotonic() - began) * len(self.cores)
        return max(0.0, (self._busy() - busy - (self._ours() - ours)) / seconds * 100)

    def _busy(self):
        """Seconds that they were not idle. Time that the host has taken is not idle either."""
        lines = re.findall(r"^cpu(\d+) (.+)$", Path("/proc/stat").read_text(), re.M)
        user, nice, system, _, _, interrupts, soft, stolen = zip(
            *(map(int, fields.split()[:8]) for core, fields in lines if int(core) in self.cores))
        return sum(map(sum, (user, nice, system, interrupts, soft, stolen))) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def _ours():
        """Seconds of this process and of all that it has started and seen the end of."""
        usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _said(*command):
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout.strip() if run.returncode == 0 else ""


def versions(peers):
    """Of the tools, and for each of these peers of what it is made of: of its direct dependencies in Rust and Node, of
    all packages in Python."""
    return {
        "rustc": _said("rustc", "--version"), "python": platform.python_version(),
        "node": _said("node", "--version").removeprefix("v"),
        "peers": {name: found for name in peers if (found := _peer(name))},
        "load": _crates(BENCHES / "load" / "Cargo.toml", BENCHES / "Cargo.lock"),
    }


def _peer(name):
    folder = BENCHES / "peers" / name
    if name.startswith("shipyard"):
        return _crates(ROOT / "Cargo.toml", ROOT / "Cargo.lock")
    if (folder / "Cargo.toml").is_file():
        return _crates(folder / "Cargo.toml", BENCHES / "Cargo.lock")
    if (folder / "package-lock.json").is_file():
        packages = json.loads((folder / "package-lock.json").read_text())["packages"]
        direct = packages[""].get("dependencies", {})
        return {package: packages[f"node_modules/{package}"]["version"] for package in sorted(direct)}
    requirements = folder / "requirements.txt"
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", requirements.read_text(), re.M)) if requirements.is_file() else {}


def _crates(manifest, lock):
    """What the manifest names, as the lock has it: the newest, where there are two."""
    wanted = tomllib.loads(manifest.read_text()).get("dependencies", {})
    locked = tomllib.loads(lock.read_text())["package"]
    found = {}
    for package in locked:
        if package["name"] in wanted and "source" in package:
            versions_ = (package["version"], found.get(package["name"], "0"))
            found[package["name"]] = max(versions_, key=_numbers)
    return found


def _numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
