"""Sources whose documents lie outside of this checkout, in the folder that `TRUEUP_SOURCES` names."""

import dagster as dg

from orchestration.components.folder import active_sources, is_outside
from orchestration.settings import Settings


@dg.definitions
def own_sources(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Return their assets; none when the folder lies where Dagster finds documents by itself."""
    settings = Settings.from_env()
    if not is_outside(settings):
        return dg.Definitions()
    return dg.Definitions(assets=[source.build_asset(settings) for source in active_sources(settings, context)])
