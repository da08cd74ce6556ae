"""Start the server of this image: read server.toml, pick the variant, fill in the budget, become the server.

Standard library only: it runs before anything of the project does. Reads /lab/server.toml and the environment
variables LAB_*; an empty variable counts as absent. Leaves with code 2 and one sentence if it cannot start.
"""

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

SERVER_FILE = Path("/lab/server.toml")
DEFAULTS = {
    "LAB_CPUS": "1",
    "LAB_TIMEOUT": "30",
    "LAB_KEEPALIVE": "75",
    "LAB_ACCESS_LOG": "off",
    "LAB_IDENTITY": "off",
    "LAB_CHEAP_HASHER": "off",
}
REFERENCE = re.compile(r"\$\{(\w+)\}")


class LaunchError(Exception):
    """Why the server cannot be started, in words for who started it."""


def plan(server: Mapping[str, Any], given: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the command line and the environment of the server.

    Raises:
        LaunchError: an unknown variant, a budget that is no number, or an unknown variable in the command.
    """
    present = {name: value for name, value in given.items() if value or not name.startswith("LAB_")}
    environment = DEFAULTS | present
    environment.setdefault("LAB_VARIANT", server["default_variant"])
    variant = _variant(server, environment["LAB_VARIANT"])
    budget = variant.get("workers", {})
    cpus = _number(environment, "LAB_CPUS", least=1)
    environment.setdefault("LAB_WORKERS", str(budget.get("per_cpu", 0) * cpus + budget.get("extra", 0)))
    environment.setdefault("LAB_THREADS", str(variant.get("threads", 1)))
    _number(environment, "LAB_WORKERS", least=1)
    _number(environment, "LAB_THREADS", least=0)
    own = {name: _expanded(value, environment) for name, value in variant.get("environment", {}).items()}
    environment |= own
    return [_expanded(word, environment) for word in variant["command"]], environment


def _variant(server: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    variants = server["variants"]
    if name not in variants:
        known = ", ".join(variants)
        raise LaunchError(f"LAB_VARIANT={name}: {server['title']} has no such variant, only {known}")
    return variants[name]


def _number(environment: Mapping[str, str], name: str, *, least: int) -> int:
    text = environment[name]
    if not (text.isascii() and text.isdecimal() and int(text) >= least):
        raise LaunchError(f"{name}={text}: must be a whole number of at least {least}")
    return int(text)


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    try:
        return REFERENCE.sub(lambda match: environment[match[1]], text)
    except KeyError as error:
        raise LaunchError(f"{text!r} names the variable {error.args[0]}, which is not set") from error


def main() -> NoReturn:
    """Become the server; PATH decides which executable a bare name means."""
    try:
        command, environment = plan(tomllib.loads(SERVER_FILE.read_text()), os.environ)
        os.execvpe(command[0], command, environment)  # noqa: S606 - the very purpose: no shell, no child
    except (LaunchError, OSError, tomllib.TOMLDecodeError, KeyError) as error:
        print(f"launch: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
