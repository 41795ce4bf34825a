#!/usr/bin/env python3
"""Counts the instructions that the server takes for a request, and compares them with baseline.json.

Time says little on a machine that does something else as well; instructions are the same each time, to less than 1 %. They
are counted by valgrind (callgrind), whose processor has no instructions for SHA-256: tokens weigh more here than they do
otherwise. Wants a release build, on Linux.

Exit code: 0 within the limit, 1 over it, 2 nothing could be counted or compared.
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
# One thread that serves; passwords that cost next to nothing, for the start is counted as well, and taken off again.
SETTINGS = {"workers": 1, "password_memory": 8, "password_iterations": 1, "rate_limits": "false"}
# Counted are the requests between these two.
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
    """The instructions of a server from its start to its end, with so many requests over one connection."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        with Server(under=["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"], **SETTINGS) as server:
            asked = request(*log_in(server.port))
            connection = Connection(server.port)
            for number in range(times):
                if number and connection.socket is None:
                    raise NotMeasured("the server does not keep the connection")
                status, _, body = connection.ask(**asked)
                if status != 200:
                    raise NotMeasured(f"{asked['method']} {asked['path']}: {status} {body!r}")
            connection.close()
            code, _ = server.end()
            if code != 0:
                raise NotMeasured(f"the server ended with {code}")
        return total(out.read_text())


def total(text):
    found = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
    if not found:
        raise NotMeasured("callgrind has written no total")
    return int(found[1])


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()[0]


def made_with():
    """Whatever the counts depend on besides the source."""
    # The vector instructions that libc and memchr choose by; valgrind passes no later ones on.
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
    arguments.add_argument("--write", action="store_true", help="make what is counted the baseline")
    write = arguments.parse_args().write
    try:
        instructions = {
            request.__name__: round((counted(request, MANY) - counted(request, FEW)) / (MANY - FEW))
            for request in REQUESTS
        }
        now = {"made_with": made_with(), "instructions": instructions}
        if write:
            BASELINE.write_text(json.dumps(now, indent=2) + "\n")
            print(f"Written: {BASELINE.name} {instructions}")
            return 0
        lines, kept = compare(json.loads(BASELINE.read_text()), now)
    except (Closed, NotComparable, NotMeasured, OSError, subprocess.SubprocessError) as reason:
        print(f"instructions: {reason}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
