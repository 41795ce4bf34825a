"""The gate of spec_diff.py holds: against repositories and a specification of its own, with the real Redocly.

Of its own, so that a change of the real specification, which the gate is to judge, does not fail its test.

usage: REDOCLY=<redocly> CONFIG=<redocly.yaml> python -m unittest test_spec_diff
"""

import copy
import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import spec_diff



def ship(required):
    """A schema of a ship with one field besides its name."""
    crew = {"type": "integer", "minimum": 1, "maximum": 2147483647}
    properties = {"crew": crew, "model": {"type": "string"}}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def of(schema):
    return {"application/json": {"schema": schema}}


NEW, STORED = ({"$ref": f"#/components/schemas/{name}"} for name in ("NewShip", "Ship"))
SPEC = {
    "openapi": "3.0.0",
    "info": {"title": "Ships", "version": "0.1.0"},
    "paths": {
        "/api/ships": {
            "get": {
                "operationId": "ships_list",
                "security": [],
                "responses": {"200": {"description": "All.", "content": of({"type": "array", "items": STORED})}},
            },
            "post": {
                "operationId": "ships_create",
                "security": [{"accessToken": []}],
                "requestBody": {"required": True, "content": of(NEW)},
                "responses": {"201": {"description": "Created.", "content": of(STORED)}},
            },
        }
    },
    "components": {
        "schemas": {"NewShip": ship(["crew", "model"]), "Ship": ship(["crew", "model"])},
        "securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer"}},
    },
}


def require_another_field(spec):
    schema = spec["components"]["schemas"]["NewShip"]
    schema["properties"]["armour"] = {"type": "string", "description": "How thick it is."}
    schema["required"].append("armour")


def drop_an_answered_field(spec):
    schema = spec["components"]["schemas"]["Ship"]
    del schema["properties"]["crew"]
    schema["required"].remove("crew")


def want_a_token(spec):
    spec["paths"]["/api/ships"]["get"]["security"] = [{"accessToken": []}]


def remove_an_operation(spec):
    del spec["paths"]["/api/ships"]["get"]


def narrow_a_limit(spec):
    spec["components"]["schemas"]["NewShip"]["properties"]["crew"]["maximum"] = 10


def offer_another_field(spec):
    spec["components"]["schemas"]["NewShip"]["properties"]["armour"] = {"type": "string"}


# Each with a part of what the gate says, and what the changelog calls it.
BREAKING = [
    (require_another_field, "became required: `armour`", "`armour`"),
    (drop_an_answered_field, "Property `crew` of `Ship` was removed", "`crew`"),
    (want_a_token, "Authentication became required", "`ships_list`"),
    (remove_an_operation, "Operation `GET /api/ships` was removed", "`GET /api/ships`"),
    (narrow_a_limit, "Upper bound of `crew` changed", "`crew`"),
]


class Repository:
    """A repository with one commit, which holds the specification as it is now."""

    def __init__(self, folder, released="0.1.0"):
        self.root = Path(folder)
        self.released = released
        self.commits = 0
        self.write(released, SPEC, "")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit()

    def git(self, *arguments):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *identity, *arguments], cwd=self.root, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self):
        self.git("add", "--all")
        # Two commits of one second would be the same commit if they said the same.
        self.commits += 1
        self.git("commit", "--quiet", "--allow-empty", "--message", f"commit {self.commits}")
        return self.git("rev-parse", "HEAD")

    def write(self, version, spec, entry):
        breaking = f"### Breaking\n- {entry}\n" if entry else "### Changed\n- Nothing that breaks.\n"
        files = {
            "Cargo.toml": f'[package]\nname = "shipyard"\nversion = "{version}"\n',
            "CHANGELOG.md": f"# Changelog\n\n## [{version}] - 2026-01-01\n\n{breaking}",
            spec_diff.SPEC: json.dumps(spec),
        }
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def change(self, edit, version=None, entry=""):
        """Commits the edited specification on a branch."""
        spec = copy.deepcopy(SPEC)
        edit(spec)
        self.git("checkout", "--quiet", "-B", "branch", "main")
        self.write(version or self.released, spec, entry)
        self.commit()

    def check(self, environment=None):
        base = spec_diff.find_base(self.root, environment or {})
        return spec_diff.check(self.root, base, os.environ["REDOCLY"], os.environ["CONFIG"])


