"""The generator's package lies beside the workloads, where its image finds it by PYTHONPATH."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "loadtests"))
