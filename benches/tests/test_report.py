import json
import unittest

from bench.report import dumps, replaced
from bench.tables import number, render, time
from tests.made_up import find, results

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


class Report(unittest.TestCase):
    def test_the_prose_around_stays(self):
        text = f"# Title\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n"
        new = replaced(text, "new")
        self.assertEqual(new, f"# Title\n\nbefore\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n")
        self.assertEqual(replaced(new, "new"), new)

    def test_a_document_without_marks_gets_them_at_its_end(self):
        self.assertEqual(replaced("# Title\n", "new"), f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n")

    def test_json_is_laid_out_and_says_the_same(self):
        text = dumps(results())
        self.assertEqual(json.loads(text), results())
        self.assertLessEqual(max(map(len, text.splitlines())), 125)

    def test_a_peer_that_is_out_is_shown_with_its_reason(self):
        made_up = results()
        cell = find(made_up, "get", 32, "flask")
        made_up["cells"][made_up["cells"].index(cell)] = {
            name: cell[name] for name in ("workload", "connections", "peer")} | {"failed": "status 500"}
        text = render(made_up)
        self.assertIn("With rustc 1.0.0, Python 3, Node 20; axum 0.8.", text)
        self.assertIn("| flask | out |", text)
        self.assertIn("- flask, get, 32 connections: status 500", text)
        self.assertIn("| shipyard | 12.0 | 1.20 | 0.86 | 83,333 | 60.0 µs | 120 µs | 120 µs |", text)

    def test_every_row_of_a_table_has_as_many_columns(self):
        for block in render(results()).split("\n\n"):
            if block.startswith("|"):
                self.assertEqual(len({line.count("|") for line in block.splitlines()}), 1, block)

    def test_numbers_have_three_digits(self):
        self.assertEqual([number(value) for value in (1.234, 12.34, 123.4, 12345)], ["1.23", "12.3", "123", "12,345"])
        self.assertEqual([time(value) for value in (12.34, 1234, 1234567)], ["12.3 µs", "1.23 ms", "1,235 ms"])


if __name__ == "__main__":
    unittest.main()
