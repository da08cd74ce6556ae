"""What lies in the layers of images, read from the stream that `docker save` writes."""

import re
import tarfile

PACKAGES = ("usr/", "lib/", "venv/lib/", "var/lib/dpkg/")
"""Published files, whose content is no secret: Debian's and the hash-pinned wheels'."""

LARGEST = 8 << 20
KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{60,}-----END")
TOKEN = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}")
ASSIGNED = re.compile(rb"(?:DJANGO_SECRET_KEY|DJANGO_JWT_KEY|LAB_DB_PASSWORD)\s*[=:]\s*[\"']?[\w-]{16,}")
LEFT_BEHIND = re.compile(
    r"(^|/)(\.env|\.netrc|\.git|id_(rsa|ed25519)|pip\.conf|\.pypirc)(/|$)|^run/secrets/.|^root/\.cache/."
)


def secrets_in(archive):
    """One sentence for each secret in the images of a `docker save` stream."""
    found = []
    with tarfile.open(fileobj=archive, mode="r|") as images:
        for blob in images:
            content = images.extractfile(blob) if blob.isfile() else None
            if content is None:
                continue
            try:
                with tarfile.open(fileobj=content, mode="r|*") as layer:
                    found += [sentence for entry in layer for sentence in _in_file(layer, entry)]
            except tarfile.ReadError:  # a manifest or a configuration: K-07 looks at these
                continue
    return found


def _in_file(layer, entry):
    name = entry.name.removeprefix("./")
    if LEFT_BEHIND.search(name) and not entry.isdir() and not name.startswith(PACKAGES):
        yield f"{name} was left behind"
    if entry.isfile() and entry.size <= LARGEST and not name.startswith(PACKAGES):
        content = layer.extractfile(entry).read()
        for kind, pattern in {"a private key": KEY, "a token": TOKEN, "a secret": ASSIGNED}.items():
            if pattern.search(content):
                yield f"{name} holds {kind}"
