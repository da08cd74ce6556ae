"""From a run to a table: pure functions on records, each number traceable to its trials."""

from serverlab.analysis.precision import Precision, precision
from serverlab.analysis.tabulating import tabulate

__all__ = ["Precision", "precision", "tabulate"]
