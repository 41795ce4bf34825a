"""Refresh rotation over several nodes: each token is spent once, and a second use ends the login."""

import asyncio
import random

from wire import Connection

USERS, LOGINS, TURNS = 24, 8, 5


async def _ask(nodes, method, path, body=None, token=None):
    return await random.choice(nodes).request(method, path, body, token)


async def _user(addresses, number, found):
    # A connection has one request at a time; the two of a race go to two of them.
    nodes = [Connection(port, host) for host, port in addresses]
    others = [Connection(port, host) for host, port in addresses]
    account = {"name": f"rotating{number}", "password": "secret"}
    await _ask(nodes, "POST", "/api/users", account)
    for _ in range(LOGINS):
        answer = await _ask(nodes, "POST", "/auth/login", {"username": account["name"], "password": account["password"]})
        token = answer.json()["refresh_token"]
        for _ in range(TURNS):
            answer = await _ask(nodes, "POST", "/auth/refresh", token=token)
            if answer.status != 200:
                found.append(f"the newest token of a login was refused: {answer.status} {answer.body!r}")
                return
            token = answer.json()["refresh_token"]
        pair = await asyncio.gather(*(_ask(side, "POST", "/auth/refresh", token=token) for side in (nodes, others)))
        statuses = sorted(answer.status for answer in pair)
        if statuses != [200, 401]:
            found.append(f"two uses of one token were answered with {statuses}")
            continue
        newest = next(answer for answer in pair if answer.status == 200).json()["refresh_token"]
        for spent in (newest, token):
            answer = await _ask(nodes, "POST", "/auth/refresh", token=spent)
            if answer.status != 401:
                found.append(f"a token of a login that had ended was let in: {answer.status}")
    for connection in (*nodes, *others):
        connection.close()


async def rotate(addresses):
    """Runs several users at once. Returns the violations, and the number of logins."""
    found = []
    await asyncio.gather(*(_user(addresses, number, found) for number in range(USERS)))
    return found, USERS * LOGINS
