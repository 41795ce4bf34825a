import unittest

from bench.summary import Results, cells
from tests.made_up import find, results, spread


def report(requests, cpu_s):
    return {
        "requests": requests, "seconds": 2.0, "cpu_s": cpu_s, "own_cpu_s": 0.1, "reconnects": 1, "p50_us": 5.0,
        "p99_us": 6.0, "p999_us": 7.0}


class Summary(unittest.TestCase):
    def test_figures_come_from_reports(self):
        [cell] = cells({("get", 32, "axum"): [report(1000, 0.01), report(500, 0.02), report(1000, 0.02)]})
        self.assertEqual(cell["cpu_us"], {"median": 20, "min": 10, "max": 40, "rounds": [10, 40, 20]})
        self.assertEqual(cell["requests_s"]["rounds"], [500, 250, 500])
        self.assertEqual((cell["requests"], cell["reconnects"]), ([1000, 500, 1000], 3))

    def test_a_reason_takes_the_place_of_figures(self):
        [cell] = cells({("get", 32, "axum"): "status 500"})
        self.assertEqual(cell["failed"], "status 500")
        self.assertNotIn("cpu_us", cell)

    def test_ratios_are_taken_within_each_round(self):
        # A machine that was slow in two rounds of three was slow for both.
        made_up = results()
        find(made_up, "get", 32, "shipyard")["cpu_us"] = spread(10, 30, 40)
        find(made_up, "get", 32, "axum")["cpu_us"] = spread(20, 30, 80)
        self.assertEqual(Results(made_up).ratio("cpu_us", "get", 32, "shipyard", "axum"), 0.5)

    def test_there_is_no_ratio_to_what_is_not_there(self):
        made_up = results()
        find(made_up, "get", 32, "axum")["failed"] = "status 500"
        found = Results(made_up)
        self.assertIsNone(found.ratio("cpu_us", "get", 32, "shipyard", "axum"))
        self.assertIsNone(found.ratio("cpu_us", "get", 32, "shipyard", "unknown"))
        self.assertIsNone(found.figure("cpu_us", "get", 32, "axum"))


if __name__ == "__main__":
    unittest.main()
