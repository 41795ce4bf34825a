#!/usr/bin/env python3
"""Tests of the checker: histories that must pass, and the same ones with one violation each, which must not.

usage: tools/cluster/test_checker.py
"""

import random
import unittest

from linearizability import FOREVER, Operation, check
from models import Crew, Fleet, check_ids, check_token

A, B, C = (1, 1, "a", "m1"), (2, 1, "b", "m1"), (3, 1, "c", "m1")


def op(kind, start, end, status, asked=None, found=None):
    return Operation(kind, start, end, status, asked, found)


def unknown(kind, start, asked):
    return Operation(kind, start, FOREVER, None, asked)


def create(start, end, content, id_):
    return op("create", start, end, 201, content, id_)


def put(start, end, content, required=None, id_=16, status=200):
    return op("put", start, end, status, (id_, required, content))


def get(start, end, content, id_=16):
    return op("get", start, end, 200 if content else 404, (id_, None), content)


def listed(start, end, *pairs, total=None):
    return op("list", start, end, 200, (None, 0, None, False, 1000), (pairs, len(pairs) if total is None else total))


class Ships(unittest.TestCase):
    def passes(self, *operations, **ids):
        verdict = check(Fleet(ids or {}), operations)
        self.assertTrue(verdict.ok, verdict.reason)

    def fails(self, *operations, **ids):
        self.assertFalse(check(Fleet(ids or {}), operations).ok)

    def test_reads_in_any_order_while_a_write_runs(self):
        self.passes(create(0, 1, A, 16), put(10, 20, B), get(11, 12, A), get(13, 14, B))
        self.passes(create(0, 1, A, 16), put(10, 20, B), get(11, 14, B), get(12, 13, A))

    def test_a_stale_read(self):
        self.fails(create(0, 1, A, 16), put(10, 20, B), get(21, 22, A))
        self.fails(create(0, 1, A, 16), put(10, 20, B), get(11, 12, B), get(13, 14, A))

    def test_a_lost_update(self):
        self.fails(create(0, 1, A, 16), put(2, 3, B), get(4, 5, None))
        # Both clients replaced version A.
        self.fails(create(0, 1, A, 16), put(2, 5, B, A), put(3, 6, C, A))
        self.passes(create(0, 1, A, 16), put(2, 5, B, A), put(3, 6, C, A, status=412))

    def test_a_precondition_that_failed_without_reason(self):
        self.fails(create(0, 1, A, 16), put(2, 5, B, A, status=412))

    def test_a_patch_of_a_version_that_was_replaced(self):
        part = (9, None, None, None)
        over_a, over_b = (9, *A[1:]), (9, *B[1:])
        patch = lambda start, end, found: op("patch", start, end, 200, (16, None, part), found)
        self.passes(create(0, 1, A, 16), put(2, 3, B), patch(4, 5, over_b), get(6, 7, over_b))
        self.fails(create(0, 1, A, 16), put(2, 3, B), patch(4, 5, over_a))

    def test_a_deleted_ship_that_comes_back(self):
        delete = op("delete", 2, 3, 204, (16, None))
        self.passes(create(0, 1, A, 16), delete, get(4, 5, None))
        self.fails(create(0, 1, A, 16), delete, get(4, 5, A))
        self.fails(create(0, 1, A, 16), delete, op("delete", 4, 5, 204, (16, None)))

    def test_a_write_with_unknown_outcome_may_happen_later_or_never(self):
        late = unknown("put", 2, (16, None, B))
        self.passes(create(0, 1, A, 16), late, get(10, 11, A))
        self.passes(create(0, 1, A, 16), late, get(10, 11, A), get(12, 13, B))
        self.fails(create(0, 1, A, 16), late, get(10, 11, B), get(12, 13, A))

    def test_a_double_create(self):
        other = (5, 5, "x", "m2")
        self.passes(unknown("create", 0, other), listed(5, 6, (16, other)), m2=16)
        self.fails(create(0, 1, other, 16), listed(5, 6, (16, other), (17, other)), m2=16)
        self.fails(unknown("create", 0, other), listed(5, 6, (16, other), (17, other)), m2=16)

    def test_a_list_that_is_no_snapshot(self):
        start = [create(0, 1, A, 16), create(0, 1, (1, 1, "o", "m2"), 17)]
        writes = [put(10, 20, B), put(21, 30, (2, 1, "p", "m2"), id_=17)]
        old, new = (17, (1, 1, "o", "m2")), (17, (2, 1, "p", "m2"))
        self.passes(*start, *writes, listed(5, 40, (16, B), old))
        self.fails(*start, *writes, listed(5, 40, (16, A), new))
        self.fails(*start, *writes, listed(5, 40, (16, B), new, total=3))

    def test_random_histories(self):
        """Histories of a register behind a lock pass; with one answer replaced by an older one they do not."""
        seeded = 0
        for seed in range(200):
            history, moments = simulated(random.Random(seed))
            self.passes(*history)
            stale = next((operation for operation in history if operation.kind == "get"
                          and (before := moments.get(operation.found)) and before[1] < operation.start), None)
            if stale:
                stale.found = before[0]
                self.fails(*history)
                seeded += 1
        self.assertGreater(seeded, 50)


