import pytest

from shared.settings import Arrival, Settings, SettingsError, Spacing, Step


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
        "LAB_LOAD_PARAMETERS": '{"way": "jwt"}',
        "LAB_LOAD_ARRIVAL": "open",
        "LAB_LOAD_SPACING": "poisson",
        "LAB_LOAD_SEED": "7",
        "LAB_LOAD_STEPS": "[[50, 100.5, 1]]",
    }
    assert Settings.read(environment) == Settings(
        warmup_s=0,
        duration_s=1.5,
        timeout_s=3,
        think_s=0.005,
        arrival=Arrival.OPEN,
        spacing=Spacing.POISSON,
        seed=7,
        steps=(Step(level=50, ramp_to=100.5, duration_s=1),),
        parameters={"way": "jwt"},
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LAB_LOAD_WARMUP_S", "two", "LAB_LOAD_WARMUP_S is not a number: 'two'"),
        ("LAB_LOAD_WARMUP_S", "-1", "LAB_LOAD_WARMUP_S must be a finite number of at least 0: '-1'"),
        ("LAB_LOAD_DURATION_S", "0", "LAB_LOAD_DURATION_S must be a finite number of at least 0.1: '0'"),
        ("LAB_LOAD_TIMEOUT_S", "inf", "LAB_LOAD_TIMEOUT_S must be a finite number of at least 0.1: 'inf'"),
        ("LAB_LOAD_THINK_MS", "nan", "LAB_LOAD_THINK_MS must be a finite number of at least 0: 'nan'"),
        ("LAB_LOAD_PARAMETERS", "{", "LAB_LOAD_PARAMETERS is not JSON: '{'"),
        (
            "LAB_LOAD_PARAMETERS",
            '{"rows": 1}',
            "LAB_LOAD_PARAMETERS must be a JSON object of texts: '{\"rows\": 1}'",
        ),
        ("LAB_LOAD_PARAMETERS", "[]", "LAB_LOAD_PARAMETERS must be a JSON object of texts: '[]'"),
        ("LAB_LOAD_ARRIVAL", "opne", "LAB_LOAD_ARRIVAL is 'opne', known: closed, open"),
        ("LAB_LOAD_ARRIVAL", "open", "LAB_LOAD_STEPS must hold a step where LAB_LOAD_ARRIVAL is open"),
        ("LAB_LOAD_SPACING", "even", "LAB_LOAD_SPACING is 'even', known: constant, poisson"),
        ("LAB_LOAD_STEPS", "[", "LAB_LOAD_STEPS must be a JSON list of [from, to, seconds]: '['"),
        (
            "LAB_LOAD_STEPS",
            "[[1, 2]]",
            "LAB_LOAD_STEPS must be a JSON list of [from, to, seconds]: '[[1, 2]]'",
        ),
        ("LAB_LOAD_STEPS", "[[0, 1, 1]]", "LAB_LOAD_STEPS must hold finite numbers above 0: '[[0, 1, 1]]'"),
    ],
)
def test_bad_value(name, value, message):
    """A bad value is refused by the name of its variable."""
    with pytest.raises(SettingsError) as caught:
        Settings.read({name: value})
    assert str(caught.value) == message


def test_a_parameter_is_one_of_its_choices():
    """The first choice stands where nothing is given."""
    assert Settings().parameter("way", ("none", "jwt")) == "none"
    assert Settings(parameters={"way": "jwt"}).parameter("way", ("none", "jwt")) == "jwt"
    with pytest.raises(SettingsError, match="parameter way is 'jwd', known: none, jwt"):
        Settings(parameters={"way": "jwd"}).parameter("way", ("none", "jwt"))
