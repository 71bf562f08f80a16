"""Promise 6: what was known at a moment can be built again, a closed month stays closed, and what changed has a name.

One company: two days of October are logged and billed, published, and closed; then a bill is restated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from closing_lab import Installation
from harness import Company, moment, openai_cost, openai_usage, request

from orchestration.closing.adjustments import open_adjustments
from orchestration.closing.as_known import AsKnown
from orchestration.closing.errors import ClosingError
from orchestration.closing.price_book import PriceBook
from orchestration.closing.receipt import ClosedMonth, Receipt
from orchestration.closing.replay import Replay, replay
from orchestration.closing.restatements import compare
from orchestration.connectors.base import Window
from orchestration.focus.export import FocusExport, check_export, export_month
from orchestration.landing.store import LandingStore
from orchestration.publishing.reader import open_marts
from orchestration.settings import Settings

UNBILLED_DAY, FIRST_DAY, LAST_DAY = date(2026, 9, 15), date(2026, 10, 30), date(2026, 10, 31)
FIRST_BILL, SECOND_BILL = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)
BETWEEN = FIRST_BILL + timedelta(days=1)


def cloud_line(category: str, amount: str, **columns: Any) -> dict[str, Any]:
    """A row of `focus_charges`."""
    return {
        "charge_period_start": moment(FIRST_DAY, 0),
        "charge_period_end": moment(FIRST_DAY, 24),
        "service_provider_name": "AWS",
        "service_name": "Amazon Bedrock",
        "billing_account_id": "111122223333",
        "invoice_id": "inv-7",
        "charge_category": category,
        "billing_currency": "USD",
        "billed_cost": Decimal(amount),
    } | columns


CLOUD_BILL = [
    cloud_line(
        "Usage",
        "3",
        sku_meter="Input Tokens",
        sku_price_details='{"x_ModelId": "nova-test"}',
        consumed_quantity=Decimal(10),
        consumed_unit="1000 Tokens",
    ),
    cloud_line("Usage", "0.7", charge_description="Something odd"),
    cloud_line("Tax", "0.3"),
    cloud_line("Credit", "-0.2"),
    cloud_line("Purchase", "5", charge_description="One month of provisioned throughput"),
]


@dataclass(frozen=True)
class Story:
    """The installation after the restatement, and what was kept of before it."""

    installation: Installation
    published_before: dict[str, list[tuple[Any, ...]]]
    refusal: str
    october: ClosedMonth
    october_files: dict[str, bytes]
    folder: Path


def figures(published: Path) -> dict[str, list[tuple[Any, ...]]]:
    with open_marts(published) as marts:
        names = [name for (name,) in marts.execute("select mart from published_info order by mart").fetchall()]
        return {name: marts.execute(f"select * from {name} order by all").fetchall() for name in names}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


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
            for day in (UNBILLED_DAY, FIRST_DAY, LAST_DAY)
            for tenant, tokens in (("acme", 3000), ("globex", 1000))
        ],
        at=logged_at,
    )
    company.land(
        "llm_requests",
        [
            request(moment(FIRST_DAY), provider="bedrock", model="nova-test", input_tokens=6000, output_tokens=0),
        ],
        at=logged_at + timedelta(minutes=1),
    )
    company.land("focus_charges", CLOUD_BILL, source="cloud", at=logged_at)
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
            with pytest.raises(ClosingError) as refused:
                installation.close("2026-09", BETWEEN)
            october = installation.close("2026-10", BETWEEN, reason="the auditors come tomorrow")
            files = contents(october.folder)
    return Story(installation, before, str(refused.value), october, files, folder)


@pytest.fixture(scope="module")
def replayed(story: Story) -> Replay:
    """October again, a week after its bill was restated."""
    installation = story.installation
    receipt = story.october.folder / "receipt.json"
    return replay(installation.settings, receipt, story.folder / "replayed", build=installation.as_known)


@pytest.fixture(scope="module")
def then(replayed: Replay) -> Path:
    """What was published at the moment of the close, built again for the replay."""
    return replayed.folder.parents[1] / "published"


def test_the_marts_as_known_then_are_those_that_were_published_then(story: Story, then: Path) -> None:
    assert figures(then) == story.published_before
    assert figures(story.installation.settings.published) != story.published_before


def test_a_restated_bill_shows_before_and_after_with_the_moments(story: Story) -> None:
    (row,) = story.installation.company.query("select * from marts.restatements")
    assert (row["usage_date"], row["provider"], row["source_name"]) == (LAST_DAY, "openai", "openai")
    assert (row["previous_billed_cost_usd"], row["billed_cost_usd"]) == (Decimal(10), Decimal("12.5"))
    assert (row["change_usd"], row["change_kind"], row["is_current"]) == (Decimal("2.5"), "restated", True)
    assert (row["previously_known_from"], row["known_from"]) == (FIRST_BILL, SECOND_BILL)


def test_between_two_moments_every_changed_cell_is_named_with_its_source(
    story: Story, then: Path, tmp_path: Path
) -> None:
    settings = story.installation.settings
    changed = compare(
        settings,
        (then, BETWEEN),
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
        story.installation.as_known(story.installation.settings, BETWEEN, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_nothing_is_built_of_a_time_before_everything(story: Story, tmp_path: Path) -> None:
    with pytest.raises(ClosingError, match="nothing had landed by 2026-01-01"):
        installation = story.installation
        installation.as_known(installation.settings, datetime(2026, 1, 1, tzinfo=UTC), tmp_path)


# -- closing --------------------------------------------------------------------------------------------------


def test_a_month_with_a_day_that_is_not_reconciled_is_closed_only_with_a_reason(story: Story) -> None:
    assert story.refusal.splitlines()[:2] == [
        "2026-09 is not closed: 1 days of a provider are not reconciled",
        "  2026-09-15 openai: open",
    ]
    assert "REASON" in story.refusal
    assert not (story.october.folder.parent / "2026-09").exists()


def test_a_receipt_says_what_was_said_and_what_it_was_made_of(story: Story) -> None:
    receipt = Receipt.read(story.october.folder / "receipt.json")
    assert receipt == story.october.receipt
    assert receipt.known_at == BETWEEN
    assert receipt.totals["fct_provider_charges"] == {"billed_cost_usd": "25.800000000001"}
    bills = [pull for pull in receipt.pulls if pull.table_name == "openai_costs"]
    assert [(pull.source_name, pull.slices_count, pull.row_count) for pull in bills] == [("openai", 2, 2)]
    assert {file.file for file in receipt.files} == set(story.october_files)
    assert {"marts/unit_economics_by_tenant_day.parquet", "pulls.parquet"} <= set(story.october_files)
    requests = duckdb.read_parquet(str(story.october.mart("fct_llm_requests")))
    assert requests.select("usage_date, row_count, list_cost_usd").order("usage_date").fetchall() == [
        (FIRST_DAY, 3, Decimal("0.014")),
        (LAST_DAY, 2, Decimal("0.008")),
    ]


def test_z9_a_closed_month_is_replayed_to_the_last_byte_after_its_bill_was_restated(
    story: Story, replayed: Replay
) -> None:
    assert (replayed.differences, replayed.explanations) == ([], [])
    assert contents(replayed.folder) == story.october_files == contents(story.october.folder)


def test_z7_a_later_change_is_booked_in_the_open_period_and_explains_every_digit(story: Story) -> None:
    booked = open_adjustments(story.installation.settings)
    assert booked.booked_month == date(2026, 11, 1)
    assert booked.billed_change_usd == Decimal("2.5")
    rows = duckdb.sql(f"select distinct closed_month, usage_date, changed_by from '{booked.file}'").fetchall()
    assert rows == [(date(2026, 10, 1), LAST_DAY, "openai.openai_costs")]
    closed = Decimal(story.october.receipt.totals["llm_usage_by_tenant_feature_model_day"]["billed_cost_usd"] or "0")
    ((adjusted,),) = duckdb.sql(
        f"select sum(billed_cost_change_usd) from '{booked.file}' where tenant_id is not null"
    ).fetchall()
    now = story.installation.company.value(
        "select sum(billed_cost_usd) from marts.fct_llm_requests where usage_date >= '2026-10-01'"
    )
    assert closed + adjusted == now


@pytest.fixture
def copy(story: Story, tmp_path: Path) -> Installation:
    """The installation, to be changed."""
    installation = Installation(story.installation.company.copy(tmp_path / "company"))
    installation.remember()
    return installation


def test_a_booked_adjustment_is_not_booked_again(copy: Installation) -> None:
    november = copy.close("2026-11", datetime(2026, 12, 2, tzinfo=UTC))
    ((booked,),) = duckdb.sql(f"select sum(billed_cost_change_usd) from '{november.adjustments}'").fetchall()
    assert booked == Decimal("2.5")
    assert open_adjustments(copy.settings).row_count == 0


def test_a_replay_of_another_state_names_the_files_that_differ(story: Story, tmp_path: Path) -> None:
    installation = story.installation

    def the_present(settings: Settings, moment: datetime, into: Path, *, prices: PriceBook) -> AsKnown:
        present = replace(settings, as_known_at=SECOND_BILL)
        return AsKnown(present, SECOND_BILL, Window(FIRST_DAY, LAST_DAY), "", installation.manifest)

    replayed = replay(installation.settings, story.october.folder / "receipt.json", tmp_path, build=the_present)
    assert not replayed.is_identical
    assert "marts/restatements.parquet differs, 0 rows became 1" in replayed.differences
    assert "marts/fct_llm_requests.parquet differs" in replayed.differences
    assert "marts/fct_outcomes.parquet differs" not in replayed.differences


def test_a_closed_month_stays_closed(copy: Installation) -> None:
    with pytest.raises(ClosingError, match="2026-10 is closed"):
        copy.close("2026-10", BETWEEN, reason="again")
    with pytest.raises(ClosingError, match="closed in their order"):
        copy.close("2026-09", BETWEEN, reason="late")


def test_a_month_that_is_not_over_stays_open(copy: Installation) -> None:
    with pytest.raises(ClosingError, match="2026-11 is not over before 2026-12-01"):
        copy.close("2026-11", datetime(2026, 11, 30, 23, 59, tzinfo=UTC))


def test_what_has_landed_and_is_not_published_must_be_published_first(copy: Installation) -> None:
    copy.company.land(
        "openai_costs", [openai_cost(LAST_DAY, "gpt-test, input_tokens", "13")], at=SECOND_BILL + timedelta(days=1)
    )
    with pytest.raises(ClosingError, match="not up to date, from 2026-10-30 to 2026-10-31"):
        copy.close("2026-11", datetime(2026, 12, 2, tzinfo=UTC))


def test_no_month_is_closed_while_a_source_is_being_pulled(copy: Installation) -> None:
    with (
        LandingStore(copy.settings.landing).pull("openai"),
        pytest.raises(ClosingError, match="openai is being pulled"),
    ):
        copy.close("2026-11", datetime(2026, 12, 2, tzinfo=UTC))


def test_a_file_that_was_changed_after_the_close_is_found(copy: Installation, tmp_path: Path) -> None:
    month = copy.settings.home / "closed" / "2026-10"
    file = month / "marts" / "unit_economics_by_tenant_day.parquet"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ClosingError, match=r"unit_economics_by_tenant_day\.parquet is missing or was changed"):
        replay(copy.settings, month / "receipt.json", tmp_path / "replayed", build=copy.as_known)


# -- FOCUS ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def focus(story: Story) -> FocusExport:
    return export_month(story.installation.settings, "2026-10", story.folder / "focus")


def test_a_focus_export_keeps_every_rule_and_is_the_bill(story: Story, focus: FocusExport) -> None:
    assert check_export(focus.folder) == []
    assert focus.billed_cost_usd == Decimal("28.300000000001")
    assert focus.unbilled_requests_count == 0
    by_tenant = duckdb.sql(
        f"select Tags->>'tenant_id', x_UnattributedReason, sum(BilledCost), sum(ConsumedQuantity) "
        f"from '{focus.folder}/CostAndUsage.parquet' where x_Provider = 'openai' group by all order by 1 nulls last"
    ).fetchall()
    assert by_tenant == [
        ("acme", None, Decimal("11.7"), Decimal(6000)),
        ("globex", None, Decimal("3.9"), Decimal(2000)),
        (None, "unlogged_usage", Decimal("3.900000000001"), Decimal(2)),
    ]


def test_requests_without_a_bill_are_no_charges(story: Story, tmp_path: Path) -> None:
    september = export_month(story.installation.settings, "2026-09", tmp_path)
    assert (september.rows_count, september.unbilled_requests_count) == (0, 2)


def test_the_csv_says_what_the_parquet_says(focus: FocusExport) -> None:
    written = duckdb.read_csv(str(focus.folder / "CostAndUsage.csv"), all_varchar=True)
    parquet = duckdb.read_parquet(str(focus.folder / "CostAndUsage.parquet"))
    columns = "cast(BilledCost as varchar), Tags, SkuPriceId, cast(ListUnitPrice as varchar), InvoiceId"
    assert sorted(written.select(columns).fetchall(), key=repr) == sorted(parquet.select(columns).fetchall(), key=repr)
    header, first = (focus.folder / "BillingPeriod.csv").read_text().splitlines()[:2]
    assert header.startswith("BillingPeriodCreated,BillingPeriodEnd")
    assert first == "2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,2026-11-01T23:00:00Z,2026-10-01T00:00:00Z,Closed,AWS"


def test_the_invoice_that_a_bill_names_is_exported_with_it(focus: FocusExport) -> None:
    details = duckdb.read_parquet(str(focus.folder / "InvoiceDetail.parquet"))
    columns = "InvoiceDetailId, BillingAccountId, InvoiceIssuerName, BilledCost"
    assert details.select(columns).order("InvoiceDetailId").fetchall() == [
        ("inv-7/Credit", "111122223333", "AWS", Decimal("-0.2")),
        ("inv-7/Tax", "111122223333", "AWS", Decimal("0.3")),
        ("inv-7/Usage", "111122223333", "AWS", Decimal("8.7")),
    ]
    invoiced = duckdb.sql(
        f"select InvoiceDetailId, sum(BilledCost) from '{focus.folder}/CostAndUsage.parquet' "
        "where InvoiceId is not null group by all order by all"
    ).fetchall()
    assert invoiced == details.select("InvoiceDetailId, BilledCost").order("InvoiceDetailId").fetchall()


def test_a_bill_in_focus_is_split_and_explained_like_any_other(story: Story) -> None:
    company = story.installation.company
    (call,) = company.query("select * from marts.fct_llm_requests where provider = 'aws.bedrock'")
    assert (call["billed_cost_usd"], call["cost_basis"]) == (Decimal("1.8"), "billed")
    reasons = company.query(
        "select reason, amount_usd from marts.unattributed_cost_by_provider_day where provider = 'aws.bedrock'"
    )
    assert {row["reason"]: row["amount_usd"] for row in reasons} == {
        "unlogged_usage": Decimal("1.2"),
        "unmapped_line_item": Decimal("0.7"),
        "tax": Decimal("0.3"),
        "credit": Decimal("-0.2"),
        "priority_or_commitment": Decimal(5),
    }
