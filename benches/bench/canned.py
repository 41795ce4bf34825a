"""The responses of the floors, which are recorded from the server beforehand."""

import json

from server import Server

from bench.answers import template
from bench.peers import SETTINGS
from bench.process import exchange
from bench.workloads import login, workloads

# The headers that the floors' HTTP library adds itself.
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
    requests = {
        (request.method, request.target): request
        for workload in workloads(shipyard, data.ships, data.many).values() for request in workload.requests
        # Two workloads request the list; takes the one with these data.
        if workload.many == many or request.target != "/api/ships"}
    entries = []
    for request in requests.values():
        status, headers, body = exchange(port, request.bytes(tokens))
        template(status, body, request.status, request.expected)
        missing = request.status == 404
        entries.append({
            "method": "*" if missing else request.method, "target": "*" if missing else request.target, "status": status,
            "headers": [[name, value] for name, value in headers if name.lower() not in LEFT_OUT],
            "body": body.decode()})
    return entries
