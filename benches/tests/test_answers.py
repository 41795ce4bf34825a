import base64
import hashlib
import hmac
import json
import time
import unittest
import uuid

from bench.answers import LIFETIMES, Token, Wrong, template
from bench.peers import SECRET, all_peers
from bench.workloads import NAMES, workloads

SHIP = {"id": 1, "crew": 5, "roles": ["Escort"]}


def part(bytes_):
    return base64.urlsafe_b64encode(bytes_).rstrip(b"=").decode()


def token(type_="access", secret=SECRET, **changes):
    now = int(time.time())
    claims = {
        "iat": now, "nbf": now, "jti": str(uuid.uuid4()), "exp": now + LIFETIMES[type_], "identity": 1, "type": type_}
    claims |= {"fresh": False} if type_ == "access" else {}
    signed = ".".join(part(json.dumps(one).encode()) for one in ({"alg": "HS256"}, claims | changes))
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def held(expected, body, status=200):
    return template(status, body.encode(), 200, expected)


class Answers(unittest.TestCase):
    def test_a_good_answer_is_its_own_template(self):
        body = '{ "roles":["Escort"], "crew":5, "id":1 }\n'
        self.assertEqual(held(SHIP, body), [{"literal": body}])

    def test_what_says_something_else_is_wrong(self):
        for body in (
                '{"id":1,"crew":5}', '{"id":1,"crew":5.0,"roles":["Escort"]}', '{"id":true,"crew":5,"roles":["Escort"]}',
                '{"id":1,"crew":5,"roles":["Escort","Bomber"]}', '{"id":1,"crew":5,"roles":["Escort"],"more":0}',
                "[]", "", "{"):
            with self.subTest(body), self.assertRaises(Wrong):
                held(SHIP, body)
        with self.assertRaisesRegex(Wrong, "status 404 for 200"):
            held(SHIP, json.dumps(SHIP), status=404)

    def test_tokens_become_places(self):
        access, refresh = token(), token("refresh")
        expected = {"access_token": Token("access"), "refresh_token": Token("refresh")}
        self.assertEqual(
            held(expected, f'{{"refresh_token":"{refresh}","access_token":"{access}"}}'),
            [{"literal": '{"refresh_token":"'}, "jwt", {"literal": '","access_token":"'}, "jwt", {"literal": '"}'}])

    def test_a_token_that_is_not_good_is_wrong(self):
        now = int(time.time())
        bad = [token(secret="another"), token("refresh"), token(identity=2), token(exp=now + 60), token(jti="1"),
               token(nbf=now + 60), token(fresh=True), "a.b.c", "abc", 5, token() + "x"]
        for one in bad:
            with self.subTest(one), self.assertRaises(Wrong):
                held({"access_token": Token("access")}, json.dumps({"access_token": one}))


class Workloads(unittest.TestCase):
    def setUp(self):
        self.ships = [{**SHIP, "id": number} for number in range(1, 16)]
        self.work = workloads(all_peers()["axum"], self.ships, self.ships)

    def test_all_are_there(self):
        self.assertEqual(tuple(self.work), NAMES)

    def test_of_mixed_one_of_five_writes_and_every_ship_is_read_alike(self):
        mixed = self.work["mixed"]
        methods = [mixed.requests[at].method for at in mixed.order]
        self.assertEqual(methods, (["GET"] * 4 + ["PUT"]) * 15)
        read = [mixed.requests[at].target for at in mixed.order if mixed.requests[at].method == "GET"]
        self.assertEqual({read.count(target) for target in read}, {4})
        self.assertEqual(len(set(read)), 15)

    def test_a_request_shows_the_token_that_it_must(self):
        sent = self.work["put"].requests[0].bytes({"access": "a.b.c", "refresh": "d.e.f"}).decode()
        self.assertTrue(sent.startswith("PUT /api/ships/1 HTTP/1.1\r\n"))
        self.assertIn("Authorization: Bearer a.b.c\r\n", sent)
        self.assertNotIn("Authorization", self.work["get"].requests[0].bytes({"access": "a.b.c"}).decode())


if __name__ == "__main__":
    unittest.main()
