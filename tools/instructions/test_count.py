"""Tests of the command with made-up counts: its exit code, and the baseline that it writes."""

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
        self.baseline.write_text(json.dumps({"environment": TOOLS, "instructions": instructions}))

    def run_with(self, each, *arguments, tools=TOOLS):
        """The exit code and the output if a request takes `each` instructions."""

        def counted(request, times):
            return START + times * each

        output = io.StringIO()
        with (
            patch.object(count, "BASELINE", self.baseline),
            patch.object(count, "counted", counted),
            patch.object(count, "environment", lambda: tools),
            patch.object(sys, "argv", ["count.py", *arguments]),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
        ):
            return count.main(), output.getvalue()

    def test_fails_only_above_the_limit(self):
        for each, code in (1000, 0), (1100, 0), (1101, 1), (500, 0):
            self.assertEqual(self.run_with(each)[0], code, each)

    def test_fails_with_code_2_without_a_comparable_baseline(self):
        code, output = self.run_with(1000, tools={**TOOLS, "machine": "aarch64"})
        self.assertEqual(code, 2)
        self.assertIn("aarch64 here", output)
        self.baseline.unlink()
        self.assertEqual(self.run_with(1000)[0], 2)

    def test_compares_with_the_baseline_that_it_wrote(self):
        self.assertEqual(self.run_with(5000)[0], 1)
        before = self.baseline.read_text()
        self.assertEqual(self.run_with(5000, "--write")[0], 0)
        self.assertNotEqual(self.baseline.read_text(), before)
        self.assertEqual(self.run_with(5000)[0], 0)
        self.assertEqual(self.run_with(5501)[0], 1)

    def test_reads_the_total_of_callgrind_and_fails_without_one(self):
        self.assertEqual(count.total("events: Ir\nfn=(1) main\n3 12\n\ntotals: 4711\n"), 4711)
        with self.assertRaises(NotMeasured):
            count.total("events: Ir\n")
