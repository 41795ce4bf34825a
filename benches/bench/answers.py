"""Checks a response, and makes a template of it with which all later responses are compared, byte by byte."""

import base64
import hashlib
import hmac
import json
import time
import uuid

from bench.peers import SECRET

LIFETIMES = {"access": 15 * 60, "refresh": 30 * 24 * 60 * 60}
ANYTHING = object()


class Wrong(Exception):
    """What is wrong with a response."""


class Token:
    """Stands for a token of that type in the JSON that is expected."""

    def __init__(self, type_):
        self.type = type_


def template(status, body, wanted_status, expected):
    """Checks a response. Returns its template: text and the places of tokens."""
    if status != wanted_status:
        raise Wrong(f"status {status} for {wanted_status}: {_excerpt(body)}")
    try:
        text = body.decode()
        found = json.loads(text) if expected is not ANYTHING else None
    except ValueError as error:
        raise Wrong(f"no JSON ({error}): {_excerpt(body)}") from error
    tokens = []
    if expected is not ANYTHING:
        _compare(expected, found, "the response", tokens)
    return _segments(text, tokens)


def _excerpt(body):
    return repr(body[:100].decode(errors="replace"))


def _compare(expected, found, where, tokens):
    if isinstance(expected, Token):
        check_token(expected.type, found)
        tokens.append(found)
    elif isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            raise Wrong(f"{where} has the fields {sorted(found)}, not {sorted(expected)}")
        for name, value in expected.items():
            _compare(value, found[name], f"{where}: {name}", tokens)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found)):
            _compare(one, other, f"{where}: {number}", tokens)
    # 1, 1.0 and true are the same to Python.
    elif type(expected) is not type(found) or expected != found:
        raise Wrong(f"{where} is {str(found)[:100]}, not {str(expected)[:100]}")


def _segments(text, tokens):
    segments, rest = [], text
    for token in sorted(tokens, key=text.index):
        literal, rest = rest.split(token, 1)
        segments += [{"literal": literal}, "jwt"]
    segments.append({"literal": rest})
    return [segment for segment in segments if segment != {"literal": ""}]


def _part(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_token(type_, token):
    """Checks that this is a token of that type for user 1, signed with the key of the benchmark."""
    try:
        head, claims, signature = token.split(".")
        mac = hmac.digest(SECRET.encode(), f"{head}.{claims}".encode(), hashlib.sha256)
        head, claims, signature = json.loads(_part(head)), json.loads(_part(claims)), _part(signature)
        # Libraries add claims of their own.
        wanted = {"identity": 1, "type": type_, **({"fresh": False} if type_ == "access" else {})}
        right = (
            head["alg"] == "HS256"
            and hmac.compare_digest(mac, signature)
            and claims["exp"] - claims["iat"] == LIFETIMES[type_]
            and claims["iat"] <= time.time() + 1
            and claims["nbf"] <= time.time() + 1
            and uuid.UUID(claims["jti"]).version == 4
            and {name: claims.get(name) for name in wanted} == wanted)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Wrong(f"no token: {str(token)[:100]} ({error!r})") from error
    if not right:
        raise Wrong(f"not a good {type_} token: {claims}")
