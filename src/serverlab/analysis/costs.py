"""What one valid trial's work cost, by role: None is what was not read, never 0."""

from __future__ import annotations

from serverlab.analysis.evidence import STACK_ROLES, Sample
from serverlab.model.usage import Usage


def per_cpu_s(sample: Sample) -> float | None:
    """Successful requests per CPU second of the whole stack: app, edge, database, cache and realtime, no generator."""
    if "app" not in sample.trial.usage:
        return None
    cpu_s = sum(sample.trial.usage[role].cpu_s for role in STACK_ROLES if role in sample.trial.usage)
    return sample.load.ok / cpu_s if cpu_s else None


def user_ms(sample: Sample, role: str) -> float | None:
    """CPU milliseconds of the role in user mode per successful request."""
    usage = _usage(sample, role)
    return _per_request(sample, usage.user_s if usage else None, 1000)


def system_ms(sample: Sample, role: str) -> float | None:
    """CPU milliseconds of the role in the kernel per successful request."""
    usage = _usage(sample, role)
    return _per_request(sample, usage.system_s if usage else None, 1000)


def pss_bytes(sample: Sample, role: str) -> float | None:
    """The role's largest sum of proportional set sizes: pages that its processes share count once."""
    usage = _usage(sample, role)
    return usage.memory_pss_bytes if usage else None


def memory_growth(sample: Sample) -> float | None:
    """The app's working set at the end of the window over that at its beginning."""
    usage = _usage(sample, "app")
    return usage.memory_growth if usage else None


def switches(sample: Sample, role: str) -> float | None:
    """Context switches of the role per successful request, voluntary and involuntary together."""
    usage = _usage(sample, role)
    if usage is None or usage.context_switches_voluntary is None:
        return None
    involuntary = usage.context_switches_involuntary or 0
    return _per_request(sample, usage.context_switches_voluntary + involuntary, 1)


def connections(sample: Sample) -> float | None:
    """The most connections that the database had open at once; None where it is no server."""
    usage = _usage(sample, "db")
    return usage.connections if usage else None


def _usage(sample: Sample, role: str) -> Usage | None:
    return sample.trial.usage.get(role)


def _per_request(sample: Sample, value: float | None, scale: float) -> float | None:
    return value * scale / sample.load.ok if value is not None and sample.load.ok else None
