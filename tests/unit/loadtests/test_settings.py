import pytest

from shared.settings import Settings, SettingsError


def test_defaults():
    """An environment without values gives the defaults."""
    assert Settings.read({"LAB_LOAD_THINK_MS": "", "LAB_LOAD_WARMUP_S": " "}) == Settings(
        warmup_s=2.0, duration_s=6.0, timeout_s=10.0, think_s=None
    )


def test_all_given():
    """Every time can be given."""
    environment = {
        "LAB_LOAD_WARMUP_S": "0",
        "LAB_LOAD_DURATION_S": "1.5",
        "LAB_LOAD_TIMEOUT_S": "3",
        "LAB_LOAD_THINK_MS": "5",
    }
    assert Settings.read(environment) == Settings(warmup_s=0, duration_s=1.5, timeout_s=3, think_s=0.005)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LAB_LOAD_WARMUP_S", "two", "LAB_LOAD_WARMUP_S is not a number: 'two'"),
        ("LAB_LOAD_WARMUP_S", "-1", "LAB_LOAD_WARMUP_S must be a finite number of at least 0: '-1'"),
        ("LAB_LOAD_DURATION_S", "0", "LAB_LOAD_DURATION_S must be a finite number of at least 0.1: '0'"),
        ("LAB_LOAD_TIMEOUT_S", "inf", "LAB_LOAD_TIMEOUT_S must be a finite number of at least 0.1: 'inf'"),
        ("LAB_LOAD_THINK_MS", "nan", "LAB_LOAD_THINK_MS must be a finite number of at least 0: 'nan'"),
    ],
)
def test_bad_value(name, value, message):
    """A bad value is refused by the name of its variable."""
    with pytest.raises(SettingsError) as caught:
        Settings.read({name: value})
    assert str(caught.value) == message
