"""A lab without containers."""

import pytest

from tests.checkout import make_checkout
from tests.fake_app import FakeApp, serving
from tests.fake_lab import FakeLab


@pytest.fixture
def kind():
    """What the lab is."""
    return FakeLab


@pytest.fixture
def fake(tmp_path, kind):
    app = FakeApp()
    with serving(app):
        yield kind(make_checkout(tmp_path), app)
