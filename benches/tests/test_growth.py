import unittest

from bench import growth_promises
from bench.growth import stages
from bench.growth_data import ids, job_request
from bench.growth_report import MARK, render
from bench.report import replaced
from tests.made_up import spread

BEGIN, END = "<!-- growth: begin -->", "<!-- growth: end -->"


def results():
    rows = [
        {"grown": "ships", "n": n, "start_ms": 50.0, "memory_mb": 20.0, "peak_mb": 30.0, "get": spread(cost),
         "put": spread(cost + 5)}
        for n, cost in ((100, 10), (10_000, 20), (1_000_000, 34))]
    rows += [
        {"grown": "users", "n": n, "start_ms": 50.0, "memory_mb": 20.0, "peak_mb": 30.0, "get": spread(cost)}
        for n, cost in ((100, 10), (100_000, 28))]
    rows += [
        {"grown": "revocations", "n": n, "memory_mb": 20.0, "seconds": 1.0, "put": spread(cost), **each}
        for n, cost, each in (
            (0, 1, {}), (100_000, 10, {"bytes_each": 99.0}), (10_000_000, 30, {"bytes_each": 64.0}))]
    rows += [{"grown": "connections", "n": n, "memory_mb": 20.0, "get": spread(10)} for n in (1, 32, 1000)]
    return {
        "date": "2026-01-02", "command": "benches/run --growth", "commit": "0123456789abcdef", "changed": False,
        "machine": {"cpu": "CPU", "cores": 2, "memory_gb": 8}, "options": {"rounds": 3, "seconds": 0.4},
        "others_percent": 0.5, "minutes": 1, "rows": rows}


def row(results_, grown, n):
    return next(row for row in results_["rows"] if (row["grown"], row["n"]) == (grown, n))


def broken(results_):
    return [verdict.text for verdict in growth_promises.verdicts(results_) if not verdict.kept]


class Growth(unittest.TestCase):
    def test_good_figures_are_kept(self):
        self.assertEqual(broken(results()), [])
        self.assertTrue(growth_promises.check(results(), tell=lambda _: None))

    def test_each_promise_can_be_broken(self):
        cases = [
            ("ships", 1_000_000, "get", spread(34.6), "GET by id, ships: 3.46 times"),
            ("ships", 1_000_000, "put", spread(52), "PUT by id, ships"),
            ("users", 100_000, "get", spread(29), "GET by id, users: 2.9 times"),
            ("revocations", 10_000_000, "put", spread(30.5), "PUT, revocations: 3.05 times"),
            ("revocations", 10_000_000, "bytes_each", 64.1, "bytes a revoked token, of 10,000,000: 64.1"),
        ]
        for grown, n, figure, value, text in cases:
            with self.subTest(text):
                made_up = results()
                row(made_up, grown, n)[figure] = value
                self.assertEqual(len(broken(made_up)), 1)
                self.assertIn(text, broken(made_up)[0])
                self.assertFalse(growth_promises.check(made_up, tell=lambda _: None))

    def test_what_was_not_measured_is_not_kept(self):
        for grown, count in (("ships", 2), ("users", 1), ("revocations", 2), ("connections", 0)):
            made_up = results()
            made_up["rows"] = [row for row in made_up["rows"] if row["grown"] != grown]
            self.assertEqual(len(broken(made_up)), count, grown)
        made_up = results()
        made_up["rows"].remove(row(made_up, "revocations", 100_000))
        self.assertEqual(broken(made_up), ["PUT, revocations: not measured"])

    def test_what_was_not_asked_for_is_neither_kept_nor_broken(self):
        made_up = results()
        row(made_up, "revocations", 100_000)["bytes_each"] = 30
        made_up["rows"].remove(row(made_up, "revocations", 10_000_000))
        self.assertTrue(growth_promises.check(made_up, tell=lambda _: None))
        self.assertIn("- Not measured: PUT, revocations: no more than 100,000 were requested.", render(made_up))

    def test_stages_end_with_what_was_asked_for(self):
        self.assertEqual(stages(10 ** 7), (0, 10 ** 5, 10 ** 6, 10 ** 7))
        self.assertEqual(stages(300_000), (0, 10 ** 5, 300_000))
        self.assertEqual(stages(10 ** 5), (0, 10 ** 5))
        self.assertEqual(stages(0), (0,))

    def test_ids_are_spread_over_all(self):
        self.assertEqual(sorted(ids(100)), list(range(1, 101)))
        many = ids(1_000_000)
        self.assertEqual(len(set(many)), len(many))
        self.assertTrue(min(many) < 10_000 and max(many) > 990_000)
        self.assertEqual(many, ids(1_000_000))

    def test_an_answer_is_as_the_server_writes_it(self):
        self.assertEqual(job_request("GET", "/", {"b": [1, "é"], "a": 2})["template"], [{"literal": '{"a":2,"b":[1,"é"]}\n'}])

    def test_the_prose_around_stays(self):
        text = f"# Title\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n"
        self.assertEqual(replaced(text, "new", MARK), f"# Title\n\nbefore\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n")
        self.assertEqual(replaced("# Title\n", "new", MARK), f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n")

    def test_the_table_tells_all(self):
        text = render(results())
        self.assertIn("| 1,000,000 ships | 34.0 | 39.0 | 20 MB | 50.0 ms |  |", text)
        self.assertIn("| 10,000,000 revocations |  | 30.0 | 20 MB |  | 64.0 |", text)
        self.assertIn("- Kept: GET by id, ships", text)


if __name__ == "__main__":
    unittest.main()
