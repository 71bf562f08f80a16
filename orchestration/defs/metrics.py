"""The daily figures as OpenTelemetry metrics, where an endpoint is named (`TRUEUP_OTLP_ENDPOINT`); else no asset."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.defs.publishing import PUBLISHED_MARTS
from orchestration.settings import Settings

METRICS = dg.AssetKey(["metrics", "daily_figures"])


@dg.definitions
def metrics() -> dg.Definitions:
    """Return the asset."""
    if Settings.from_env().otlp_endpoint is None:
        return dg.Definitions()

    @dg.asset(
        key=METRICS,
        deps=[PUBLISHED_MARTS],
        group_name="published",
        kinds={"opentelemetry"},
        description="Cost, tokens, attempts, outcomes, waste and alerts of the newest whole day, sent over OTLP/HTTP.",
    )
    def daily_figures() -> dg.MaterializeResult[Any]:
        from orchestration.metrics.figures import figures_of_day, newest_whole_day  # noqa: PLC0415
        from orchestration.metrics.otlp import http_exporter, send  # noqa: PLC0415 - half a second of imports
        from orchestration.publishing.reader import current_version, open_marts  # noqa: PLC0415

        settings = Settings.from_env()
        with open_marts(settings.published) as marts:
            day = newest_whole_day(marts, datetime.now(UTC))
            if day is None:
                return dg.MaterializeResult(metadata={"figures": 0})
            figures = list(figures_of_day(marts, day, settings.otlp_tenants))
        version = current_version(settings.published) or ""
        sent = send(figures, http_exporter(settings.otlp_endpoint or ""), version)
        return dg.MaterializeResult(metadata={"figures": sent, "day": day.isoformat()})

    return dg.Definitions(assets=[daily_figures])
