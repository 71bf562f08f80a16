"""The report shows what the marts hold, to the cent, and nothing in a name can touch the terminal."""

import io
import re
import unicodedata
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text
from toy_warehouse import ToyWarehouse, model

from orchestration.publishing.errors import NotPublishedError
from orchestration.publishing.publish import publish
from orchestration.report import number, percent, print_report, safe_text, usd, usd_each

HOSTILE = "[bold red]acme[/] \x1b[2J\x1b]8;;http://x\x07 \u202egnp\nline\r\t[/nothing]"

MEASURES = """attempts_count bigint, unpriced_attempts_count bigint, input_tokens bigint, output_tokens bigint,
  effective_cost_usd decimal(38, 12), estimated_cost_usd decimal(38, 12)"""

TABLES = [
    "create table marts.fct_llm_requests (usage_date date, request_key varchar)",
    f"""create table marts.unit_economics_by_feature_day (usage_date date, feature varchar, {MEASURES},
      operations_count bigint, accepted_outcomes_count bigint)""",
    f"""create table marts.unit_economics_by_tenant_day (usage_date date, tenant_id varchar, {MEASURES},
      customer_name varchar, plan_name varchar)""",
    f"create table marts.unit_economics_by_model_day (usage_date date, provider varchar, model varchar, {MEASURES})",
    """create table marts.unattributed_cost_by_provider_day (usage_date date, provider varchar, reason varchar,
      amount_usd decimal(38, 12), what_to_do varchar)""",
    """create table marts.alerts (alert_rule varchar, severity varchar, usage_date date, scope_kind varchar,
      scope_id varchar, observed double, threshold double, unit varchar)""",
]

ROWS = [
    "insert into marts.fct_llm_requests values ('2026-01-01', 'a'), ('2026-01-02', 'b')",
    """insert into marts.unit_economics_by_feature_day values
      ('2026-01-01', 'drafts', 10, 0, 100, 10, 1000.004999999999, 0.5, 8, 3),
      ('2026-01-02', 'drafts', 10, 0, 100, 10, 500.125, 0, 4, 1),
      ('2026-01-01', 'indexing', 7, 7, 0, 0, null, null, 7, 0),
      ('2026-01-01', 'search', 5, 2, 50, 5, 0.0421, 0.0421, 5, 0)""",
    """insert into marts.unattributed_cost_by_provider_day values
      ('2026-01-01', 'openai', 'unlogged_usage', 12.5, 'Instrument the service.'),
      ('2026-01-02', 'openai', 'unlogged_usage', 12.5, 'Instrument the service.'),
      ('2026-01-02', 'anthropic', 'credit', -40, 'Nothing.')""",
    """insert into marts.unit_economics_by_model_day values
      ('2026-01-01', 'openai', 'gpt-5-mini', 25, 0, 200, 20, 1500.129999999999, 0),
      ('2026-01-01', 'openai', 'nobody-knows', 7, 7, 0, 0, null, null)""",
]


@pytest.fixture
def company(tmp_path: Path) -> ToyWarehouse:
    toy = ToyWarehouse.__new__(ToyWarehouse)
    toy.open(tmp_path)
    toy.models = [
        model(sql.split("marts.")[1].split()[0], event_time="usage_date" if "fct" in sql else None) for sql in TABLES
    ]
    toy.write_manifest()
    toy.execute("create schema marts", *TABLES, *ROWS)
    return toy


def report(toy: ToyWarehouse, width: int = 200) -> str:
    publish(toy.path, toy.published, toy.manifest, None)
    output = io.StringIO()
    print_report(toy.published, Console(file=output, width=width, force_terminal=True, color_system="truecolor"))
    return output.getvalue()


