"""The generator holds before it does anything: a signal that comes early is not lost, nor does another let it go."""

import json
import signal
import subprocess
import sys
from pathlib import Path

LOADTESTS = Path(__file__).parents[3] / "loadtests"
HOLDING = """
import signal
from shared.held import GO, WAKE, hold
signal.pthread_sigmask(signal.SIG_BLOCK, {WAKE, GO})
signal.raise_signal(GO)
hold("asleep", until=WAKE)
hold("loaded", until=GO)
print("going")
"""


def test_each_hold_is_told_and_ends_with_its_own_signal():
    generator = subprocess.Popen(
        [sys.executable, "-c", HOLDING], cwd=LOADTESTS, stdout=subprocess.PIPE, text=True
    )
    with generator:
        assert json.loads(generator.stdout.readline()) == {"event": "asleep"}
        assert generator.poll() is None, "a signal for later has let it go"
        generator.send_signal(signal.SIGUSR1)
        rest = generator.stdout.read().splitlines()
    assert (rest, generator.returncode) == (['{"event": "loaded"}', "going"], 0)
