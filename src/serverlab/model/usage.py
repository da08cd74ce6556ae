"""What the containers of a trial used, by role and by process, and what became of their connections."""

from __future__ import annotations

from serverlab.model.base import Record


class ProcessUse(Record, frozen=True):
    """What one process used between the edges of the window, in steps of 10 ms.

    ``memory_pss_bytes`` is its largest proportional set size. Context switches are None where threads ended in between
    that had used more than a twentieth of its CPU time: the kernel forgets a thread's switches with the thread.
    """

    container: str
    pid: int
    name: str
    user_s: float
    system_s: float
    memory_pss_bytes: int | None = None
    context_switches_voluntary: int | None = None
    context_switches_involuntary: int | None = None

    @property
    def cpu_s(self) -> float:
        """User and system time together."""
        return self.user_s + self.system_s


class Usage(Record, frozen=True):
    """What the containers of one role (app, edge, db, load) used within the window.

    ``memory_peak_bytes`` is the highest sampled working set: usage less inactive page cache, summed over replicas.
    ``memory_growth`` is the working set at the end of the window over that at its beginning, both read off a straight
    line through all samples: 1 where it stays as it is.
    ``throttled_s`` is the time the kernel held them back by their CPU quota. ``user_s`` and ``system_s`` are the parts
    of ``cpu_s``. ``memory_pss_bytes`` is the highest sum over all processes of their proportional set sizes, in which
    a shared page counts once. Context switches are those of all threads. ``connections`` is how many a database had
    open at most. None is what was not read: no such container, an engine elsewhere, a user who may not.
    """

    cpu_s: float
    memory_peak_bytes: int
    throttled_s: float
    samples: int
    user_s: float | None = None
    system_s: float | None = None
    memory_pss_bytes: int | None = None
    context_switches_voluntary: int | None = None
    context_switches_involuntary: int | None = None
    connections: int | None = None
    memory_growth: float | None = None
    processes: tuple[ProcessUse, ...] = ()


class NetworkCounts(Record, frozen=True):
    """What the kernel counted about TCP in the network namespaces of one role's containers.

    ``listen_overflows`` are connections that found a full backlog; ``listen_drops`` those and others that a listening
    socket refused; ``retransmits`` are segments that were sent again, of ``segments`` sent.
    """

    listen_overflows: int
    listen_drops: int
    retransmits: int
    segments: int
