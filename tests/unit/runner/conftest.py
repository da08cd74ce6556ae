"""A lab without containers."""

import pytest

from tests.checkout import make_checkout
from tests.fake_app import FakeApp, serving
from tests.fake_lab import FakeLab


@pytest.fixture
def fake(tmp_path):
    app = FakeApp()
    with serving(app):
        yield FakeLab(make_checkout(tmp_path), app)