def simulated(rng):
    """A history of one ship; and for each content the one before it, and when that was replaced for sure."""
    history, current, time, ended, moments = [create(0, 1, A, 16)], A, 10, 1, {}
    for number in range(60):
        effect = time + rng.random() * 4
        start, end = effect - rng.random() * 8, effect + rng.random() * 8
        if rng.random() < 0.4:
            content = (10 + number, 1, "n", "m1")
            history.append(put(start, end, content))
            if ended < start:
                moments[content] = (current, end)
            current, ended = content, end
        else:
            history.append(get(start, end, current))
        time = effect
    return history, moments


class Users(unittest.TestCase):
    def passes(self, *operations, ids=None, orphans=None):
        verdict = check(Crew(ids or {}, orphans or {}), operations)
        self.assertTrue(verdict.ok, verdict.reason)

    def fails(self, *operations, ids=None, orphans=None):
        self.assertFalse(check(Crew(ids or {}, orphans or {}), operations).ok)

    def created(self, start, end, name, id_):
        return op("create", start, end, 201, (name, f"p{id_}"), (id_, f"v{id_}"))

    def test_a_name_is_taken_once(self):
        self.passes(self.created(0, 5, "n", 3), op("create", 1, 6, 400, ("n", "p4")))
        self.fails(self.created(0, 5, "n", 3), self.created(1, 6, "n", 4))
        self.fails(op("create", 1, 6, 400, ("n", "p4")))

    def test_a_name_is_free_after_a_rename(self):
        rename = op("change", 6, 7, 200, (3, None, "other", None), ("other", "w"))
        self.passes(self.created(0, 5, "n", 3), rename, self.created(8, 9, "n", 4))
        self.fails(self.created(0, 5, "n", 3), rename, op("create", 8, 9, 400, ("n", "p4")))
        self.fails(self.created(0, 5, "n", 3), rename, self.created(8, 9, "other", 4))

    def test_an_old_password(self):
        change = op("change", 6, 7, 200, (3, None, None, "new"), ("n", "w"))
        login = lambda start, end, password, id_: op("login", start, end, 200, ("n", password), id_)
        self.passes(self.created(0, 5, "n", 3), change, login(6, 9, "p3", 3), login(8, 9, "new", 3))
        self.fails(self.created(0, 5, "n", 3), change, login(8, 9, "p3", 3))
        self.fails(self.created(0, 5, "n", 3), change, login(8, 9, "new", None))

    def test_a_precondition(self):
        change = lambda start, end, name, status: op("change", start, end, status, (3, "v3", name, None), (name, name))
        self.passes(self.created(0, 5, "n", 3), change(6, 8, "a", 200), change(7, 9, "b", 412))
        self.fails(self.created(0, 5, "n", 3), change(6, 8, "a", 200), change(7, 9, "b", 200))

    def test_a_create_with_unknown_outcome(self):
        lost, read = unknown("create", 0, ("n", "p")), op("get", 5, 6, 200, 3, ("n", "v"))
        self.passes(lost, read, orphans={"n": [3]})
        self.passes(lost, self.created(7, 8, "n", 4))
        self.fails(lost, read, self.created(7, 8, "n", 4), orphans={"n": [3]})


class Tokens(unittest.TestCase):
    def test_a_logout_is_final(self):
        logout = [(10, 20, True)]
        self.assertIsNone(check_token((0, 1), [(2, 3, True), (12, 19, True), (15, 30, True), (21, 22, False)], logout))
        self.assertIn("after the end", check_token((0, 1), [(21, 22, True)], logout))
        self.assertIn("after it was refused", check_token((0, 1), [(12, 13, False), (14, 15, True)], logout))
        self.assertIn("nothing had ended it", check_token((0, 1), [(2, 3, False)], logout))

    def test_a_logout_with_unknown_outcome(self):
        lost = [(10, FOREVER, False)]
        self.assertIsNone(check_token((0, 1), [(21, 22, True), (23, 24, False)], lost))
        self.assertIn("after it was refused", check_token((0, 1), [(21, 22, False), (23, 24, True)], lost))

    def test_a_change_of_the_password_ends_only_older_tokens(self):
        self.assertIn("after the end", check_token((0, 1), [(21, 22, True)], [(10, 20, True)]))
        self.assertIn("nothing had ended it", check_token((21, 22), [(23, 24, False)], [(10, 20, True)]))
        self.assertIsNone(check_token((15, 25), [(30, 31, True)], [(10, 20, True)]))
        self.assertIsNone(check_token((15, 25), [(30, 31, False)], [(10, 20, True)]))


class Ids(unittest.TestCase):
    def test_ids(self):
        creates = [(0, 5, 17), (1, 6, 16), (7, 8, 18)]
        self.assertEqual(check_ids(creates, 0, 15, [18]), [])
        self.assertEqual(len(check_ids([*creates, (9, 10, 18)], 0, 15, [])), 1)
        self.assertEqual(len(check_ids([*creates, (9, 10, 20)], 0, 15, [])), 1)
        self.assertEqual(check_ids([*creates, (9, 10, 20)], 1, 15, []), [])
        self.assertEqual(len(check_ids(creates, 0, 15, [19])), 1)
        self.assertEqual(len(check_ids([(0, 5, 17), (6, 7, 16)], 0, 15, [])), 1)
        self.assertEqual(len(check_ids([(0, 5, 15)], 0, 15, [])), 1)


if __name__ == "__main__":
    unittest.main()
