"""The benchmark: starts the server and its peers, has them asked by `load`, checks, reports."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BENCHES = ROOT / "benches"

# How the server is started and asked is written there.
sys.path.insert(0, str(ROOT / "tools" / "reliability"))
