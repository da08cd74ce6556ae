"""What the files of a run directory are called."""

from __future__ import annotations

PLAN = "plan.json"
ENVIRONMENT = "environment.json"
PACKAGES = "packages.json"
CEILINGS = "ceilings.json"
TRIALS = "trials.jsonl"
ASSAULT_PLAN = "attacks.json"
ATTACKS = "attacks.jsonl"
ASSAULTS = "attacks"
"""The folder whose runs are attacks."""
RAW = "raw"
FAULT_PLAN = "faults.json"
CELLS = "cells.jsonl"
JOURNAL = "journal.jsonl"
LEDGER = "ledger.jsonl.gz"
