#!/usr/bin/env python3
"""Lets no breaking change of the API through unannounced.

Compares spec/openapi.json with that of the merge base. A change that can break a client (Redocly rates it "major")
needs two things: a version in Cargo.toml that says so, and an entry in CHANGELOG.md, under the heading "Breaking"
of that version, that names what was changed.

The base is CONTRACT_BASE, if set: then it has to be there. Otherwise it is where this branch left the main branch;
on the main branch itself, what that was before the push, or the commit before. Where there is no base, there is
nothing to compare with, and that is said.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

SPEC = "spec/openapi.json"
LIMIT = 60


class Failure(Exception):
    """The gate is closed; the text says why, and what to do."""


class NoBase(Exception):
    """There is nothing to compare with; the text says why."""


def git(root, *arguments):
    """What git says, or None where it fails."""
    done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, timeout=LIMIT)
    return done.stdout if done.returncode == 0 else None


def commit(root, name):
    found = git(root, "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}") if name else None
    return found and found.strip()


def merge_base(root, name):
    found = commit(root, name) and git(root, "merge-base", name, "HEAD")
    return found and found.strip()


def find_base(root, environment):
    """The commit to compare with."""
    explicit = environment.get("CONTRACT_BASE")
    if explicit:
        base = merge_base(root, explicit)
        if base is None:
            raise Failure(
                f"CONTRACT_BASE is {explicit}, which is no commit here that HEAD has a common ancestor with.\n"
                "Fetch it (in a shallow clone: git fetch --unshallow), or unset CONTRACT_BASE."
            )
        return base
    head = commit(root, "HEAD")
    target = environment.get("GITHUB_BASE_REF")
    for branch in filter(None, [target and f"origin/{target}", "origin/main", "main"]):
        base = merge_base(root, branch)
        if base and base != head:
            return base
    # On the main branch itself.
    for name in (environment.get("PUSHED_FROM"), "HEAD~1"):
        base = commit(root, name)
        if base:
            return base
    raise NoBase("no branch main or origin/main with another commit, and no commit before HEAD")


def changes(base_spec, new_spec, redocly, config):
    """The breaking changes, as Redocly rates them."""
    command = [redocly, "diff", base_spec, new_spec, "--format", "json", "--fail-on", "none", "--config", config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode != 0:
        raise Failure(f"redocly diff failed:\n{done.stdout}{done.stderr}")
    if "No diff rules are on" in done.stderr:
        raise Failure(f"{config} turns on no rules for changes: it has to extend diff-recommended.")
    return [change for change in json.loads(done.stdout)["changes"] if change["impact"] == "major"]


def names(change, specs):
    """What an entry of the changelog can call a change: its operation, or what the messages put in backquotes."""
    found = []
    pointer = [urllib.parse.unquote(part).replace("~1", "/").replace("~0", "~") for part in change["path"].split("/")]
    if len(pointer) > 2 and pointer[1] == "paths":
        found.append(pointer[2])
        items = [spec["paths"].get(pointer[2], {}).get("".join(pointer[3:4])) for spec in specs]
        found[:0] = [item["operationId"] for item in items if isinstance(item, dict) and "operationId" in item]
    for verdict in change["verdicts"]:
        found += re.findall(r"`([^`]+)`", verdict["message"])
    return list(dict.fromkeys(found)) or pointer[-1:]


def version(cargo):
    """The version of the package, as numbers and as text."""
    found = re.search(r'(?m)^version = "((\d+)\.(\d+)\.(\d+)[^"]*)"$', cargo or "")
    if found is None:
        raise Failure('Cargo.toml has no line `version = "<major>.<minor>.<patch>"`.')
    return tuple(int(number) for number in found.group(2, 3, 4)), found.group(1)


def is_breaking_bump(old, new):
    """Semantic Versioning: below 1.0.0 the second number says that something breaks, from then on the first."""
    return new[:2] > old[:2] if old[0] == 0 else new[0] > old[0]


def next_version(old):
    return f"0.{old[1] + 1}.0" if old[0] == 0 else f"{old[0] + 1}.0.0"


def breaking_section(changelog, wanted):
    """What CHANGELOG.md says under "### Breaking" of that version; None without that heading."""
    released = re.search(rf"(?ms)^## \[{re.escape(wanted)}\].*?(?=^## |\Z)", changelog)
    section = released and re.search(r"(?ms)^### Breaking$(.*?)(?=^### |\Z)", released.group())
    return section.group(1) if section else None


def is_named(name, text):
    return re.search(rf"(?<![\w/]){re.escape(name)}(?![\w/{{])", text) is not None


def check(root, base, redocly, config):
    """The messages of the breaking changes since `base`, all of them announced."""
    old_text = git(root, "show", f"{base}:{SPEC}")
    if old_text is None:
        raise NoBase(f"{base[:12]} has no {SPEC}")
    new_path = Path(root, SPEC)
    with tempfile.TemporaryDirectory() as folder:
        old_path = Path(folder, "base.json")
        old_path.write_text(old_text, encoding="utf-8")
        breaking = changes(old_path, new_path, redocly, config)
    if not breaking:
        return []
    specs = [json.loads(old_text), json.loads(new_path.read_text(encoding="utf-8"))]
    called = [names(change, specs) for change in breaking]
    messages = [
        f"{change['path']}\n    " + "\n    ".join(verdict["message"] for verdict in change["verdicts"])
        for change in breaking
    ]
    wrong = unannounced(root, base, called)
    if wrong:
        listed = "\n".join(f"  {message}" for message in messages)
        raise Failure(
            f"The API changes in ways that can break its clients, compared with {base[:12]}:\n{listed}\n"
            "Make the change one that breaks no client (an optional field, a new operation), or announce it:\n"
            + "\n".join(f"  - {line}" for line in wrong)
        )
    return messages


def unannounced(root, base, called):
    """What is left to do to announce changes of those names."""
    old, old_text = version(git(root, "show", f"{base}:Cargo.toml"))
    new, new_text = version(Path(root, "Cargo.toml").read_text(encoding="utf-8"))
    wrong = []
    if not is_breaking_bump(old, new):
        new_text = next_version(old)
        wrong.append(f"Cargo.toml: raise the version from {old_text} to {new_text}, then `cargo run -- spec --write`.")
    section = breaking_section(Path(root, "CHANGELOG.md").read_text(encoding="utf-8"), new_text)
    if section is None:
        wrong.append(f'CHANGELOG.md: write a heading "### Breaking" under "## [{new_text}]".')
    for alternatives in called:
        if section is None or not any(is_named(name, section) for name in alternatives):
            wrong.append(f"CHANGELOG.md: name the change under it, by one of: {', '.join(alternatives)}.")
    return list(dict.fromkeys(wrong))


def main(root, redocly, config):
    try:
        base = find_base(root, os.environ)
        announced = check(root, base, redocly, config)
    except NoBase as reason:
        if os.environ.get("CONTRACT_BASE"):
            print(f"spec-diff: CONTRACT_BASE cannot be compared with: {reason}.", file=sys.stderr)
            return 1
        print(f"spec-diff: NOT COMPARED, for there is no base: {reason}. CONTRACT_BASE=<commit> names one.")
        return 0
    except Failure as failure:
        print(f"spec-diff: {failure}", file=sys.stderr)
        return 1
    print(f"spec-diff: compared with {base[:12]}: {len(announced)} breaking change{'s' * (len(announced) != 1)}" + (", announced" if announced else ""))
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(f"{__doc__}\nusage: spec_diff.py <repository> <redocly> <redocly.yaml>")
    sys.exit(main(*sys.argv[1:]))
