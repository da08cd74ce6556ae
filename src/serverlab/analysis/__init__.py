"""From a run to a table: pure functions on records, each number traceable to its trials."""

from serverlab.analysis.tabulating import tabulate

__all__ = ["tabulate"]
