"""No layer of any image holds a secret, also none that a later layer removed; and two builds hold the same files.

Built twice is the app, in which most of the files of every server are; to compare all images takes minutes:
`serverlab images --verify`.
"""

import io
import subprocess
import tarfile

import pytest

from serverlab.base import ensure_base
from serverlab.cli.context import CHECKOUT
from serverlab.images import ImageSource, find_sources
from serverlab.reproduction import build_twice, compare_builds
from serverlab.shell import HostShell
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


# Left to themselves these all differ from one build to the next: a clock, chance, the time in compiled Python, a log.
UNLIKE = """ARG BASE_IMAGE=python:3.13-slim-trixie
FROM ${BASE_IMAGE}
RUN date +%s%N > /clock && head -c 8 /dev/urandom > /chance && echo the same > /constant
RUN echo 'answer = 42' > /module.py && touch -d @$(shuf -i 1-999999999 -n 1) /module.py
RUN python3 -m compileall -q /module.py
RUN mktemp -d /named-XXXXXX
"""


@pytest.mark.timeout(300)
def test_two_builds_hold_the_same_files(engine):
    # The image that every server's is made from; `serverlab images --verify` takes minutes and compares all.
    assert compare_builds(HostShell(), CHECKOUT, print, names=["app"]) == {"app": []}


@pytest.mark.timeout(120)
def test_a_build_that_depends_on_clock_and_chance_is_noticed(engine, tmp_path):
    (tmp_path / "Dockerfile").write_text(UNLIKE)
    shell = HostShell()
    differences = build_twice(
        shell, tmp_path, ImageSource("unlike", "Dockerfile"), base=ensure_base(shell, print)
    )
    names = [line for line in differences if not line.startswith("named-")]
    assert [line.split("/")[-1] for line in names] == [
        "module.cpython-313.pyc: not the same",
        "chance: not the same",
        "clock: not the same",
    ]
    assert [line.split(": ")[1] for line in differences if line.startswith("named-")] == [
        "in one build only"
    ] * 2
