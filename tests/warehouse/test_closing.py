"""Promise 6: what was known at a moment can be built again, a closed month stays closed, and what changed has a name.

One company: two days of October are logged and billed, published, and closed; then a bill is restated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from closing_lab import Installation
from harness import Company, moment, openai_cost, openai_usage, request

from orchestration.closing.as_known import AsKnown
from orchestration.closing.errors import ClosingError
from orchestration.closing.restatements import compare
from orchestration.publishing.reader import open_marts

FIRST_DAY, LAST_DAY = date(2026, 10, 30), date(2026, 10, 31)
FIRST_BILL, SECOND_BILL = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)
BETWEEN = FIRST_BILL + timedelta(days=1)


@dataclass(frozen=True)
class Story:
    """The installation after the restatement, and what was kept of before it."""

    installation: Installation
    published_before: dict[str, list[tuple[Any, ...]]]
    folder: Path


def figures(published: Path) -> dict[str, list[tuple[Any, ...]]]:
    with open_marts(published) as marts:
        names = [name for (name,) in marts.execute("select mart from published_info order by mart").fetchall()]
        return {name: marts.execute(f"select * from {name} order by all").fetchall() for name in names}


@pytest.fixture(scope="module")
def story(empty_company: Company, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("closing")
    company = empty_company.copy(folder / "company")
    installation = Installation(company)
    logged_at = FIRST_BILL - timedelta(hours=1)
    company.land(
        "llm_requests",
        [
            request(moment(day), tenant_id=tenant, input_tokens=tokens, output_tokens=0)
            for day in (FIRST_DAY, LAST_DAY)
            for tenant, tokens in (("acme", 3000), ("globex", 1000))
        ],
        at=logged_at,
    )
    company.land(
        "openai_usage_completions",
        [openai_usage(day, "gpt-test", input_uncached_tokens=5000) for day in (FIRST_DAY, LAST_DAY)],
        at=logged_at,
    )
    for known_at, amount in ((FIRST_BILL, "10"), (SECOND_BILL, "12.5")):
        company.land(
            "openai_costs",
            [
                openai_cost(FIRST_DAY, "gpt-test, input_tokens", "7.000000000001"),
                openai_cost(LAST_DAY, "gpt-test, input_tokens", amount),
            ],
            at=known_at,
        )
        installation.run()
        if known_at == FIRST_BILL:
            before = figures(installation.settings.published)
    return Story(installation, before, folder)


@pytest.fixture(scope="module")
def then(story: Story) -> AsKnown:
    return story.installation.as_known(BETWEEN, story.folder / "then")


def test_the_marts_as_known_then_are_those_that_were_published_then(story: Story, then: AsKnown) -> None:
    assert figures(then.settings.published) == story.published_before
    assert figures(story.installation.settings.published) != story.published_before


def test_a_restated_bill_shows_before_and_after_with_the_moments(story: Story) -> None:
    (row,) = story.installation.company.query("select * from marts.restatements")
    assert (row["usage_date"], row["provider"], row["source_name"]) == (LAST_DAY, "openai", "openai")
    assert (row["previous_billed_cost_usd"], row["billed_cost_usd"]) == (Decimal(10), Decimal("12.5"))
    assert (row["change_usd"], row["change_kind"], row["is_current"]) == (Decimal("2.5"), "restated", True)
    assert (row["previously_known_from"], row["known_from"]) == (FIRST_BILL, SECOND_BILL)


def test_between_two_moments_every_changed_cell_is_named_with_its_source(
    story: Story, then: AsKnown, tmp_path: Path
) -> None:
    settings = story.installation.settings
    changed = compare(
        settings,
        (then.settings.published, BETWEEN),
        (settings.published, SECOND_BILL + timedelta(days=1)),
        tmp_path / "changed.parquet",
    )
    rows = duckdb.read_parquet(str(changed.file)).order("tenant_id nulls last").fetchall()
    columns = duckdb.read_parquet(str(changed.file)).columns
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    assert [
        (row["tenant_id"], row["unattributed_reason"], row["billed_cost_before_usd"], row["billed_cost_change_usd"])
        for row in found
    ] == [
        # The provider counts 5,000 tokens; the log has 4,000 of them.
        ("acme", None, Decimal(6), Decimal("1.5")),
        ("globex", None, Decimal(2), Decimal("0.5")),
        (None, "unlogged_usage", Decimal(2), Decimal("0.5")),
    ]
    assert {(row["usage_date"], row["provider"], row["changed_by"]) for row in found} == {
        (LAST_DAY, "openai", "openai.openai_costs")
    }
    assert (changed.rows_count, changed.billed_change_usd) == (3, Decimal("2.5"))


def test_a_folder_that_holds_something_else_is_left_alone(story: Story, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ClosingError, match="holds something else"):
        story.installation.as_known(BETWEEN, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_nothing_is_built_of_a_time_before_everything(story: Story) -> None:
    with pytest.raises(ClosingError, match="nothing had landed by 2026-01-01"):
        story.installation.as_known(datetime(2026, 1, 1, tzinfo=UTC), story.folder / "before everything")
