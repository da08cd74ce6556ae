"""What a stack of a target is, before anything of it runs, as far as the definitions say it."""

from __future__ import annotations

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
