"""The way back to the request path: limits and switches after every publication, counters put right.

The counters are compared only where a store is named (`TRUEUP_LEDGER_URL`); otherwise that asset does not exist.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.defs.publishing import PUBLISHED_MARTS
from orchestration.settings import Settings

LIMITS = dg.AssetKey(["limits", "limits"])
COUNTERS = dg.AssetKey(["limits", "counters"])

DRIFT_CHECK = "drift_within_one_percent"

_SHOWN_ROWS = 50


@dg.definitions
def limits() -> dg.Definitions:
    """Return the assets."""
    settings = Settings.from_env()

    @dg.asset(
        key=LIMITS,
        deps=[PUBLISHED_MARTS],
        group_name="limits",
        kinds={"json"},
        description="`limits.json` from plans and budgets, `switches.json` as incidents and people ask for, prices.",
    )
    def published_limits(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        from orchestration.limits.prices import publish_prices  # noqa: PLC0415
        from orchestration.limits.publish import publish_limits  # noqa: PLC0415 - pydantic models, 30 ms

        settings = Settings.from_env()
        overrides = (settings.home / "pricing").glob("*.csv")
        prices_version, prices_are_new = publish_prices(settings.limits, settings.pricing, overrides)
        result = publish_limits(settings.published, settings.limits, settings.pricing, datetime.now(UTC))
        for name in result.proposed:
            context.log.warning("switch %s is proposed; `make switch ACTIVATE=%s` throws it", name, name)
        for reason in result.noted:
            context.log.warning("%s", reason)
        return dg.MaterializeResult(
            metadata={
                "limits_version": result.limits_version,
                "switches_version": result.switches_version,
                "limits": result.limits_count,
                "active_switches": result.active_count,
                "proposed_switches": len(result.proposed),
                "prices_version": prices_version,
                "unchanged": not (result.is_new or prices_are_new),
            }
        )

    if settings.ledger_url is None:
        return dg.Definitions(assets=[published_limits])

    @dg.asset(
        key=COUNTERS,
        deps=[PUBLISHED_MARTS],
        group_name="limits",
        kinds={"redis"},
        check_specs=[
            dg.AssetCheckSpec(
                DRIFT_CHECK,
                asset=COUNTERS,
                description="What budgets have counted is what the calls did cost, within 1 % for each account.",
            )
        ],
        description="The budget counters of the request path, corrected by the effective cost of the marts.",
    )
    def counters() -> Iterator[dg.MaterializeResult[Any]]:
        from orchestration.limits.counters import correct_counters  # noqa: PLC0415 - an optional client

        settings = Settings.from_env()
        drifts = correct_counters(settings.published, settings.ledger_url or "", datetime.now(UTC))
        off = [drift for drift in drifts if drift.is_too_large]
        breaching = [
            dg.TableRecord(
                {
                    "account": drift.account,
                    "counted_nano_usd": drift.counted_nano_usd,
                    "cost_nano_usd": drift.cost_nano_usd,
                }
            )
            for drift in off[:_SHOWN_ROWS]
        ]
        metadata: dict[str, Any] = {"breaches": len(off)}
        if off:
            metadata["breaching_rows"] = dg.MetadataValue.table(breaching)
        yield dg.MaterializeResult(
            metadata={"accounts": len(drifts), "seeded": sum(drift.was_lost for drift in drifts)},
            check_results=[
                dg.AssetCheckResult(
                    asset_key=COUNTERS,
                    check_name=DRIFT_CHECK,
                    passed=not off,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=f"{len(off)} accounts were off by more than 1 % and are corrected" if off else None,
                    metadata=metadata,
                )
            ],
        )

    return dg.Definitions(assets=[published_limits, counters])
