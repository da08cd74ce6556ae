"""How numbers are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverlab import formatting
from serverlab.model.tables import Interval, Spread


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.004567, "0.00457"),
        (0.412, "0.412"),
        (9.996, "10.0"),
        (38, "38.0"),
        (99.96, "100"),
        (1234, "1230"),
        (-1.5, "-1.50"),
    ],
)
def test_three_significant_digits_are_kept_and_exponents_never_shown(value, text):
    assert formatting.significant(value) == text


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_rounding_to_three_digits_moves_a_number_by_less_than_one_percent(value):
    assert float(formatting.significant(value)) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (4.567, "4.57"),
        (45.67, "45.7"),
        (99.96, "100"),
        (123.4, "123"),
        (6543.2, "6543"),
    ],
)
def test_rates_are_whole_from_100_on(value, text):
    assert formatting.per_second(value) == text


@pytest.mark.parametrize(
    ("value_us", "text"), [(None, "–"), (412, "0.412"), (44_010, "44.0"), (1_234_567, "1230"), (7, "0.00700")]
)
def test_microseconds_are_shown_as_milliseconds(value_us, text):
    assert formatting.milliseconds(value_us) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.00001, "<0.01 %"),
        (0.0012, "0.12 %"),
        (0.0512, "5.1 %"),
        (0.85, "85 %"),
        (0.9949, "99 %"),
        (0.996, "99.6 %"),
        (0.9996, "99.96 %"),
        (0.99999, ">99.99 %"),
        (1.0, "100 %"),
        (1.004, "100 %"),
        (1.37, "137 %"),
    ],
)
def test_a_share_is_0_only_where_there_is_exactly_none(share, text):
    assert formatting.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0.00"),
        (0.0123, "0.012"),
        (0.0999, "0.10"),
        (0.834, "0.83"),
        (9.99, "9.99"),
        (12.345, "12.3"),
    ],
)
def test_a_factor_has_two_decimals_around_1(value, text):
    assert formatting.factor(value) == text


SPREAD = Spread(median=0.834, low=0.79, high=0.88, mad=0.02, count=5)
INTERVAL = Interval(middle=0.836, low=0.801, high=0.872, level=0.95, method="Student's t", count=5)


def test_a_ratio_is_shown_with_its_interval():
    assert formatting.ratio(SPREAD, INTERVAL) == "0.84 [0.80–0.87]"


def test_a_ratio_without_an_interval_is_shown_alone():
    assert formatting.ratio(SPREAD, None) == "0.83"


def test_an_absent_ratio_is_a_dash():
    assert formatting.ratio(None, None) == formatting.spread(None) == formatting.estimate(None) == "–"


def test_a_spread_has_brackets_that_are_none_of_an_interval():
    assert formatting.spread(SPREAD) == "0.83 (0.79–0.88)"


def test_an_estimate_is_shown_in_the_unit_of_its_numbers():
    rate = Interval(middle=412.3, low=397.8, high=427.1, level=0.95, method="Student's t", count=5)
    assert formatting.estimate(rate, formatting.per_second) == "412 [398–427]"


@pytest.mark.parametrize(
    ("show", "value", "text"),
    [
        (formatting.seconds, None, "–"),
        (formatting.seconds, 0.734, "0.73"),
        (formatting.seconds, 12.6, "13"),
        (formatting.seconds, 123.4, "123"),
        (formatting.megabytes, None, "–"),
        (formatting.megabytes, 45_600_000, "45.6"),
        (formatting.megabytes, 312_345_678, "312"),
        (formatting.cost_ms, None, "–"),
        (formatting.cost_ms, 2.375, "2.38"),
        (formatting.gibibytes, 8_200_000_000, "7.6"),
        (formatting.exact, 10.0, "10"),
        (formatting.exact, 1.5, "1.5"),
    ],
)
def test_other_units(show, value, text):
    assert show(value) == text


def test_a_span_whose_ends_look_alike_is_one_number():
    assert formatting.span(400.1, 400.2, formatting.per_second) == "400"
    assert formatting.span(388.0, 430.0, formatting.per_second) == "388–430"


@pytest.mark.parametrize(
    ("values", "text"), [([], ""), ([3], "3"), ([1, 2, 3, 5], "1–3, 5"), ([5, 4, 1, 1], "1, 4–5")]
)
def test_neighbouring_numbers_are_joined(values, text):
    assert formatting.numbers(values) == text


def test_nouns_follow_their_number():
    assert formatting.plural(1, "user") == "1 user"
    assert formatting.plural(2, "user") == "2 users"
    assert formatting.plural(2, "process", "processes") == "2 processes"


def test_text_from_outside_loses_colours_controls_and_line_feeds():
    assert formatting.one_line("\x1b[31mred\x1b[0m\r\n  and\x00 \x9b so\ton ") == "red and so on"


def test_the_nearest_name_is_offered_and_nothing_when_none_is_near():
    assert formatting.did_you_mean("gunicron", ["uwsgi", "gunicorn"]) == ", did you mean 'gunicorn'?"
    assert formatting.did_you_mean("zzz", ["uwsgi", "gunicorn"]) == ""