def lines_with(text: str, *words: str) -> list[list[str]]:
    """The cells of every table row that begins with these words; an empty cell is no cell."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in plain(text).splitlines()]
    return [row for row in rows if row[: len(words)] == list(words)]


def plain(text: str) -> str:
    return Text.from_ansi(text).plain


def test_spend_and_unit_costs_are_summed_over_days(company):
    text = report(company)
    spend, unit = lines_with(text, "drafts")
    assert spend == ["drafts", "$1,500.13", "100.0%", "$1,499.63", "20", "0"]
    assert unit == ["drafts", "$375.0325", "$125.0108", "$1,500.13", "4", "12"]
    assert lines_with(text, "total")[0] == ["total", "≥$1,500.17", "$1,499.63", "32", "9"]


def test_nothing_accepted_has_no_ratio_and_shows_its_spend(company):
    _, unit = lines_with(report(company), "search")
    assert unit == ["search", "–", "≥$0.0084", "≥$0.0421", "0", "5"]


def test_unknown_cost_is_not_shown_as_free(company):
    text = report(company)
    assert lines_with(text, "indexing")[0] == ["indexing", "unknown", "–", "unknown", "7", "7"]
    assert lines_with(text, "openai / nobody-knows") == [["openai / nobody-knows", "unknown", "7", "0.0", "0.0", "7"]]


def test_what_no_request_takes_is_shown_by_reason_credits_too(company):
    text = report(company)
    assert lines_with(text, "anthropic", "credit") == [["anthropic", "credit", "-$40.00", "1", "Nothing."]]
    assert lines_with(text, "openai", "unlogged_usage")[0][2:4] == ["$25.00", "2"]
    assert ["total", "-$15.00"] in lines_with(text, "total")


def test_ten_tenants_are_named_and_the_others_summed(company):
    for number_ in range(13):
        company.execute(
            f"insert into marts.unit_economics_by_tenant_day values ('2026-01-01', 't{number_:02}', 2, "
            f"{1 if number_ == 2 else 0}, 1, 1, {number_}, 0, 'Customer {number_}', 'pro')"
        )
    text = report(company)
    assert [row[0] for row in lines_with(text) if row[0].startswith("t") and row[0][1:].isdigit()] == [
        f"t{number_:02}" for number_ in range(12, 2, -1)
    ]
    assert lines_with(text, "3 others") == [["3 others", "≥$3.00", "3.8%", "6"]]
    assert ["total", "≥$78.00", "26"] in lines_with(text, "total")


def test_a_rule_shows_its_newest_and_worst_breach(company):
    company.execute(
        """insert into marts.alerts values
        ('tenant_spend_spike', 'warn', '2026-01-01', 'tenant', 'old', 900, 1, 'USD a day'),
        ('tenant_spend_spike', 'warn', '2026-01-02', 'tenant', 'mild', 30, 20, 'USD a day'),
        ('tenant_spend_spike', 'warn', '2026-01-02', 'tenant', 'worst', 80.5, 20, 'USD a day')"""
    )
    assert lines_with(report(company), "tenant_spend_spike") == [
        ["tenant_spend_spike", "warn", "3", "2026-01-02", "tenant worst: 80.5 above 20 USD a day"]
    ]


def test_hostile_names_are_shown_and_do_nothing(company):
    company.execute(
        "insert into marts.unit_economics_by_tenant_day values "
        f"('2026-01-01', '{HOSTILE}', 2, 0, 1, 1, 5, 0, '[link=http://x]c', null)",
        f"insert into marts.alerts values ('r', 'warn', '2026-01-01', 'tenant', '{HOSTILE}', 1, 0, '[red]')",
    )
    text = report(company, width=300)
    for harm in ("\x1b[2J", "\x1b]8", "\x07", "\u202e", "\r", "\t"):
        assert harm not in text
    for shown in ("[bold red]acme[/] \\x1b[2J\\x1b]8;;http", "[link=http://x]c", "[red]"):
        assert shown in plain(text)


def test_an_empty_warehouse_has_a_report(company):
    company.execute(*(f"delete from marts.{node['name']}" for node in company.models))
    text = report(company)
    assert "every bill that has arrived is taken" in plain(text)
    assert lines_with(text, "total")


def test_it_fits_a_narrow_terminal_without_losing_a_figure(company):
    tables = plain(report(company, width=80)).split("published as")[0]
    assert lines_with(tables, "drafts") == lines_with(report(company, width=200), "drafts")
    assert max(len(line) for line in tables.splitlines()[:-1]) <= 80


def test_it_says_where_to_look_next(company):
    text = plain(report(company))
    assert "2 attempts from 2026-01-01 to 2026-01-02, published as" in text
    assert "make ui" in text
    assert str(company.published / "marts.duckdb") in text


def test_before_the_first_publication_it_says_what_to_do(tmp_path):
    with pytest.raises(NotPublishedError, match="make run"):
        print_report(tmp_path)


@given(st.text())
def test_no_name_holds_a_character_that_moves_the_cursor(name):
    categories = {unicodedata.category(char) for char in safe_text(name).plain}
    assert categories.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert not safe_text(name).spans


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unknown"),
        ("0", "$0.00"),
        ("0.000000000001", "under $0.0001"),
        ("-0.00001", "over -$0.0001"),
        ("0.0421", "$0.0421"),
        ("-0.5", "-$0.5000"),
        ("1", "$1.00"),
        ("1234567.895", "$1,234,567.90"),
        ("-1000", "-$1,000.00"),
        ("12345678901234567890123456.785000000001", "$12,345,678,901,234,567,890,123,456.79"),
    ],
)
def test_money(amount, shown):
    assert usd(None if amount is None else Decimal(amount)) == shown


def test_ratios_of_nothing_are_dashes():
    assert usd_each(Decimal(5), 0) == usd_each(Decimal(5), None) == usd_each(Decimal(5), -1) == "–"
    assert usd_each(None, 5) == "unknown"
    assert usd_each(Decimal(-5), 2) == "-$2.5000"
    assert percent(Decimal(1), Decimal(0)) == percent(None, Decimal(1)) == "–"
    assert number(None) == "unknown"
    assert (number(0.05123), number(80.5), number(1234567.0)) == ("0.05123", "80.5", "1,234,567")
