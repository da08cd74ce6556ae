"""No layer of any image holds a secret, also none that a later layer removed."""

import io
import subprocess
import tarfile

import pytest

from serverlab.cli.context import CHECKOUT
from serverlab.images import find_sources
from tests.image_layers import secrets_in


def packed(files):
    """The bytes of a tar with these files."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


BODY = b"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0" * 2
KEY = b"".join((b"-----BEGIN ", b"PRIVATE KEY-----\n", BODY, b"\n-----END PRIVATE KEY-----\n"))


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("etc/ssl/private/server.key", KEY, "etc/ssl/private/server.key holds a private key"),
        (
            "app/token.txt",
            b"eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJlMTIzNA",
            "app/token.txt holds a token",
        ),
        ("app/x.py", b'DJANGO_SECRET_KEY = "0123456789abcdef"', "app/x.py holds a secret"),
        ("run/secrets/pip_conf", b"[global]", "run/secrets/pip_conf was left behind"),
        ("app/.env", b"", "app/.env was left behind"),
    ],
)
def test_a_planted_secret_is_found(name, content, found):
    layer = packed({"app/manage.py": b"print()", name: content})
    images = packed({"manifest.json": b"[]", "blobs/sha256/1": layer})
    assert secrets_in(io.BytesIO(images)) == [found]


def test_no_layer_of_any_image_holds_a_secret(engine):
    tags = [source.tag for source in find_sources(CHECKOUT).values()]
    with subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE) as saving:
        assert secrets_in(saving.stdout) == []
    assert saving.returncode == 0
