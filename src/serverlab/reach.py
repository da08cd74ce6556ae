"""How a build container reaches a package index from here: certificates, pip's configuration, proxies.

These are this machine's own. They are handed over as secrets and predefined build arguments, so nothing of them
stays in an image.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from serverlab.shell import Shell

BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")

SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/cert.pem",  # macOS
)

SECRET_LIMIT_BYTES = 500 * 1024
"""BuildKit refuses larger secrets."""

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")

INDEX_KEYS = ("index-url", "extra-index-url", "trusted-host")

SETTING = re.compile(r"^(?P<section>[^\s=]+)\.(?P<key>[\w-]+)='(?P<value>.*)'$")


@contextmanager
def build_options(shell: Shell, environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield the options of `docker buildx build` with which pip and apt reach what this machine reaches."""
    options = [f"--build-arg={name}" for name in PROXY_VARIABLES if _usable_proxy(environment.get(name, ""))]
    bundle = certificate_bundle(environment)
    if bundle:
        options += ["--secret", f"id=ca,src={bundle}"]
    with TemporaryDirectory(prefix="serverlab-pip-") as scratch:
        if text := pip_configuration(shell):
            path = Path(scratch) / "pip.conf"
            path.write_text(text, encoding="utf-8")
            options += ["--secret", f"id=pip_conf,src={path}"]
        yield options


def certificate_bundle(
    environment: Mapping[str, str], system: tuple[str, ...] = SYSTEM_BUNDLES
) -> Path | None:
    """Return the file of certificate authorities that this machine's programs trust, or None."""
    candidates = [Path(environment[name]) for name in BUNDLE_VARIABLES if environment.get(name)]
    candidates += [Path(name) for name in system]
    return next(
        (path for path in candidates if path.is_file() and path.stat().st_size <= SECRET_LIMIT_BYTES), None
    )


def pip_configuration(shell: Shell) -> str:
    """Return the text of a pip.conf with this machine's own index, or "" when it has none a container could use.

    Folders and servers on this machine itself are left out: a container cannot see them.
    """
    listed = shell.run([sys.executable, "-m", "pip", "config", "list"])
    found: dict[str, list[str]] = {}
    for line in listed.stdout.splitlines():
        match = SETTING.match(line.strip())
        if match and match["key"] in INDEX_KEYS:
            words = [
                word for word in match["value"].replace("\\n", " ").split() if _usable(match["key"], word)
            ]
            found.setdefault(match["key"], []).extend(words)
    urls = found.get("index-url", []) + found.get("extra-index-url", [])
    if not urls:
        return ""
    lines = [f"{key} = {' '.join(dict.fromkeys(values))}" for key, values in found.items() if values]
    return "[global]\n" + "\n".join(lines) + "\n"


def _usable(key: str, word: str) -> bool:
    return key == "trusted-host" or _seen_from_a_container(word)


def _usable_proxy(value: str) -> bool:
    return bool(value) and ("://" not in value or _seen_from_a_container(value))


def _seen_from_a_container(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return (
        parts.scheme in {"http", "https"}
        and host not in {"", "localhost", "::1"}
        and not host.startswith("127.")
    )
