"""Load goes to loopback and to the networks that the generator is on itself."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from shared.bounds import OutOfBounds, addresses_of, check, own_networks

TABLE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
NAMES = {"app": ["172.18.0.2"], "both": ["172.18.0.2", "203.0.113.7"], "localhost": ["127.0.0.1", "::1"]}


@pytest.fixture
def bounded(tmp_path):
    """Checks an address in a container that is on 172.18.0.0/16."""
    (tmp_path / "route").write_text(TABLE)
    return lambda url: check(url, lookup=lambda host: NAMES.get(host, [host]), routes=tmp_path / "route")


def test_networks_are_those_without_a_gateway():
    assert list(own_networks(TABLE)) == [IPv4Network("172.18.0.0/16")]
    assert list(own_networks(TABLE.splitlines()[0])) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://app:8000",
        "http://127.0.0.1:8000",
        "http://localhost",
        "http://[::1]:80",
        "https://172.18.0.9/",
    ],
)
def test_what_is_ours_is_within_bounds(bounded, url):
    bounded(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://8.8.8.8", "8.8.8.8 (8.8.8.8)"),
        ("http://172.19.0.2:8000", "172.19.0.2 (172.19.0.2)"),
        ("http://both:8000", "both (203.0.113.7)"),
        ("http://[2001:db8::1]:80", "2001:db8::1 (2001:db8::1)"),
        ("http://10.0.0.1@8.8.8.8/", "8.8.8.8 (8.8.8.8)"),
    ],
)
def test_whoever_else_is_refused_with_the_address_and_the_networks(bounded, url, said):
    with pytest.raises(OutOfBounds) as refused:
        bounded(url)
    assert str(refused.value) == (
        f"{said} is neither loopback nor on a network of this container (172.18.0.0/16)"
    )


def test_a_name_that_nobody_knows_has_no_address():
    assert addresses_of("nobody.invalid") == []
    assert addresses_of("127.0.0.1") == ["127.0.0.1"]
