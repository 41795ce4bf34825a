"""What the command does with counts: its exit code, and the baseline that it writes. Nothing is counted here."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

import count
from server import NotMeasured

TOOLS = {"rustc": "1", "machine": "x86_64"}
START = 1_000_000


class Command(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.baseline = Path(folder.name) / "baseline.json"
        instructions = {"get": 1000, "put": 1000, "refresh": 1000}
        self.baseline.write_text(json.dumps({"made_with": TOOLS, "instructions": instructions}))

    def run_with(self, each, *arguments, tools=TOOLS):
        """The exit code where a request takes `each` instructions, and what was printed."""

        def counted(request, times):
            return START + times * each

        said = io.StringIO()
        with (
            patch.object(count, "BASELINE", self.baseline),
            patch.object(count, "counted", counted),
            patch.object(count, "made_with", lambda: tools),
            patch.object(sys, "argv", ["count.py", *arguments]),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            return count.main(), said.getvalue()

    def test_it_fails_over_the_limit_and_only_there(self):
        for each, code in (1000, 0), (1100, 0), (1101, 1), (500, 0):
            self.assertEqual(self.run_with(each)[0], code, each)

    def test_it_fails_by_a_code_of_its_own_where_there_is_nothing_to_compare_with(self):
        code, said = self.run_with(1000, tools={**TOOLS, "machine": "aarch64"})
        self.assertEqual(code, 2)
        self.assertIn("aarch64 here", said)
        self.baseline.unlink()
        self.assertEqual(self.run_with(1000)[0], 2)

    def test_what_it_has_written_is_what_it_compares_with(self):
        self.assertEqual(self.run_with(5000)[0], 1)
        before = self.baseline.read_text()
        self.assertEqual(self.run_with(5000, "--write")[0], 0)
        self.assertNotEqual(self.baseline.read_text(), before)
        self.assertEqual(self.run_with(5000)[0], 0)
        self.assertEqual(self.run_with(5501)[0], 1)

    def test_the_total_is_that_of_callgrind_and_missed_if_there_is_none(self):
        self.assertEqual(count.total("events: Ir\nfn=(1) main\n3 12\n\ntotals: 4711\n"), 4711)
        with self.assertRaises(NotMeasured):
            count.total("events: Ir\n")
