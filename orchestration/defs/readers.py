"""Who reads the marts, as dbt's exposures name them. Nothing here runs."""

import dagster as dg

from orchestration.settings import Settings
from orchestration.warehouse.assets import exposure_specs
from orchestration.warehouse.project import project_manifest


@dg.definitions
def readers() -> dg.Definitions:
    """Return an asset for each reader."""
    return dg.Definitions(assets=exposure_specs(project_manifest(Settings.from_env())))
