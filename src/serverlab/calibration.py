"""How fast the stack's cores are at the moment, so that a slow machine is not taken for a slow server."""

from __future__ import annotations

from serverlab.compose import Container
from serverlab.errors import TrialFailed

TURNS = 1_000_000
"""Half as many scatter twice as much, twice as many no less: by 40 readings of each, taken by turns."""

LOOP = f"""
import time
began, total = time.process_time(), 0
for turn in range({TURNS}):
    total += turn
print(time.process_time() - began)
"""


def core_speed(container: Container) -> float:
    """Million turns of a fixed Python loop per CPU second, run within the container and so on its cores.

    It takes less than a tenth of a second. Time that the machine's owner gives to others is not seen by the container
    and makes the figure smaller, as it does every other.

    Raises:
        TrialFailed: the loop could not be run.
    """
    done = container.exec_run(["/venv/bin/python", "-I", "-S", "-c", LOOP])
    if done.exit_code != 0:
        said = done.output.decode(errors="replace").strip()
        raise TrialFailed(
            f"{container.name}: the calibration loop ended with {done.exit_code}: {said}",
            "See what it said, then build the images again: `make images`.",
        )
    return TURNS / 1e6 / float(done.output)
