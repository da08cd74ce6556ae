"""What a stack of a target is, before anything of it runs, as far as the definitions say it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from serverlab.catalog.catalog import Catalog
from serverlab.model.definitions import Target
from serverlab.model.records import CoreSplit
from serverlab.model.stacks import StackSettings


def stack_of(
    catalog: Catalog,
    target: Target,
    *,
    cpus: int,
    split: CoreSplit,
    label: str,
    replicas: int | None = None,
    **changes: Any,  # noqa: ANN401 - the fields of StackSettings that are not to stay as they are
) -> StackSettings:
    """The stack of the target with this budget; each call makes new keys.

    ``replicas`` None leaves their number to the target; ``changes`` are fields of StackSettings.
    """
    variant = catalog.variant(target)
    return StackSettings(
        target=target,
        protocol=variant.protocol,
        keeps_connections=variant.keeps_connections,
        cpus=cpus,
        replicas=catalog.replicas(target, cpus=cpus, wanted=replicas),
        split=split,
        label=label,
        **changes,
    )


def started_together(settings: StackSettings) -> StackSettings:
    """The same stack, whose edge does not wait for a server of one container; for those who measure no start."""
    alone = settings.replicas == 1 and not settings.realtime and settings.proxied is None
    if settings.target.edge is None or not alone:
        return settings
    return replace(settings, overlays=(*settings.overlays, "early-edge.yml"))
