#!/usr/bin/env python3
"""Makes seeds of the recorded exchanges, in fuzz/found/<target>/. `fuzz/minimize` then takes what covers most into the corpus."""

import base64
import hashlib
import json
import pathlib
import re
import shlex

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
# What a fuzzer that changes single bytes gets nothing from.
LONGEST = 3000


def keep(target, data):
    """Writes one seed, named by what is in it."""
    data = data if isinstance(data, bytes) else data.encode()
    if len(data) > LONGEST:
        return
    folder = HERE / "found" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def decoded(segment):
    """The bytes of a segment of a token."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def tokens(text):
    """Every token in a text, as it is, and as header and payload that the server of the target has signed."""
    for token in re.findall(r"[\w-]+\.[\w-]+\.[\w-]*", text):
        try:
            header, payload = (decoded(part) for part in token.split(".")[:2])
            claims = json.loads(payload)
        except ValueError:
            continue
        keep("token", token)
        keep("token", header + b"\n" + payload)
        if isinstance(claims, dict) and {"iat", "exp"} <= claims.keys():
            # The clock of the target.
            claims.update(iat=1795392001, nbf=1795392001, exp=1795392901)
            keep("token", header + b"\n" + json.dumps(claims, separators=(",", ":")).encode())


def main():
    """Goes through the fixtures and the example data."""
    for path in sorted((ROOT / "fixtures").glob("*/*.txt")):
        text = path.read_text()
        command, _, answer = text.partition("\n")
        keep("transcript", text)
        keep("script", command + "\n")
        words = shlex.split(command)
        for option, value in zip(words, words[1:]):
            if option == "-d":
                keep("body", value)
        body = answer.partition("\n\n")[2]
        if body:
            keep("body", body)
        tokens(text)
    keep("script", "# Log in\ncurl http://a/auth/login \\\n -d '{}'\n\ncurl http://a/api/ships/$id -H \"A: ${login.access_token}\"\n")
    data = json.loads((ROOT / "data.json").read_text())
    hashed = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
    for users in ([], data["users"], [{"id": 7, "name": "ann", "password_hash": hashed}]):
        for ships in ([], data["ships"][:2]):
            keep("data", json.dumps({"users": users, "ships": ships}, indent=2))


if __name__ == "__main__":
    main()
