"""What we said, kept: the warehouse as it was known at a moment, closed months, and what has changed since.

Belongs here: building as of a moment, freezing a month with its receipt, proving that a receipt still
reproduces it, and naming every later change. Does not belong here: what the figures are (dbt's), how they
are published, and Dagster (`orchestration/defs/closing.py`).
"""
