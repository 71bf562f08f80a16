"""A month's report holds the figures of the marts, or of the closed month."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from company import Company

from orchestration.closing.receipt import Receipt
from orchestration.monthly.figures import NothingPublishedError, read_month
from orchestration.monthly.marts import READ, open_months
from orchestration.monthly.report import write_report
from orchestration.publishing.reader import open_marts
from orchestration.report import count, usd, usd_each
from orchestration.settings import Settings

MONTH = date(2026, 10, 1)


@pytest.fixture
def beside(small_company: Company, tmp_path: Path) -> Settings:
    """An installation of its own that reads what the small company has published."""
    (tmp_path / "published").symlink_to(small_company.home / "published")
    return Settings(home=tmp_path)


def test_the_report_says_what_the_marts_say(small_company: Company, tmp_path: Path) -> None:
    done = small_company.trueup("report", "2026-10", "--into", str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert "open, its figures may still change" in done.stdout
    assert (tmp_path / "2026-10.pdf").read_bytes().startswith(b"%PDF")
    html = (tmp_path / "2026-10.html").read_text()
    values = re.findall(r'<dd class="value">([^<]+)</dd>', html)
    with open_marts(small_company.home / "published") as marts:
        cost, unpriced, attempts, accepted = marts.execute(
            "select sum(effective_cost_usd), sum(unpriced_attempts_count), sum(attempts_count), "
            "sum(accepted_outcomes_count) from unit_economics_by_feature_day where usage_date >= '2026-10-01'"
        ).fetchall()[0]
        (billed,) = marts.execute(
            "select sum(billed_cost_usd) from recon_estimated_vs_billed_by_provider_month "
            "where usage_month = '2026-10-01'"
        ).fetchall()[0]
        (margin,) = marts.execute(
            "select sum(gross_margin_usd) from gross_margin_by_tenant_month where usage_month = '2026-10-01'"
        ).fetchall()[0]
        features = marts.execute(
            "select feature, sum(effective_cost_usd), sum(unpriced_attempts_count) from unit_economics_by_feature_day "
            "where usage_date >= '2026-10-01' group by feature having sum(attempts_count) > 0"
        ).fetchall()
    assert (values[0], values[1], values[3]) == (usd(cost, unpriced), usd(billed), usd(margin))
    assert values[4:] == [usd_each(cost, accepted, unpriced), count(attempts)]
    rows = {tuple(re.findall(r"<bdi>([^<]*)</bdi>", row)[:2]) for row in html.split("<tr>")}
    assert {(feature, usd(amount, unknown)) for feature, amount, unknown in features} <= rows


def close(settings: Settings, published: Path, factor: str) -> None:
    """Write a closed month whose requests cost so many times what is published."""
    folder = settings.home / "closed" / "2026-10"
    (folder / "marts").mkdir(parents=True)
    with duckdb.connect(str(published / "marts.duckdb"), read_only=True) as marts:
        for mart in READ:
            names = [row[0] for row in marts.execute(f"describe {mart}").fetchall()]
            changed = f" replace (effective_cost_usd * {factor} as effective_cost_usd)"
            columns = f"*{changed if 'effective_cost_usd' in names else ''}"
            day = "usage_date" if "usage_date" in names else "usage_month"
            marts.execute(
                f"copy (select {columns} from {mart} where {day} >= '2026-10-01' and {day} < '2026-11-01') "
                f"to '{folder / 'marts' / mart}.parquet'"
            )
    moment = "2026-11-08T09:00:00+00:00"
    receipt = Receipt("2026-10", moment, moment, "v", "late", [], "d", {}, "p", [], {}, [])
    (folder / "receipt.json").write_text(receipt.to_json())


def test_a_closed_month_is_reported_as_it_was_closed(beside: Settings) -> None:
    with open_months(beside, []) as marts:
        published = read_month(marts, MONTH)
    close(beside, beside.published, "3")
    written = write_report(beside, "2026-10")
    assert written.is_closed
    assert published.totals.effective_cost_usd is not None
    html = written.html.read_text()
    cost = usd(published.totals.effective_cost_usd * Decimal(3), published.totals.unpriced_attempts_count)
    assert f'<dd class="value">{cost}</dd>' in html
    assert "Closed on 2026-11-08" in html
    assert "although days were not reconciled: late" in html


def test_a_month_of_which_nothing_is_published_has_no_report(beside: Settings) -> None:
    with pytest.raises(NothingPublishedError, match="nothing of 2024-02 is published"):
        write_report(beside, "2024-02")