class Gate(unittest.TestCase):
    def repository(self, released="0.1.0"):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Repository(folder.name, released)

    def refused(self, repository):
        with self.assertRaises(spec_diff.Failure) as caught:
            repository.check()
        return str(caught.exception)

    def test_a_breaking_change_is_refused_until_it_is_announced(self):
        repository = self.repository()
        for edit, said, name in BREAKING:
            with self.subTest(edit.__name__):
                repository.change(edit)
                message = self.refused(repository)
                self.assertIn(said, message)
                self.assertIn("Cargo.toml: raise the version from 0.1.0 to 0.2.0", message)
                self.assertIn('CHANGELOG.md: write a heading "### Breaking" under "## [0.2.0]"', message)
                repository.change(edit, "0.2.0", f"What was changed is {name}.")
                self.assertTrue(repository.check())

    def test_half_an_announcement_is_none(self):
        repository = self.repository()
        entry = "Creating a ship needs `armour`."
        for version, given, said in [
            ("0.1.1", entry, "raise the version from 0.1.0 to 0.2.0"),
            ("0.2.0", "", 'write a heading "### Breaking"'),
            ("0.2.0", "Something else.", "name the change under it, by one of: ships_create"),
        ]:
            with self.subTest(version=version, entry=given):
                repository.change(require_another_field, version, given)
                self.assertIn(said, self.refused(repository))

    def test_from_1_0_on_the_first_number_has_to_rise(self):
        repository = self.repository("1.4.2")
        entry = "Creating a ship needs `armour`."
        repository.change(require_another_field, "1.5.0", entry)
        self.assertIn("raise the version from 1.4.2 to 2.0.0", self.refused(repository))
        repository.change(require_another_field, "2.0.0", entry)
        self.assertTrue(repository.check())

    def test_what_breaks_nobody_passes(self):
        repository = self.repository()
        repository.change(offer_another_field)
        self.assertEqual(repository.check(), [])


def drones(text):
    """The specification with ships that need no crew: as it was before the change of the document."""
    spec = json.loads(text)
    for name in ("NewShip", "Ship", "ShipUpdate"):
        spec["components"]["schemas"][name]["properties"]["crew"]["minimum"] = 0
    return spec


class Document(unittest.TestCase):
    maxDiff = None

    def test_it_shows_what_the_gate_says(self):
        root = Path(__file__).parents[2]
        text = (root / spec_diff.SPEC).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            repository = Repository(folder)
            repository.write("0.1.0", drones(text), "")
            repository.commit()
            repository.git("checkout", "--quiet", "-b", "branch")
            repository.write("0.1.0", json.loads(text), "")
            repository.commit()
            with self.assertRaises(spec_diff.Failure) as caught:
                repository.check()
        # Which commit it was compared with is another one each time.
        said = re.sub("[0-9a-f]{12}:", "c314cdde79f8:", f"spec-diff: {caught.exception}")
        document = (root / "docs/reviewing-api-changes.md").read_text(encoding="utf-8")
        shown = document.split("```text\n")[-1].split("```")[0].strip()
        self.assertEqual(said.strip(), shown)


class Base(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.repository = Repository(folder.name)
        self.first = self.repository.git("rev-parse", "HEAD")

    def base(self, **environment):
        return spec_diff.find_base(self.repository.root, environment)

    def test_the_first_commit_has_none(self):
        with self.assertRaises(spec_diff.NoBase):
            self.base()

    def test_on_main_it_is_what_was_pushed_from_or_the_commit_before(self):
        second = self.repository.commit()
        self.repository.commit()
        self.assertEqual(self.base(), second)
        self.assertEqual(self.base(PUSHED_FROM=self.first), self.first)
        self.assertEqual(self.base(PUSHED_FROM="0" * 40), second)

    def test_on_a_branch_it_is_where_the_branch_left_main(self):
        self.repository.git("checkout", "--quiet", "-b", "branch")
        self.repository.commit()
        self.repository.commit()
        self.assertEqual(self.base(), self.first)
        self.repository.git("checkout", "--quiet", "main")
        self.repository.commit()
        self.repository.git("checkout", "--quiet", "branch")
        self.assertEqual(self.base(), self.first)

    def test_what_is_asked_for_has_to_be_there(self):
        second = self.repository.commit()
        self.repository.commit()
        self.assertEqual(self.base(CONTRACT_BASE=second), second)
        with self.assertRaises(spec_diff.Failure) as caught:
            self.base(CONTRACT_BASE="nowhere")
        self.assertIn("CONTRACT_BASE is nowhere", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
