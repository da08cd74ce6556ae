"""Makes .venv from hashed requirements and installs the lab into it; needs nothing but Python's standard library.

    python3 bootstrap.py        what the lab needs to run
    python3 bootstrap.py dev    that, and what its tests and linters need

A second call finds that nothing changed and ends at once. Exit codes: 0 ready, 3 something is missing on this machine.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST_PYTHON = (3, 11)
SETS = ("lab", "dev")
ENVIRONMENT_LACKS = 3


class Missing(Exception):
    """Something this machine lacks, and what to do about it."""


def main(arguments: list[str]) -> int:
    """Make the environment ready for the set of requirements that is asked for and return the exit code."""
    wanted = arguments[0] if arguments else "lab"
    if wanted not in SETS or len(arguments) > 1:
        print(f"usage: bootstrap.py [{' | '.join(SETS)}]", file=sys.stderr)
        return 2
    try:
        prepare(wanted)
    except Missing as missing:
        print(f"setup: {missing}", file=sys.stderr)
        return ENVIRONMENT_LACKS
    return 0


def prepare(wanted: str) -> None:
    """Leave behind a .venv that holds `wanted`; raises Missing when this machine cannot make one."""
    if sys.version_info < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        raise Missing(
            f"Python {needed} or newer is needed, this is {sys.version.split()[0]}: `make PYTHON=python{needed}`"
        )
    if any(is_current(name) for name in SETS[SETS.index(wanted) :]):
        return
    if not venv_works():
        ensure_venv_module()
        with step("making .venv"):
            run(
                [sys.executable, "-m", "venv", "--clear", str(VENV)],
                "the virtual environment could not be made",
            )
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    with step(f"installing requirements/{wanted}.txt, hashes checked"):
        hashed = [*pip, "--require-hashes", "-r", str(ROOT / f"requirements/{wanted}.txt")]
        run(hashed, "the requirements could not be installed, see above")
    with step("installing serverlab itself"):
        run(
            [*pip, "--no-build-isolation", "--no-deps", "--editable", str(ROOT)],
            "serverlab could not be installed",
        )
    stamp(wanted).write_text(fingerprint(wanted), encoding="ascii")


def is_current(name: str) -> bool:
    """Tell whether .venv was made from the very files that lie here."""
    return (
        stamp(name).is_file()
        and stamp(name).read_text(encoding="ascii") == fingerprint(name)
        and PYTHON.exists()
    )


def stamp(name: str) -> Path:
    """Return the file that remembers what .venv was made from."""
    return VENV / f"serverlab-{name}.stamp"


def fingerprint(name: str) -> str:
    """Return a hash of everything that decides what lies in .venv."""
    digest = hashlib.sha256(f"{sys.version} {sys.base_prefix} {ROOT}".encode())
    for path in (Path(__file__), ROOT / "pyproject.toml", ROOT / f"requirements/{name}.txt"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def venv_works() -> bool:
    """Tell whether .venv has a pip that runs on the Python that runs this."""
    if not PYTHON.exists():
        return False
    question = "import pip, sys; print(sys.version)"
    answer = subprocess.run([PYTHON, "-c", question], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == sys.version.strip()


def ensure_venv_module() -> None:
    """Install Debian's python3-venv where it is missing and may be installed; raises Missing elsewhere."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if not Path("/etc/debian_version").exists() or os.geteuid() != 0:
        raise Missing(
            f"Python's venv module is missing; install it (Debian, Ubuntu: `apt-get install {package}`)"
        )
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    with step(f"installing {package}"):
        run([*apt, "update"], "apt-get update failed")
        run(
            [*apt, "install", "--yes", "--no-install-recommends", package],
            f"{package} could not be installed",
        )
    importlib.invalidate_caches()


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    began = time.monotonic()
    print(f"setup: {title} ...", file=sys.stderr, flush=True)
    yield
    print(f"setup: {title}: done in {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


def run(argv: list[str], complaint: str) -> None:
    """Run a command, its output shown on standard error; raises Missing with `complaint` when it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PIP_NO_WARN_SCRIPT_LOCATION": "1"}
    if subprocess.run(argv, env=environment, stdout=sys.stderr, check=False).returncode != 0:
        raise Missing(complaint)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; the next call goes on")
