"""`make explain` as a job, for whoever works in the UI."""

# Dagster's decorators are typed in part.
# pyright: reportUnknownMemberType=false

import dagster as dg
from pydantic import Field

from orchestration.settings import Settings


class ExplainConfig(dg.Config):
    """What is compared with what."""

    to: str = Field(description="What to explain: 2026-10-13, or 2026-10-01..2026-10-07.")
    baseline: str = Field(default="", description="What it is compared with; the seven days before by default.")
    tenant: str = Field(default="", description="Only this tenant.")
    feature: str = Field(default="", description="Only this feature.")


@dg.definitions
def explaining() -> dg.Definitions:
    """Return the job."""

    @dg.op
    def change_of_spend(context: dg.OpExecutionContext, config: ExplainConfig) -> None:
        from orchestration.explain.change import (  # noqa: PLC0415 - only when launched
            ExplainError,
            Period,
            explain_change,
        )
        from orchestration.publishing.errors import NotPublishedError  # noqa: PLC0415
        from orchestration.publishing.reader import open_marts  # noqa: PLC0415

        try:
            current = Period.parse(config.to)
            baseline = Period.parse(config.baseline) if config.baseline else current.before()
            with open_marts(Settings.from_env().published) as marts:
                change = explain_change(
                    marts, baseline, current, tenant_id=config.tenant or None, feature=config.feature or None
                )
        except (ExplainError, NotPublishedError) as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        context.log.info(change.sentence)
        context.add_output_metadata(
            {
                "sentence": change.sentence,
                "change_usd": f"{change.change_usd:f}",
                "drivers": dg.MetadataValue.table(
                    [
                        dg.TableRecord({"driver": driver.words, "effect_usd": f"{driver.effect_usd:f}"})
                        for driver in change.drivers
                    ],
                    schema=dg.TableSchema([dg.TableColumn("driver"), dg.TableColumn("effect_usd")]),
                ),
            }
        )

    @dg.job(name="explain", description="Say why spend moved between two periods.")
    def explain() -> None:
        change_of_spend()

    return dg.Definitions(jobs=[explain])
