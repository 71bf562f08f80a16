"""`trueup explain`, as a user asks it of what is published."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from company import LAST_DAY, Company

from orchestration.explain.change import Period, explain_change
from orchestration.explain.kept import kept_marts
from orchestration.publishing.reader import open_marts


def test_it_says_why_a_day_was_not_as_the_week_before(small_company: Company) -> None:
    with open_marts(small_company.home / "published") as marts:
        change = explain_change(marts, Period(LAST_DAY, LAST_DAY).before(), Period(LAST_DAY, LAST_DAY))
    assert sum((driver.effect_usd for driver in change.drivers), Decimal(0)) == change.change_usd != 0
    answered = small_company.trueup("explain", "--to", LAST_DAY.isoformat())
    assert answered.returncode == 0, answered.stdout + answered.stderr
    assert change.sentence in " ".join(answered.stdout.split())
    assert change.drivers[0].words in " ".join(answered.stdout.split())


def test_a_question_that_has_no_answer_is_refused_in_a_sentence(small_company: Company) -> None:
    tomorrow = LAST_DAY + timedelta(days=1)
    answered = small_company.trueup("explain", "--from", LAST_DAY.isoformat(), "--to", tomorrow.isoformat())
    assert answered.returncode == 1
    assert f"nothing of any request is published for {tomorrow}" in answered.stdout
    assert "Traceback" not in answered.stdout + answered.stderr


@pytest.mark.parametrize(("most_rows", "is_kept"), [(500_000, True), (0, False)])
def test_what_a_version_holds_by_plan_says_the_same_from_memory(
    small_company: Company, monkeypatch: pytest.MonkeyPatch, most_rows: int, is_kept: bool
) -> None:
    monkeypatch.setattr("orchestration.explain.change.MOST_TENANTS", 1)
    monkeypatch.setattr("orchestration.explain.kept.MOST_ROWS", most_rows)
    monkeypatch.setattr("orchestration.explain.kept._kept", [])
    before, after = Period(LAST_DAY - timedelta(days=9), LAST_DAY - timedelta(days=6)), Period(LAST_DAY, LAST_DAY)
    with open_marts(small_company.home / "published") as marts:
        read = explain_change(marts, before, after)
        remembered = explain_change(marts, before, after, version="one")
        assert (kept_marts(marts, "one").decomposer is not None) is is_kept
    assert read.is_by_plan
    assert read.change_usd != 0
    assert remembered == read
    if is_kept:
        # The marts are closed: memory answers alone, for everything and for a feature.
        assert explain_change(marts, before, after, version="one") == read
