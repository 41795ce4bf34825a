"""The answers that the floors give: the server's own, written down beforehand."""

import json

from server import Server

from bench.answers import template
from bench.peers import SETTINGS
from bench.process import exchange
from bench.workloads import login, workloads

# What the floors' own HTTP says.
LEFT_OUT = {"connection", "content-length", "date", "keep-alive", "transfer-encoding"}


def write(data, shipyard, folder):
    """A file for each of the two data files."""
    files = {}
    for many in (False, True):
        with Server(data=data.files[many], **SETTINGS) as server:
            files[many] = folder / f"canned-{'many' if many else 'few'}.json"
            files[many].write_text(json.dumps(_entries(server.port, data, shipyard, many)))
    return files


def _entries(port, data, shipyard, many):
    first = login(shipyard)
    _, _, body = exchange(port, first.bytes({}))
    tokens = {name.removesuffix("_token"): token for name, token in json.loads(body).items()}
    asks = {
        (ask.method, ask.target): ask
        for workload in workloads(shipyard, data.ships, data.many).values() for ask in workload.asks
        # Of the two workloads that ask for the list, the one with these data.
        if workload.many == many or ask.target != "/api/ships"}
    entries = []
    for ask in asks.values():
        status, headers, body = exchange(port, ask.bytes(tokens))
        template(status, body, ask.status, ask.expected)
        missing = ask.status == 404
        entries.append({
            "method": "*" if missing else ask.method, "target": "*" if missing else ask.target, "status": status,
            "headers": [[name, value] for name, value in headers if name.lower() not in LEFT_OUT],
            "body": body.decode()})
    return entries
