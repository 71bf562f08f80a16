"""Whatever a tenant is called: it is shown as text, its link works, and a spreadsheet takes it for text."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from company import Company
from dashboard_page import open_page
from hostile_names import FEATURES, TENANTS, publish_hostile

from dashboards.filters import Filters
from dashboards.publication import Publication, build_query
from dashboards.tables import LONGEST_SHOWN
from dashboards.words import visible


@pytest.fixture(scope="module")
def hostile_home(small_company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose dearest tenants and features have hostile names."""
    home = tmp_path_factory.mktemp("hostile")
    publish_hostile(small_company.settings.published, home / "published")
    return home


def as_shown(name: str) -> str:
    shown = visible(name)
    return shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 1] + "…"


def test_names_are_text_on_every_page(hostile_home):
    tenants = {as_shown(name) for name in TENANTS}
    features = {as_shown(name) for name in FEATURES}
    assert tenants <= {row["tenant"] for row in open_page(hostile_home, "tenants").table("tenant", "spend")}
    assert features <= {row["feature"] for row in open_page(hostile_home, "features").table("feature", "per accepted")}
    why = open_page(hostile_home, "why", period="1d", baseline="2026-10-30")
    assert len(features & {row["feature"] for row in why.table("feature", "change")}) >= 3  # the others had no request
    requests = open_page(hostile_home, "requests", feature=list(FEATURES))
    assert {row["feature"] for row in requests.table("started", "feature")} <= features
    for page in ("", "alerts"):
        text = open_page(hostile_home, page).text
        assert "<script>alert" not in text
        assert "<b>feature" not in text


@pytest.mark.parametrize("tenant", [TENANTS[1], TENANTS[5], TENANTS[6]])
def test_a_link_to_a_hostile_tenant_opens_its_page(hostile_home, tenant):
    page = open_page(hostile_home, "tenants", tenant=tenant)
    assert page.tiles["Spend"].lstrip("≥").startswith("$")
    assert "<script>alert" not in page.text
    assert "<img" not in page.text


def test_a_download_is_the_mart_and_no_formula(hostile_home, tmp_path):
    with Publication(hostile_home / "published").open() as snapshot:
        days = snapshot.days
        assert days is not None
        query = build_query("tenants", Filters(), days, newest_date=days.last, search="", tenants_shown=1000)
        rows = snapshot.rows(query)
        snapshot.write(query, tmp_path / "tenants.csv")
        snapshot.write(query, tmp_path / "tenants.parquet")
    with (tmp_path / "tenants.csv").open(newline="") as handle:
        written = list(csv.DictReader(handle))
    assert [row["tenant_id"].removeprefix("'") for row in written] == [row["tenant_id"] for row in rows]
    assert [row["cost_usd"] for row in written] == [str(row["cost_usd"]) for row in rows]
    assert not [row for row in written for value in row.values() if value.startswith(("=", "+", "@", "\t"))]
    assert pq.read_table(tmp_path / "tenants.parquet").to_pylist() == rows
