import contextlib
import io
import os
import tempfile
import unittest
from pathlib import Path

from bench.peers import all_peers
from bench.postgres import Postgres
from bench.process import LOAD_CORE
from bench.sql import WORKLOADS, sql_workloads, summarized
from bench.sql_report import again, render, verdicts


class SomeData:
    ships = [{"id": 1, "model": "X"}, {"id": 2, "model": "Y"}]
    many = []


def report(cpu_s, p99_us):
    return {
        "requests": 1000, "seconds": 1.0, "cpu_s": cpu_s, "database_cpu_s": 0.02, "own_cpu_s": 0.01, "p50_us": 10, "p99_us": p99_us,
        "p999_us": 50, "error": None}


def results(cells):
    return {
        "date": "2026-11-27", "commit": "c" * 40, "changed": False, "others_percent": 1, "memory_mb": dict.fromkeys(
            ("memory", "sql-1", "sql-3", "axum-sql"), 20),
        "machine": {"cores": 2, "cpu": "a CPU", "memory_gb": 4},
        "versions": {"postgres": "15.1", "peers": {}}, "options": {"rounds": 2, "seconds": 1.0, "connections": [1], "pool": "5"},
        "cells": summarized(cells)}


class Sql(unittest.TestCase):
    def test_the_puts_replace_each_ship_by_itself(self):
        found = sql_workloads(all_peers()["shipyard"], SomeData)
        self.assertEqual(tuple(found), WORKLOADS)
        self.assertEqual([one.target for one in found["put"].requests], ["/api/ships/1", "/api/ships/2"])
        self.assertEqual([one.expected for one in found["put"].requests], SomeData.ships)
        self.assertEqual([one.body for one in found["put"].requests], [{"model": "X"}, {"model": "Y"}])
        self.assertEqual(len(found["put-one"].requests), 1)

    def test_a_figure_above_the_peers_is_not_kept(self):
        cells = {
            ("get", 1, "sql-1"): [report(0.03, 20), report(0.03, 20)], ("get", 1, "axum-sql"): [report(0.04, 10), report(0.04, 30)],
            ("put", 1, "sql-1"): [report(0.05, 20)], ("put", 1, "axum-sql"): "no answer"}
        self.assertEqual(
            list(verdicts(results(cells))), [
                (True, "get, 1 connection: CPU time of the node is 0.75 times the peer's"),
                (False, "get, 1 connection: p99 is 1.33 times the peer's"), (True, "put, 1 connection: no answer")])

    def test_a_run_fails_if_a_figure_is_not_kept(self):
        for ours, kept in ((0.03, True), (0.05, False)):
            cells = {("get", 1, "sql-1"): [report(ours, 20)], ("get", 1, "axum-sql"): [report(0.04, 20)]}
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
                self.assertIs(again(results(cells), Path(folder), False), kept)

    def test_the_table_has_both_cpu_times(self):
        cells = {("get", 1, "sql-1"): [report(0.03, 20)], ("put", 1, "axum-sql"): "no answer"}
        text = render(results(cells))
        self.assertIn("| Shipyard on SQL, one node | 30.0 | 20.0 | 1,000 | 10.0 µs | 20.0 µs |", text)
        self.assertIn("| axum and sqlx, one node | out: no answer |", text)

    def test_postgres_serves_and_ends(self):
        with Postgres(LOAD_CORE) as postgres:
            self.assertRegex(postgres.version(), r"^\d+\.\d+$")
            self.assertIn(f":{postgres.port}/a?", postgres.database("a"))
            with open(f"/proc/{postgres.pid}/comm") as name:
                self.assertEqual(name.read(), "postgres\n")
            pid = postgres.pid
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
