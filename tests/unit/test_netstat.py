"""What the kernel counts about TCP, read from files written by hand."""

import os

import pytest

from serverlab import netstat
from serverlab.model.usage import NetworkCounts

NETSTAT = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 3 5\nIpExt: InNoRoutes\nIpExt: 0\n"
SNMP = "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm MaxConn OutSegs RetransSegs\nTcp: 1 -1 1000 7\n"
COUNTS = NetworkCounts(listen_overflows=3, listen_drops=5, retransmits=7, segments=1000)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "proc/7/net").mkdir(parents=True)
    (tmp_path / "proc/7/net/netstat").write_text(NETSTAT)
    (tmp_path / "proc/7/net/snmp").write_text(SNMP)
    return tmp_path


def test_counts_are_found_by_their_names(root):
    assert netstat.network_counts(7, root) == COUNTS


def test_counts_are_absent_where_the_process_or_the_field_is_not_there(root):
    assert netstat.network_counts(8, root) is None
    (root / "proc/7/net/netstat").write_text(NETSTAT.replace("ListenDrops", "Other"))
    assert netstat.network_counts(7, root) is None
    (root / "proc/7/net/netstat").write_text("")
    assert netstat.network_counts(7, root) is None


def test_this_machine_tells_its_counts():
    assert netstat.network_counts(os.getpid()).segments >= 0


def test_what_grew_is_the_difference_and_namespaces_are_summed():
    later = NetworkCounts(listen_overflows=4, listen_drops=9, retransmits=7, segments=1500)
    grown = netstat.grown(COUNTS, later)
    assert grown == NetworkCounts(listen_overflows=1, listen_drops=4, retransmits=0, segments=500)
    assert netstat.together([grown, COUNTS]) == NetworkCounts(
        listen_overflows=4, listen_drops=9, retransmits=7, segments=1500
    )
