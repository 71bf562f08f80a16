"""What a run is told, and what its failure means."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from orchestration.connectors.base import Window
from orchestration.defs.automation import today_and_yesterday
from orchestration.runtime.jobs import RunOptions, only_sources_failed, run_config
from orchestration.runtime.terminal import describe


def test_every_op_is_told_what_concerns_it() -> None:
    ops = ["pull_openai", "dbt_reference", "dbt_daily", "dbt_rollup", "alert_rules", "published__marts"]
    options = RunOptions(restate=True, every_stale_day=False, force=True)
    assert run_config(ops, options) == {
        "ops": {
            "pull_openai": {"config": {"restate": True}},
            "dbt_reference": {"config": {"force": True}},
            "dbt_daily": {"config": {"force": True, "every_stale_day": False}},
            "dbt_rollup": {"config": {"force": True}},
            "published__marts": {"config": {"force": True}},
        }
    }


@pytest.mark.parametrize(
    ("failed", "verdict"),
    [(["pull_openai"], True), (["pull_openai", "dbt_daily"], False), ([], False), ([None], False)],
)
def test_a_build_without_the_failed_sources_is_started_only_when_nothing_else_failed(
    failed: list[str | None], verdict: bool
) -> None:
    assert only_sources_failed(failed) is verdict


def test_the_days_of_a_schedule_are_utc_days() -> None:
    evening_in_auckland = datetime.fromisoformat("2026-11-02T08:00:00+13:00")
    assert today_and_yesterday(evening_in_auckland) == Window(date(2026, 10, 31), date(2026, 11, 2))
    assert today_and_yesterday(datetime(2026, 11, 2, tzinfo=UTC)) == Window(date(2026, 11, 1), date(2026, 11, 3))


@pytest.mark.parametrize(
    ("step", "words"),
    [("pull_app_requests", "pulling app_requests"), ("dbt_daily", "building daily"), ("other", "other")],
)
def test_a_step_is_described_in_words(step: str, words: str) -> None:
    assert describe(step) == words
