import unittest
from statistics import mean

from simulate import Machine, Model, Operation, closed, offered


class Simulated(unittest.TestCase):
    def test_one_client_waits_for_each_part(self):
        served = closed(Machine(commit=1_000), {"put": Operation(100, 200, 2, 1)}, "put", 1, seconds=20)
        self.assertAlmostEqual(served.rate("put") / (1e6 / 1_300), 1, delta=0.05)

    def test_a_core_in_use_for_half_of_the_time_doubles_the_wait(self):
        # Of exponential times, a queue for one server: 1 / (1 - use).
        served = offered(Machine(commit=0), {"get": Operation(1_000, 0.001, 1)}, {"get": 500}, seconds=100)
        self.assertAlmostEqual(mean(served.latencies["get"]) / 2_000, 1, delta=0.15)
        self.assertAlmostEqual(served.used["nodes"], 0.5, delta=0.05)

    def test_one_row_takes_one_commit_at_a_time(self):
        machine = Machine(nodes=4, cores=4, pool=4, database_cores=8, commit=1_000)
        one, many = (
            closed(machine, {"put": Operation(10, 10, 1, 1, rows=("ships", rows))}, "put", 32).rate("put") for rows in (1, 1_000))
        self.assertAlmostEqual(one / 990, 1, delta=0.05)
        self.assertGreater(many, 10 * one)

    def test_the_pool_bounds_what_waits_for_commits(self):
        machine = Machine(cores=1, pool=2, database_cores=8, commit=1_000)
        served = closed(machine, {"put": Operation(10, 10, 1, 1)}, "put", 32)
        self.assertAlmostEqual(served.rate("put") / 1_980, 1, delta=0.05)

    def test_half_of_the_cores_hash(self):
        model = Model(Machine(cores=4), {"login": Operation(10, 10, 1, hash=10_000)})
        for _ in range(32):
            model.simulation.start(model.client("login"))
        self.assertAlmostEqual(model.run(10).rate("login") / 200, 1, delta=0.05)


if __name__ == "__main__":
    unittest.main()
