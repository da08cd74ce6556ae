"""The parent of all records."""

from __future__ import annotations

from typing import Annotated

import msgspec

FORMAT = 1
"""Number of the file format that this version of the lab writes and reads."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Rate = Annotated[float, msgspec.Meta(gt=0)]
Format = Annotated[int, msgspec.Meta(ge=1, le=1)]


class Record(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False, gc=False
):
    """A frozen record that refuses unknown keys when it is read from a file.

    It is made of finished parts and so is in no cycle: the garbage collector need not look for one.
    """
