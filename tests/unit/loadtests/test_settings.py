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
        "LAB_LOAD_PARAMETERS": '{"way": "jwt"}',
    }
    assert Settings.read(environment) == Settings(
        warmup_s=0, duration_s=1.5, timeout_s=3, think_s=0.005, parameters={"way": "jwt"}
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
