"""``python -m serverlab.cli``."""

import sys

from serverlab.cli.main import main

sys.exit(main())
