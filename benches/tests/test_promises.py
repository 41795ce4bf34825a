import unittest

from bench import promises
from tests.made_up import find, results, spread


def broken(results_):
    return [verdict.text for verdict in promises.verdicts(results_) if verdict.kept is False]


class Promises(unittest.TestCase):
    def test_good_figures_are_kept(self):
        self.assertEqual(broken(results()), [])
        self.assertTrue(promises.check(results(), tell=lambda _: None))

    def test_each_promise_can_be_broken(self):
        cases = [
            ("get", "axum", "cpu_us", 11.9, "get, 32 connections: CPU a request of shipyard against axum: 1.01 times"),
            ("put", "hyper", "cpu_us", 7.4, "put, 32 connections: CPU a request of shipyard against hyper"),
            ("refresh", "flask", "cpu_us", 170, "CPU a request of flask against shipyard"),
            ("get", "fastapi", "cpu_us", 119, "CPU a request of fastapi against shipyard"),
            ("put", "express", "cpu_us", 47, "CPU a request of express against shipyard"),
            ("refresh", "json-server", "cpu_us", 47, "CPU a request of json-server against shipyard"),
            ("get", "axum", "p99_us", 119, "p99 of shipyard against axum"),
            ("list-10000", "hyper", "cpu_us", 9.9, "list-10000, 32 connections"),
        ]
        for workload, peer, figure, value, text in cases:
            with self.subTest(text):
                made_up = results()
                find(made_up, workload, 32, peer)[figure] = spread(value, value, value)
                self.assertEqual(len(broken(made_up)), 1)
                self.assertIn(text, broken(made_up)[0])
                self.assertFalse(promises.check(made_up, tell=lambda _: None))

    def test_starts_can_be_broken(self):
        for figure, value in (("start_ms", 51), ("idle_mb", 15.1)):
            made_up = results()
            made_up["peers"]["shipyard"][figure] = spread(1, value, value)
            self.assertEqual(len(broken(made_up)), 1, figure)

    def test_other_numbers_of_connections_are_mentioned_only(self):
        made_up = results()
        for connections in (1, 256):
            find(made_up, "get", connections, "axum")["cpu_us"] = spread(1, 1, 1)
        self.assertEqual(broken(made_up), [])
        self.assertTrue(any("get, 256 connections" in verdict.text for verdict in promises.verdicts(made_up)))

    def test_what_was_not_measured_is_not_kept(self):
        made_up = results()
        made_up["cells"] = [cell for cell in made_up["cells"] if cell["peer"] != "flask"]
        del made_up["peers"]["flask"]
        self.assertEqual(len(broken(made_up)), 3)
        made_up = results()
        made_up["peers"]["shipyard"]["start_ms"] = None
        self.assertEqual(broken(made_up), ["start-up of shipyard: not measured (at most 50 ms)"])

    def test_a_row_that_the_server_is_out_of_is_not_kept(self):
        made_up = results()
        find(made_up, "get", 256, "shipyard")["failed"] = "status 500"
        self.assertEqual(broken(made_up), ["shipyard answers right in every row: get at 256: status 500"])


if __name__ == "__main__":
    unittest.main()
