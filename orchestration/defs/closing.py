"""The as-known build as a job, for whoever works in the UI."""

# Dagster's decorators are typed in part.
# pyright: reportUnknownMemberType=false

from datetime import datetime
from pathlib import Path

import dagster as dg
from pydantic import Field

from orchestration.settings import Settings


class AsKnownConfig(dg.Config):
    """What is built."""

    as_known_at: str = Field(description="RFC 3339 moment with a zone, such as 2026-11-03T08:00:00Z.")
    into: str = Field(default="", description="A new folder; by default one below TRUEUP_HOME/as_known.")


@dg.definitions
def closing() -> dg.Definitions:
    """Return the job."""

    @dg.op
    def marts_as_known(context: dg.OpExecutionContext, config: AsKnownConfig) -> None:
        from orchestration.closing.as_known import build_as_known, default_folder  # noqa: PLC0415 - only when launched

        settings = Settings.from_env()
        try:
            moment = datetime.fromisoformat(config.as_known_at)
        except ValueError as error:
            raise dg.Failure(f"as_known_at: {error}", allow_retries=False) from None
        into = Path(config.into) if config.into else default_folder(settings, moment)
        built = build_as_known(settings, moment, into)
        context.add_output_metadata(
            {
                "published": dg.MetadataValue.path(str(built.settings.published)),
                "days": f"{built.days.start} to {built.days.end} (exclusive)",
            }
        )

    @dg.job(
        name="as_known",
        description="Build and publish the marts as they were known at a moment, in a folder of their own.",
    )
    def as_known() -> None:
        marts_as_known()

    return dg.Definitions(jobs=[as_known])
