"""How the app may be set, and what a stack has to say of it then."""

from serverlab.compose import EQUAL
from serverlab.model.switches import OF_WORKLOADS, SWITCHES, to_be_stated


def test_a_stack_for_which_nothing_was_asked_states_the_first_value_of_everything():
    assert to_be_stated({}) == {
        "session_store": "database",
        "jwt_verify": "user",
        "jwt_algorithm": "HS256",
        "plain_tokens": "header",
        "password_hasher": "md5",
        "login_limits": "False",
        "debug": "False",
        "static_files": "none",
    }


def test_what_was_asked_is_stated_in_the_apps_own_words():
    asked = {
        "LAB_CHEAP_HASHER": "off",
        "LAB_LOGIN_LIMITS": "on",
        "LAB_JWT_VERIFY": "stateless",
        "LAB_STATIC": "app",
        "LAB_OTHER": "x",
    }
    assert to_be_stated(asked) == to_be_stated({}) | {
        "password_hasher": "argon2",
        "login_limits": "True",
        "jwt_verify": "stateless",
        "static_files": "whitenoise",
    }


def test_a_stacks_own_defaults_are_the_first_values():
    assert {name: EQUAL[name] for name in SWITCHES if name in EQUAL} == {
        name: next(iter(SWITCHES[name].states)) for name in SWITCHES if name in EQUAL
    }


def test_a_workload_may_only_set_what_can_be_proved():
    assert [name for name in OF_WORKLOADS if name not in SWITCHES] == []
