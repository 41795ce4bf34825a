"""The benchmark: starts the server and its peers, sends requests with `load`, checks the responses, and reports."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BENCHES = ROOT / "benches"

# Has the modules that start the server and send requests to it.
sys.path.insert(0, str(ROOT / "tools" / "reliability"))
