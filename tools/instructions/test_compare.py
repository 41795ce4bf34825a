"""What the comparison refuses, lets through, and says."""

import unittest

from compare import NotComparable, compare

TOOLS = {"rustc": "1", "valgrind": "1", "libc": "1", "machine": "x86_64"}
NEWER = {**TOOLS, "rustc": "2"}


def counts(made_with=TOOLS, **instructions):
    return {"made_with": made_with, "instructions": {"get": 1000, "put": 2000, **instructions}}


class Comparison(unittest.TestCase):
    def judge(self, now, kept, *says):
        lines, found = compare(counts(), now)
        self.assertEqual(found, kept, lines)
        for what in says:
            self.assertIn(what, "\n".join(lines))
        return "\n".join(lines)

    def test_the_same_and_a_tenth_more_or_less_are_let_through_and_nothing_is_asked_for(self):
        for get in 1000, 1100, 900:
            said = self.judge(counts(get=get), True, f"| get | 1000 | {get} | {get / 1000:.3f} | ok |")
            self.assertNotIn("--write", said)

    def test_more_than_a_tenth_more_of_one_is_refused(self):
        self.judge(counts(get=1101), False, "| get | 1000 | 1101 | 1.101 | MORE THAN +10% |", "| put | 2000 | 2000 |")
        self.judge(counts(put=2201), False, "| put | 2000 | 2201 | 1.101 | MORE THAN +10% |")

    def test_what_another_saves_makes_up_for_nothing(self):
        self.judge(counts(get=1101, put=10), False)

    def test_more_than_a_tenth_less_is_let_through_and_said(self):
        self.judge(counts(get=899), True, "| get | 1000 | 899 | 0.899 | less than -10% |", "renew the baseline")

    def test_of_another_compiler_a_quarter_more_is_let_through_and_it_is_said_which(self):
        said = ["rustc: 1 in the baseline, 2 here", "judged by 25% rather than 10%"]
        self.judge(counts(NEWER), True, *said)
        self.judge(counts(NEWER, get=1250), True, "| 1.250 | ok |", *said)
        self.judge(counts(NEWER, get=1251), False, "MORE THAN +25%", *said)
        self.judge(counts(NEWER, get=749), True, "less than -25%", *said)

    def test_a_tool_that_one_of_them_does_not_name_is_another(self):
        unnamed = {name: version for name, version in TOOLS.items() if name != "libc"}
        self.judge(counts(unnamed), True, "libc: 1 in the baseline, unknown here")
        lines, _ = compare(counts(unnamed), counts())
        self.assertIn("libc: unknown in the baseline, 1 here", lines)

    def test_another_kind_of_machine_is_not_compared(self):
        with self.assertRaisesRegex(NotComparable, "x86_64 in the baseline, aarch64 here"):
            compare(counts(), counts({**TOOLS, "machine": "aarch64"}))

    def test_what_only_one_of_them_counts_is_not_compared(self):
        more = counts(refresh=5)
        for baseline, now in (counts(), more), (more, counts()):
            with self.assertRaisesRegex(NotComparable, "refresh"):
                compare(baseline, now)
