#!/usr/bin/env python3
"""Mutation tests for the rules of the contract.

Makes the changes listed in breaks.toml one at a time, in a copy of the work tree (uncommitted changes included), and checks
that the test fails that the list names for it. See docs/mutation-score.md.

Exit code: 0 every break is caught, 1 a break is missed, 2 the list, a break, the source or the usage is invalid.
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LIST = Path(__file__).with_name("breaks.toml")
# Kept from one run to the next, so that only the first one compiles the dependencies.
WORK = ROOT / "target/breaks"
RESULTS = WORK / "results.jsonl"
MAX_BREAKS = 120
FIELDS = {"name", "file", "find", "replace", "why", "test"}

# Seconds. The first build compiles the dependencies too.
BUILD_LIMIT = 3600

TARGETS = {"lib": "--lib", "bin": "--bin=shipyard", "api": "--test=api", "hostile": "--test=hostile"}

PASSED, FAILED = (re.compile(rf"^test (\S+)(?: - should panic)? \.\.\. {word}$", re.MULTILINE) for word in ("ok", "FAILED"))


class Invalid(Exception):
    """What is wrong, where, and what to do."""


def apply(entry, root):
    path = root / entry["file"]
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if (count := text.count(entry["find"])) != 1:
        raise Invalid(
            f"break {entry['name']}: `find` occurs {count} times in {entry['file']}, not once; adapt the entry, or remove "
            f"it if the rule is gone: {entry['why']}"
        )
    return path, text.replace(entry["find"], entry["replace"])


def is_test(text):
    """Whether the text names a target and a test that could be in it."""
    target, _, path = text.partition(" ")
    folders = {"lib": ["src"], "bin": ["src"], "api": ["tests/api"], "hostile": ["tests/hostile"]}.get(target, [])
    pattern = re.compile(rf"\bfn {re.escape(path.rpartition('::')[2])}\(")
    return any(pattern.search(file.read_text(encoding="utf-8")) for folder in folders for file in (ROOT / folder).rglob("*.rs"))


def read_list():
    """The breaks, each of which applies to the source exactly once."""
    try:
        breaks = tomllib.loads(LIST.read_text(encoding="utf-8")).get("break", [])
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{LIST}: {error}") from error
    errors = []
    if not 1 <= len(breaks) <= MAX_BREAKS:
        errors.append(f"{len(breaks)} breaks, expected 1 to {MAX_BREAKS}; remove what cargo-mutants does or what is similar")
    names = set()
    for number, entry in enumerate(breaks, 1):
        name = str(entry.get("name", f"number {number}"))
        if entry.keys() != FIELDS or not all(isinstance(value, str) for value in entry.values()):
            errors.append(f"break {name}: expected the strings {', '.join(sorted(FIELDS))} and nothing else")
        elif not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or name in names:
            errors.append(f"break {name}: expected a unique name of a-z, 0-9 and hyphens")
        elif not entry["find"].strip() or not entry["why"].strip() or entry["find"] == entry["replace"]:
            errors.append(f"break {name}: `find` or `why` is empty, or `replace` changes nothing")
        elif not is_test(entry["test"]):
            errors.append(f"break {name}: `test` is not a target ({', '.join(TARGETS)}), a space and the path of a test in it")
        else:
            try:
                apply(entry, ROOT)
            except Invalid as error:
                errors.append(str(error))
        names.add(name)
    if errors:
        raise Invalid("\n".join(errors))
    return breaks


class Copy:
    """A copy of the tracked and the new files of the work tree, in which cargo runs."""

    def __init__(self):
        self.tree = WORK / "tree"
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.split(b"\0")
        paths = [Path(os.fsdecode(name)) for name in listed if name]
        self.files = {path: ((ROOT / path).read_bytes(), (ROOT / path).stat().st_mode)
                      for path in paths if (ROOT / path).is_file()}
        # No setting of the caller may change what a test does. Without debug information a build takes half the time.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROCKET_", "INSTA_"))}
        self.environment = {"CARGO_PROFILE_DEV_DEBUG": "0"} | kept | {
            "CARGO_TARGET_DIR": str(WORK / "target"), "CARGO_TERM_COLOR": "never", "INSTA_UPDATE": "no",
            "SHIPYARD_BREAKS_RUN": str(os.getpid()),
        }

    def reset(self):
        """Undoes breaks and what tests wrote. Unchanged files keep their time: cargo compares it."""
        for path in [path for path in self.tree.rglob("*") if not path.is_dir()]:
            if path.relative_to(self.tree) not in self.files:
                path.unlink()
        for name, (content, mode) in self.files.items():
            path = self.tree / name
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                path.chmod(mode)

    def cargo(self, arguments, limit):
        """Exit code (None after the time limit) and output. Kills all processes that cargo leaves behind."""
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(["cargo", *arguments], cwd=self.tree, env=self.environment, start_new_session=True,
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                self.kill_servers()
            output.seek(0)
            return code, output.read().decode("utf-8", "replace")

    def kill_servers(self):
        """Kills servers of `shipyard verify`: each has its own process group, so only the environment tells whose it is."""
        mark = f"SHIPYARD_BREAKS_RUN={os.getpid()}\0".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)

    def test(self, target, paths, limit):
        """Verdict on the tests with these paths, and the output."""
        test = ["test", "--locked", TARGETS[target]]
        code, output = self.cargo([*test, "--no-run"], BUILD_LIMIT)
        if code != 0:
            return "does not compile", output
        code, output = self.cargo([*test, "--", "--exact", *paths], limit)
        if code is None:
            return "timeout", output
        if unknown := set(paths) - set(PASSED.findall(output) + FAILED.findall(output)):
            raise Invalid(f"{tail(output)}\n\n{target} {min(unknown)}: there is no such test, or the run was cut short")
        return "missed" if code == 0 else "caught", output


def run(breaks, limit):
    start = time.monotonic()
    copy = Copy()
    copy.reset()
    for target in sorted({entry["test"].split()[0] for entry in breaks}):
        paths = {entry["test"].split()[1] for entry in breaks if entry["test"].split()[0] == target}
        verdict, output = copy.test(target, sorted(paths), limit)
        if verdict != "missed":
            raise Invalid(f"{tail(output)}\n\n{target}: {verdict}; mend the tests that fail without a break")
    print(f"The tests pass without a break ({time.monotonic() - start:.0f} s).", flush=True)
    for entry in breaks:
        start = time.monotonic()
        copy.reset()
        path, text = apply(entry, copy.tree)
        path.write_text(text, encoding="utf-8")
        target, test = entry["test"].split()
        verdict, output = copy.test(target, [test], limit)
        seconds = round(time.monotonic() - start, 1)
        with RESULTS.open("a", encoding="utf-8") as file:
            print(json.dumps({"name": entry["name"], "verdict": verdict, "seconds": seconds}), file=file)
        print(f"{verdict:<9} {entry['name']:<42} {seconds:6.1f} s  {entry['test']}", flush=True)
        if verdict == "missed":
            print(f"          {entry['file']}: {entry['why']}", flush=True)
        elif verdict == "does not compile":
            print(tail(output), flush=True)


def tail(text):
    return "\n".join(text.splitlines()[-40:])


def read_results():
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    return {result["name"]: result["verdict"] for result in map(json.loads, lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="run only these breaks (default: all)")
    parser.add_argument("--check", action="store_true", help="check the list against the source, and run nothing")
    parser.add_argument("--resume", action="store_true", help="keep the results of the last run, and skip what it caught")
    parser.add_argument("--limit", type=int, default=300, metavar="SECONDS",
                        help="time limit of a test (default 300)")
    arguments = parser.parse_args()
    breaks = read_list()
    if arguments.check:
        print(f"{len(breaks)} breaks, and each applies exactly once.")
        return 0
    if unknown := set(arguments.names) - {entry["name"] for entry in breaks}:
        raise Invalid(f"{min(unknown)}: there is no such break")
    chosen = [entry for entry in breaks if not arguments.names or entry["name"] in arguments.names]
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Invalid(f"{WORK} is in use by another run; wait for it") from None
        if not arguments.resume:
            RESULTS.unlink(missing_ok=True)
        done = read_results()
        run([entry for entry in chosen if done.get(entry["name"]) not in ("caught", "timeout")], arguments.limit)
        done = read_results()
    verdicts = [done[entry["name"]] for entry in chosen]
    counts = {verdict: verdicts.count(verdict) for verdict in ("caught", "timeout", "missed", "does not compile")}
    print(f"\n{len(chosen)} breaks: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 2 if counts["does not compile"] else 1 if counts["missed"] else 0


if __name__ == "__main__":
    # As an exception, so that cargo is killed.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(main())
    except Invalid as error:
        print(f"breaks.py: {error}", file=sys.stderr)
        sys.exit(2)
