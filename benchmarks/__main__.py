"""All benchmarks, one after the other: ``python -m benchmarks``, which is ``make bench-lab``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import generator, reading, trials
from benchmarks.keeping import FOLDER

ALL = {"reading": reading.main, "trials": trials.main, "generator": generator.main}


def main() -> int:
    """Run them; 1 where one of them missed a limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(ALL)} (default: all)")
    parser.add_argument(
        "--save", type=Path, default=FOLDER, help="folder for the results (default: %(default)s)"
    )
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(ALL)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(ALL)}")
    missed = [ALL[name](["--save", str(options.save)]) for name in options.names or ALL]
    return max(missed)


if __name__ == "__main__":
    sys.exit(main())
