#!/usr/bin/env python3
"""Breaks the contract on purpose, one small change of the source at a time, and sees whether `cargo test` notices.

Each break is an entry of breaks.toml next to this file. The work tree is never touched: everything happens in a
copy of it, uncommitted changes included.

Exit code: 0 every break was caught, 1 at least one was missed, 2 the list of breaks, the source or the usage is
not in order.
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIST = HERE / "breaks.toml"

CAUGHT, TIMEOUT, MISSED, NOT_COMPILING = "caught", "timeout", "MISSED", "does not compile"

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Seconds. The first build compiles every dependency; the others compile this crate.
FIRST_BUILD_LIMIT = 3600
BUILD_LIMIT = 900

# The part of `cargo test` that draws no cases at random. The whole decides what is missed.
STEADY = ["--lib", "--bins", "--tests", "--", "--skip=properties::"]

FAILED_TEST = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. FAILED$", re.MULTILINE)
ABNORMAL_END = re.compile(r"^error: test failed, to rerun pass `([^`]*)`$", re.MULTILINE)


class NotInOrder(Exception):
    """What was wrong, where, and what to do."""


@dataclass(frozen=True)
class Break:
    name: str
    file: str
    find: str
    replace: str
    why: str

    def applied(self, text):
        """The text with the break in it."""
        times = text.count(self.find)
        if times != 1:
            raise NotInOrder(
                f"break {self.name}: its `find` occurs {times} times in {self.file}, not once. If the code has "
                f"changed, rewrite `find` and `replace` in {LIST.relative_to(ROOT)}; if the rule is gone "
                f"({self.why}), remove the break."
            )
        return text.replace(self.find, self.replace)


@dataclass(frozen=True)
class Result:
    broken: Break
    verdict: str
    seconds: float
    failed: list
    output: str

    def line(self):
        text = f"{self.verdict:<9} {self.broken.name:<44} {self.seconds:5.1f} s"
        if self.failed:
            more = f" (and {len(self.failed) - 1} more)" if len(self.failed) > 1 else ""
            text += f"  {self.failed[0]}{more}"
        return text if self.verdict != MISSED else f"{text}  {self.broken.file}: {self.broken.why}"


def read_breaks():
    try:
        entries = tomllib.loads(LIST.read_text(encoding="utf-8")).get("break", [])
    except tomllib.TOMLDecodeError as error:
        raise NotInOrder(f"{LIST}: {error}") from error
    fields = set(Break.__dataclass_fields__)
    breaks = []
    for position, entry in enumerate(entries, 1):
        name = entry.get("name", f"number {position}")
        if entry.keys() != fields or not all(isinstance(value, str) for value in entry.values()):
            raise NotInOrder(f"break {name}: expected the texts {', '.join(sorted(fields))} and nothing else")
        one = Break(**entry)
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one.name):
            raise NotInOrder(f"break {one.name!r}: a name is small letters and digits with hyphens between")
        if one.name in {other.name for other in breaks}:
            raise NotInOrder(f"break {one.name}: there are two of that name; rename one")
        if not one.find.strip() or not one.why.strip() or one.find == one.replace:
            raise NotInOrder(f"break {one.name}: `find` or `why` is empty, or `replace` changes nothing")
        breaks.append(one)
    if not breaks:
        raise NotInOrder(f"{LIST}: there is no [[break]] in it")
    return breaks


def check(breaks, root):
    """That every break still applies; all that do not, at once."""
    wrong = []
    for one in breaks:
        path = root / one.file
        try:
            if not one.file.startswith("src/") or ".." in Path(one.file).parts:
                raise NotInOrder(f"break {one.name}: {one.file} is not a file of src/")
            one.applied(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            wrong.append(f"break {one.name}: there is no {one.file}; name the file where that code is now")
        except NotInOrder as error:
            wrong.append(str(error))
    if wrong:
        raise NotInOrder("\n".join(wrong))


class Tree:
    """A copy of the work tree as it is now: tracked files, and new ones that are not ignored."""

    def __init__(self, folder):
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True,
        ).stdout
        names = [Path(os.fsdecode(name)) for name in listed.split(b"\0") if name]
        # A deleted file may be tracked still. A link is copied as what it leads to.
        self.files = {name: (ROOT / name).read_bytes() for name in names if (ROOT / name).is_file()}
        folder.mkdir(exist_ok=True)
        self.reset()
        for name in self.files:
            shutil.copymode(ROOT / name, folder / name)

    def reset(self):
        """Takes back what was changed, and what tests left behind: a property's failure would be tried first
        the next time. Untouched files stay so: cargo goes by the time of change."""
        for path in [path for path in self.folder.rglob("*") if not path.is_dir()]:
            if path.relative_to(self.folder) not in self.files:
                path.unlink()
        for name, content in self.files.items():
            path = self.folder / name
            if not path.exists() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def apply(self, one):
        path = self.folder / one.file
        path.write_text(one.applied(path.read_text(encoding="utf-8")), encoding="utf-8")


class Cargo:
    """Runs cargo in the copy. Every run has a limit, and leaves no process behind."""

    def __init__(self, folder, target):
        self.folder = folder
        self.running = None
        # Nothing of the caller's may decide what a test says, or have it write into the tree.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROCKET_", "INSTA_"))}
        self.environment = kept | {
            "CARGO_TARGET_DIR": str(target), "CARGO_TERM_COLOR": "never", "INSTA_UPDATE": "no",
            # No test looks at it, and without it a break builds in half the time.
            "CARGO_PROFILE_DEV_DEBUG": "0",
        }

    def run(self, arguments, limit):
        """Exit code and output; no exit code where the limit was over first."""
        with tempfile.TemporaryFile() as output:
            self.running = subprocess.Popen(
                ["cargo", *arguments], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )
            try:
                code = self.running.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                self.end()
            output.seek(0)
            return code, output.read().decode("utf-8", "replace")

    def end(self):
        """Ends what runs, and what it started: a failed test may leave a server behind."""
        if self.running is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()
            self.running = None

    def test(self, build_limit, test_limit):
        """Verdict, names of the failed tests, output."""
        code, output = self.run(["test", "--locked", "--no-run"], build_limit)
        if code is None:
            raise NotInOrder(f"the build took longer than {build_limit} seconds")
        if code != 0:
            return NOT_COMPILING, [], output
        # First the tests that are the same each time: what they catch needs no luck, nor the time of the others.
        code, output = self.run(["test", "--locked", "--no-fail-fast", *STEADY], test_limit)
        if code == 0:
            code, output = self.run(["test", "--locked", "--no-fail-fast"], test_limit)
        failed = FAILED_TEST.findall(output)
        if code is None:
            return TIMEOUT, failed, output
        if code == 0:
            return MISSED, [], output
        failed = failed or [f"the tests ended abnormally: {target}" for target in ABNORMAL_END.findall(output)]
        if not failed:
            raise NotInOrder(f"cargo test failed, but no test did:\n{tail(output)}")
        return CAUGHT, failed, output


def tail(text, lines=40):
    return "\n".join(text.splitlines()[-lines:])


@contextlib.contextmanager
def workshop(kept):
    """The folder in which everything happens: a new one, which is gone afterwards, or the one to keep."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="shipyard-breaks-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    kept = kept.resolve()
    if kept == ROOT or (ROOT in kept.parents and ROOT / "target" not in kept.parents):
        raise NotInOrder(f"--keep {kept}: that is in the work tree; name a folder outside it, or in target/")
    strangers = {path.name for path in kept.iterdir()} - {"tree", "target", "lock"} if kept.is_dir() else set()
    if strangers:
        raise NotInOrder(f"--keep {kept}: {min(strangers)} in it is none of this program's; name another folder")
    kept.mkdir(parents=True, exist_ok=True)
    with open(kept / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotInOrder(f"--keep {kept}: in use by another run; wait for it, or name another") from None
        yield kept


def prove_unbroken(cargo, limit):
    start = time.monotonic()
    verdict, failed, output = cargo.test(FIRST_BUILD_LIMIT, limit)
    if verdict != MISSED:
        what = f"{verdict}: {', '.join(failed)}" if failed else verdict
        raise NotInOrder(f"{tail(output)}\n\nthe unbroken source does not pass ({what}); mend that first")
    print(f"The unbroken source passes ({time.monotonic() - start:.0f} s, the first build included).", flush=True)


def try_all(breaks, arguments):
    results = []
    with workshop(arguments.keep) as folder:
        tree = Tree(folder / "tree")
        # The copy is what is tested; the work tree may have changed since the list was read.
        check(breaks, tree.folder)
        cargo = Cargo(tree.folder, folder / "target")
        try:
            prove_unbroken(cargo, arguments.limit)
            for one in breaks:
                tree.apply(one)
                start = time.monotonic()
                verdict, failed, output = cargo.test(BUILD_LIMIT, arguments.limit)
                tree.reset()
                results.append(Result(one, verdict, time.monotonic() - start, failed, output))
                print(results[-1].line(), flush=True)
        finally:
            cargo.end()
    return results


def report(results, path):
    entries = [
        {
            "name": result.broken.name, "file": result.broken.file, "why": result.broken.why,
            "verdict": result.verdict, "seconds": round(result.seconds, 1), "failed_tests": result.failed,
        }
        for result in results
    ]
    path.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def judge(results):
    """Prints the summary; gives the exit code."""
    count = {verdict: 0 for verdict in (CAUGHT, TIMEOUT, MISSED, NOT_COMPILING)}
    for result in results:
        count[result.verdict] += 1
        if result.verdict == NOT_COMPILING:
            print(f"\n{result.broken.name} does not compile. Rewrite its `replace`: a break is a program that "
                  f"builds and answers wrongly.\n{tail(result.output)}", file=sys.stderr)
    print(f"\n{len(results)} breaks: {count[CAUGHT] + count[TIMEOUT]} caught ({count[TIMEOUT]} of them by the time "
          f"limit), {count[MISSED]} missed, {count[NOT_COMPILING]} do not compile")
    if count[NOT_COMPILING]:
        return 2
    return 1 if count[MISSED] else 0


def shard(text):
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with K from 1 to N, as in 1/3")
    return int(match[1]), int(match[2])


def positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds from 1")
    return int(text)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="print the breaks, and try none")
    what.add_argument("--check", action="store_true", help="only see that each break still applies, exactly once")
    parser.add_argument("--only", action="append", metavar="NAME", help="try this break; may be given again")
    parser.add_argument("--shard", type=shard, metavar="K/N", help="try every Nth break, from the Kth")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE, every failed test named")
    parser.add_argument("--keep", type=Path, metavar="DIR",
                        help="work in DIR and leave it there: the next run need not compile the dependencies")
    parser.add_argument("--limit", type=positive, default=300, metavar="SECONDS",
                        help="how long the tests may take with one break (default 300)")
    return parser.parse_args()


def chosen(breaks, arguments):
    if arguments.only:
        unknown = set(arguments.only) - {one.name for one in breaks}
        if unknown:
            raise NotInOrder(f"--only {min(unknown)}: there is no such break; --list shows all")
        breaks = [one for one in breaks if one.name in arguments.only]
    if arguments.shard:
        number, shards = arguments.shard
        breaks = breaks[number - 1::shards]
    if not breaks:
        raise NotInOrder("no break is left to try; ask for fewer shards, or for other names")
    return breaks


def stop(number, _frame):
    # The second one must not interrupt the cleaning up.
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main():
    arguments = parse_arguments()
    # As exceptions, so that everything is cleaned up.
    for number in STOPPING:
        signal.signal(number, stop)
    try:
        breaks = chosen(read_breaks(), arguments)
        if arguments.list:
            for one in breaks:
                print(f"{one.name:<44} {one.file:<26} {one.why}")
            return 0
        check(breaks, ROOT)
        if arguments.check:
            print(f"{len(breaks)} breaks, and each applies exactly once.")
            return 0
        results = try_all(breaks, arguments)
        if arguments.json:
            report(results, arguments.json)
        return judge(results)
    except NotInOrder as error:
        print(f"breaks.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
