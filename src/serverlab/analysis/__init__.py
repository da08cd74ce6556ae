"""From a run to a table: pure functions on records, each number traceable to its trials."""

from serverlab.analysis.judging import judge

__all__ = ["judge"]
