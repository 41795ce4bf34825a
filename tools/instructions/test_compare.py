"""Tests of the comparison: verdicts and messages."""

import unittest

from compare import NotComparable, compare

TOOLS = {"rustc": "1", "valgrind": "1", "libc": "1", "machine": "x86_64"}
NEWER = {**TOOLS, "rustc": "2"}


def counts(environment=TOOLS, **instructions):
    return {"environment": environment, "instructions": {"get": 1000, "put": 2000, **instructions}}


class Comparison(unittest.TestCase):
    def check(self, now, is_within, *expected):
        lines, actual = compare(counts(), now)
        self.assertEqual(actual, is_within, lines)
        for text in expected:
            self.assertIn(text, "\n".join(lines))
        return "\n".join(lines)

    def test_accepts_10_percent_more_or_less_without_a_hint(self):
        for get in 1000, 1100, 900:
            output = self.check(counts(get=get), True, f"| get | 1000 | {get} | {get / 1000:.3f} | ok |")
            self.assertNotIn("--write", output)

    def test_rejects_more_than_10_percent_more_of_one_request(self):
        self.check(counts(get=1101), False, "| get | 1000 | 1101 | 1.101 | MORE THAN +10% |", "| put | 2000 | 2000 |")
        self.check(counts(put=2201), False, "| put | 2000 | 2201 | 1.101 | MORE THAN +10% |")

    def test_a_cheaper_request_does_not_make_up_for_a_costlier_one(self):
        self.check(counts(get=1101, put=10), False)

    def test_accepts_more_than_10_percent_less_with_a_hint(self):
        self.check(counts(get=899), True, "| get | 1000 | 899 | 0.899 | less than -10% |", "renew the baseline")

    def test_accepts_25_percent_more_with_another_compiler_and_names_it(self):
        expected = ["rustc: 1 in the baseline, 2 here", "the limit is 25% instead of 10%"]
        self.check(counts(NEWER), True, *expected)
        self.check(counts(NEWER, get=1250), True, "| 1.250 | ok |", *expected)
        self.check(counts(NEWER, get=1251), False, "MORE THAN +25%", *expected)
        self.check(counts(NEWER, get=749), True, "less than -25%", *expected)

    def test_a_tool_that_only_one_side_names_differs(self):
        unnamed = {name: version for name, version in TOOLS.items() if name != "libc"}
        self.check(counts(unnamed), True, "libc: 1 in the baseline, unknown here")
        lines, _ = compare(counts(unnamed), counts())
        self.assertIn("libc: unknown in the baseline, 1 here", lines)

    def test_does_not_compare_another_kind_of_machine(self):
        with self.assertRaisesRegex(NotComparable, "x86_64 in the baseline, aarch64 here"):
            compare(counts(), counts({**TOOLS, "machine": "aarch64"}))

    def test_does_not_compare_different_requests(self):
        more = counts(refresh=5)
        for baseline, now in (counts(), more), (more, counts()):
            with self.assertRaisesRegex(NotComparable, "refresh"):
                compare(baseline, now)
