#!/usr/bin/env python3
"""Counts the instructions that the server executes for a request, and compares them with baseline.json.

Times vary with the other load of a machine; instruction counts vary by less than 1 %. valgrind (callgrind) counts them.
Its virtual processor has no instructions for SHA-256, so tokens cost more here than on hardware. Requires Linux and a
release build.

Exit code: 0 within the limit, 1 over it, 2 the count or the comparison failed.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "reliability"))

from clients import Closed, Connection, log_in  # noqa: E402
from compare import NotComparable, compare  # noqa: E402
from server import NotMeasured, Server  # noqa: E402

BASELINE = HERE / "baseline.json"
# One worker thread. Cheap passwords: the startup is counted too, and subtracted.
SETTINGS = {"workers": 1, "password_memory": 8, "password_iterations": 1, "rate_limits": "false"}
# The cost of a request is the difference between runs with these two numbers of requests.
FEW, MANY = 200, 1700
SHIP = {
    "affiliation": "Empire", "category": "Starfighters", "crew": 1, "length": 7, "manufacturer": "Sienar Fleet Systems",
    "model": "TIE/LN Starfighter", "roles": ["Space Superiority Starfighter"], "ship_class": "Starfighter",
}


def get(access, refresh):
    return {"method": "GET", "path": "/api/ships/2"}


def put(access, refresh):
    return {"method": "PUT", "path": "/api/ships/2", "body": SHIP, "token": access}


def refresh(access, refresh):
    return {"method": "POST", "path": "/auth/refresh", "token": refresh}


REQUESTS = [get, put, refresh]


def counted(request, times):
    """The instructions of a server from its start to its end, with `times` requests over one connection."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        with Server(under=["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"], **SETTINGS) as server:
            arguments = request(*log_in(server.port))
            connection = Connection(server.port)
            for number in range(times):
                if number and connection.socket is None:
                    raise NotMeasured("the server does not keep the connection")
                status, _, body = connection.request(**arguments)
                if status != 200:
                    raise NotMeasured(f"{arguments['method']} {arguments['path']}: {status} {body!r}")
            connection.close()
            code, _ = server.end()
            if code != 0:
                raise NotMeasured(f"the server ended with {code}")
        return total(out.read_text())


def total(text):
    found = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
    if not found:
        raise NotMeasured("callgrind wrote no total")
    return int(found[1])


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()[0]


def environment():
    """What the counts depend on, other than the source."""
    # libc and memchr choose code by these vector instructions; valgrind supports no later ones.
    flags = Path("/proc/cpuinfo").read_text().split()
    return {
        "rustc": first_line("rustc", "--version"),
        "valgrind": first_line("valgrind", "--version"),
        "libc": " ".join(platform.libc_ver()),
        "vectors": next((name for name in ("avx2", "avx") if name in flags), "none"),
        "machine": platform.machine(),
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--write", action="store_true", help="write the counts to the baseline")
    write = arguments.parse_args().write
    try:
        instructions = {
            request.__name__: round((counted(request, MANY) - counted(request, FEW)) / (MANY - FEW))
            for request in REQUESTS
        }
        now = {"environment": environment(), "instructions": instructions}
        if write:
            BASELINE.write_text(json.dumps(now, indent=2) + "\n")
            print(f"Written: {BASELINE.name} {instructions}")
            return 0
        lines, is_within = compare(json.loads(BASELINE.read_text()), now)
    except (Closed, NotComparable, NotMeasured, OSError, subprocess.SubprocessError) as reason:
        print(f"instructions: {reason}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
