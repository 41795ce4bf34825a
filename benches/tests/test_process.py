import os
import sys
import tempfile
import time
import unittest
from pathlib import Path

from bench.measure import Failed, checked
from bench.peers import Peer
from bench.process import NotStarted, Running, descendants
from bench.workloads import Data, workloads

# A server with a second process next to it; it answers everything with the same ship.
SERVER = """
import http.server, os, subprocess
child = subprocess.Popen(["sleep", "60"])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b'{"id":1}')
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["BENCH_PORT"])), Handler).serve_forever()
"""


def peer(code):
    return Peer("made-up", (sys.executable, "-c", code.replace("{", "{{").replace("}", "}}")))


def ended(pid):
    """Whether the process has ended. It may be a zombie until its parent reads the exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Processes(unittest.TestCase):
    def test_all_that_descends_is_found(self):
        self.assertEqual(descendants(5, {5: 1, 7: 5, 6: 5, 9: 7, 8: 2}), [5, 6, 7, 9])

    def test_a_server_is_started_watched_and_ended_with_all_its_processes(self):
        with Running(peer(SERVER), "data", None) as running:
            pids = running.pids()
            self.assertEqual(len(pids), 2)
            self.assertEqual({tuple(os.sched_getaffinity(pid)) for pid in pids}, {(0,)})
            self.assertGreater(running.started, 0.001)
            self.assertGreater(running.memory(), 5)
            self.assertGreaterEqual(running.memory(peak=True), running.memory())
        time.sleep(0.1)
        self.assertTrue(all(map(ended, pids)))

    def test_a_server_that_ends_at_once_says_why(self):
        with self.assertRaisesRegex(NotStarted, "ended at once with 3: no port"):
            Running(peer("import sys; print('no port'); sys.exit(3)"), "data", None)

    def test_a_server_that_answers_wrong_is_out(self):
        with tempfile.TemporaryDirectory() as folder, Running(peer(SERVER), "data", None) as running:
            data = Data(folder)
            work = workloads(running.peer, data.ships, data.many)
            with self.assertRaisesRegex(Failed, r"GET /api/ships/1: the response has the fields \['id'\]"):
                checked(running, work["get"])
            with self.assertRaisesRegex(Failed, "GET /api/ships/999999: status 200 for 404"):
                checked(running, work["404"])


if __name__ == "__main__":
    unittest.main()
