"""What in an image's description counts as a secret."""

import pytest

from serverlab.attacks.containers import secret_in


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DJANGO_SECRET_KEY=s3cr3t-of-somebody", "DJANGO_SECRET_KEY"),
        ("ENV DB_PASSWORD='correct-horse'", "DB_PASSWORD"),
        ("RUN |1 pip_token=abcdef0123456789 /bin/sh -c pip install", "pip_token"),
        ("-----BEGIN EC " + "PRIVATE KEY-----", "a private key"),
    ],
)
def test_a_name_with_its_value_is_one_and_the_value_is_not_repeated(text, found):
    assert secret_in(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "PATH=/venv/bin:/usr/bin",
        'DJANGO_SECRET_KEY="$(key)" DJANGO_JWT_KEY="$(key)"',
        "RUN --mount=type=secret,id=pip_conf pip install",
        "GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305",
    ],
)
def test_names_without_values_are_none(text):
    assert secret_in(text) is None
