"""What can be broken on purpose: one class for each kind of fault, one line here for each fault."""

from __future__ import annotations

from serverlab.faults.fault import Fault

FAULTS: dict[str, Fault] = {}
"""Every fault by its id, in the order in which they are told."""
