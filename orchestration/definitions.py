"""The only Definitions of the project; composes what lies under `orchestration/defs`, implements nothing."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Return every asset, check, job, schedule and sensor."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
