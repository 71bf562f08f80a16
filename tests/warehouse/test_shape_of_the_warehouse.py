"""What must hold for every relation: exact money, stored semantics, plans that read a day and not the history."""

from __future__ import annotations

import re
from datetime import date

import pytest
from harness import Company

DAILY = (
    "int_llm_requests__attributed",
    "int_llm_requests__weighed",
    "int_usages__keyed",
    "int_charges__keyed",
    "int_billing_claims__matched",
    "int_charges__allocated",
    "int_billed_prices__pivoted",
    "int_billed_remainders__placed",
    "int_tenant_hours__summed",
    "fct_operations",
    "fct_outcomes",
    "fct_provider_charges",
    "fct_provider_usage",
    "llm_usage_by_tenant_feature_model_day",
    "operations_by_tenant_feature_day",
    "outcomes_by_tenant_feature_day",
    "usage_quality_by_source_day",
)

# A quotient is the last thing computed and stands beside its exact numerator and denominator.
RATIOS = re.compile(r"^cost_per_\w+_usd$")

COLUMNS = """
    select table_schema || '.' || table_name as relation, column_name, data_type
    from information_schema.columns
    where table_schema in ('staging', 'intermediate', 'marts', 'alerts')
"""


@pytest.fixture(scope="module")
def columns(empty_company: Company) -> list[tuple[str, str, str]]:
    return [(row["relation"], row["column_name"], row["data_type"]) for row in empty_company.query(COLUMNS)]


def test_no_float_touches_money(columns: list[tuple[str, str, str]]) -> None:
    """Promise 2, N1: every column in dollars is a decimal of twelve places; a price per unit has twelve places too."""
    money = [column for column in columns if column[1].endswith("_usd") and not RATIOS.match(column[1])]
    assert len(money) > 100
    assert [column for column in money if column[2] != "DECIMAL(38,12)"] == []
    prices = [column for column in columns if column[1].endswith("_usd_per_unit") or column[1] == "usd_per_unit"]
    assert len(prices) > 10
    assert {column[2] for column in prices} == {"DECIMAL(18,12)"}


def test_only_quotients_thresholds_and_durations_are_floats(columns: list[tuple[str, str, str]]) -> None:
    floats = {name for _, name, kind in columns if kind in ("DOUBLE", "FLOAT")}
    # release_impacts holds quotients of several kinds in one column.
    of_releases = r"^value_(before|after)|^adjusted_change(_low|_high)?"
    quotients = r"_ms|_rate|_share|coverage|estimate_error|^share_of_\w+|_per_\w+"
    of_rules = r"^observed|^threshold|^baseline|^floor_value|^noise_deviations"
    allowed = re.compile(rf"({quotients}|{of_rules}|{of_releases})$")
    assert {name for name in floats if not allowed.search(name)} == set()


def test_what_input_includes_is_a_stored_column(columns: list[tuple[str, str, str]]) -> None:
    """Promise 8."""
    where = {relation for relation, name, _ in columns if name == "input_includes_cache"}
    assert where >= {
        "staging.stg_llm_request_log__requests",
        "staging.stg_litellm__requests",
        "staging.stg_otel_genai__spans",
        "marts.fct_llm_requests",
    }


@pytest.fixture(scope="module")
def plans(empty_company: Company, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The plan of every daily model for one day, of the SQL that a run of that day compiled."""
    company = empty_company.copy(tmp_path_factory.mktemp("plans") / "company")
    day, until = date(2026, 10, 1), date(2026, 10, 2)
    window = ("--event-time-start", day.isoformat(), "--event-time-end", until.isoformat())
    results = company.dbt("run", "--select", *DAILY, *window)
    with company.connect() as connection:
        connection.execute("set disabled_optimizers = 'build_side_probe_side,common_subplan'")
        explained = {
            result.node.name: connection.execute(f"explain {result.node.compiled_code}").fetchall()
            for result in results
        }
    return {name: rows[0][1] for name, rows in explained.items()}


@pytest.mark.parametrize("model", DAILY)
def test_no_join_of_a_daily_model_compares_every_row_with_every_row(plans: dict[str, str], model: str) -> None:
    assert "BLOCKWISE_NL_JOIN" not in plans[model]
    assert "NESTED_LOOP_JOIN" not in plans[model]
