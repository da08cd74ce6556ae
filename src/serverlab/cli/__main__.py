"""``python -m serverlab.cli``."""

import sys

from serverlab.cli import entry

sys.exit(entry())
