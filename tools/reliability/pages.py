"""Pages of long lists: their cost, their memory, and the effect of clients that ask for nothing else."""

import collections
import json
import tempfile
import threading
import time
from pathlib import Path

from clients import Closed, Connection, Good, log_in, percentile
from readers import write
from server import ROOT, Server

COUNT = 100_000
# Conditions that few and many ships meet, orders by numbers and texts, and searches.
QUERIES = [
    "limit=20",
    "limit=20&sort=-crew",
    "limit=20&sort=model",
    "limit=20&sort=-affiliation,-model,crew",
    "limit=20&affiliation=Empire&crew.gte=500&sort=length",
    "limit=20&roles=Carrier",
    "limit=20&q=9999",
    "limit=20&q=e",
]
# Many ships are equal in each of these fields, and each further one comes before all that were found.
WORST = "limit=1000&sort=affiliation,category,length,manufacturer,ship_class,-id"


def ships(folder, count):
    """Ships with a model of their own, and other fields as those of the example data repeat themselves."""
    data = json.loads((ROOT / "data.json").read_text())
    examples = data["ships"]
    data["ships"] = [
        {**examples[(number - 1) % len(examples)], "id": number, "model": f"TIE {number * 7919 % count:06}",
         "crew": number * 104729 % 30000 + 1, "length": number * 15485863 % 2000 + 1}
        for number in range(1, count + 1)]
    path = Path(folder) / "ships.json"
    path.write_text(json.dumps(data))
    return path


def cost(server, connection, target, count):
    """The CPU time of the server for one such request, in ms."""
    began = server.cpu()
    for _ in range(count):
        status, _, body = connection.request("GET", target)
        if status != 200:
            raise Closed(f"{target}: {status} {body!r}")
    return (server.cpu() - began) * 1000 / count


def pages(figures, short, cheap):
    count = 10_000 if short else COUNT
    what = f"{count:,} ships"
    with tempfile.TemporaryDirectory() as folder, Server(data=ships(folder, count), **cheap) as server:
        connection = Connection(server.port)
        before = server.memory()
        first = cost(server, connection, "/api/ships?limit=20", 1)
        figures.tell(f"{what}: the first page, which builds the index", f"{first:.0f} ms of CPU")
        dearest = 0.0
        for query in QUERIES:
            dear = cost(server, connection, f"/api/ships?{query}", 20 if short else 100)
            figures.tell(f"{what}: {query}", f"{dear:.2f} ms of CPU a page")
            dearest = max(dearest, dear)
        figures.add(f"{what}: a page of 20, the dearest", dearest, "ms of CPU", most=5)
        share = 100 * server.memory() / before
        figures.add(f"{what}: resident memory with the index, of that without", share, "%", most=130)
        token, _ = log_in(server.port)
        ending = threading.Event()

        figures.tell(f"{what}: {WORST}", f"{cost(server, connection, f'/api/ships?{WORST}', 5):.0f} ms of CPU a page")
        selected = collections.Counter()

        def greedy(query):
            own = Connection(server.port)
            while not ending.is_set():
                status, _, _ = own.request("GET", f"/api/ships?{query}")
                selected[status] += 1
                write(own, token, 5)

        threads = [threading.Thread(target=greedy, args=[query]) for query in 4 * [QUERIES[3]] + 28 * [WORST]]
        with Good(server.port) as good:
            for thread in threads:
                thread.start()
            time.sleep(2 if short else 10)
            ending.set()
            for thread in threads:
                thread.join(30)
        who = f"{what}, 32 clients that ask for pages and write: another client"
        figures.tell(f"{what}, 32 clients that ask for pages and write: statuses", dict(selected))
        figures.add(f"{who}, success", good.success() * 100, "%", least=99.9)
        figures.add(f"{who}, p99", percentile(good.latencies, 0.99) * 1000, "ms", most=50)
