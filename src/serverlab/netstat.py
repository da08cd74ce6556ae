"""What the kernel counts about TCP in the network namespace of a process."""

from __future__ import annotations

from pathlib import Path

from serverlab.model.usage import NetworkCounts

ROOT = Path("/")


def network_counts(pid: int, root: Path = ROOT) -> NetworkCounts | None:
    """Return the totals since the namespace was made, None when the kernel does not tell them.

    From /proc/PID/net/netstat (`TcpExt`) and /proc/PID/net/snmp (`Tcp`), as `nstat` prints them. Each container has a
    namespace of its own, so that these are its counts alone.
    """
    try:
        extended = _fields(root / f"proc/{pid}/net/netstat", "TcpExt")
        plain = _fields(root / f"proc/{pid}/net/snmp", "Tcp")
        return NetworkCounts(
            listen_overflows=extended["ListenOverflows"],
            listen_drops=extended["ListenDrops"],
            retransmits=plain["RetransSegs"],
            segments=plain["OutSegs"],
        )
    except (OSError, KeyError):
        return None


def grown(before: NetworkCounts, after: NetworkCounts) -> NetworkCounts:
    """Return what was counted between two readings of one namespace."""
    return NetworkCounts(
        listen_overflows=after.listen_overflows - before.listen_overflows,
        listen_drops=after.listen_drops - before.listen_drops,
        retransmits=after.retransmits - before.retransmits,
        segments=after.segments - before.segments,
    )


def together(counts: list[NetworkCounts]) -> NetworkCounts:
    """Return the sum over several namespaces."""
    return NetworkCounts(
        listen_overflows=sum(each.listen_overflows for each in counts),
        listen_drops=sum(each.listen_drops for each in counts),
        retransmits=sum(each.retransmits for each in counts),
        segments=sum(each.segments for each in counts),
    )


def _fields(path: Path, group: str) -> dict[str, int]:
    """One group of a file in which each group is a line of names and a line of values."""
    lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    names, values = [words[1:] for words in lines if words and words[0] == f"{group}:"][:2] or ([], [])
    return dict(zip(names, map(int, values), strict=True))
