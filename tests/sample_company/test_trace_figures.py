"""The fitted figures are those of the public traces; collected only where copies of them lie beside the project."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.sample_company import figures

TRACES = Path(__file__).parents[3] / "shared" / "traces"

AZURE = "azure_2023/AzureLLMInferenceTrace_{}.csv"
MOONCAKE = "mooncake_fast25/conversation_trace.jsonl"
RAGPULSE = "ragpulse/0_trace.jsonl"


@pytest.mark.parametrize(
    ("file", "column", "fit"),
    [
        (AZURE.format("code"), "ContextTokens", figures.AZURE_CODE_INPUT),
        (AZURE.format("code"), "GeneratedTokens", figures.AZURE_CODE_OUTPUT),
        (AZURE.format("conv"), "ContextTokens", figures.AZURE_CONVERSATION_INPUT),
        (AZURE.format("conv"), "GeneratedTokens", figures.AZURE_CONVERSATION_OUTPUT),
        (MOONCAKE, "input_length", figures.MOONCAKE_CONVERSATION_INPUT),
        (MOONCAKE, "output_length", figures.MOONCAKE_CONVERSATION_OUTPUT),
        (RAGPULSE, "input_length", figures.RAGPULSE_INPUT),
        (RAGPULSE, "output_length", figures.RAGPULSE_OUTPUT),
        ("ragpulse/4_user_input.jsonl", "token_length", figures.RAGPULSE_QUESTION),
    ],
)
def test_lengths(file: str, column: str, fit: figures.LogNormal) -> None:
    mu, sigma = duckdb.sql(
        f"select avg(ln({column})), stddev_pop(ln({column})) from '{TRACES / file}' where {column} > 0"
    ).fetchall()[0]
    assert (mu, sigma) == pytest.approx((fit.mu, fit.sigma), abs=0.0006)


def test_hours() -> None:
    counts = duckdb.sql(
        f"""select hours from (
          select cast(floor(cast("timestamp" as double) / 3600) as bigint) % 24 as hour, count(*) as hours
          from '{TRACES / RAGPULSE}' group by 1
        ) order by hour"""
    ).fetchall()
    mean = sum(count for (count,) in counts) / 24
    assert [round(count / mean, 2) for (count,) in counts] == pytest.approx(figures.RAGPULSE_HOURS, abs=0.011)


def test_turns() -> None:
    (turns,) = duckdb.sql(f"select count(*) / count(distinct session_id) from '{TRACES / RAGPULSE}'").fetchall()[0]
    assert turns == pytest.approx(figures.RAGPULSE_TURNS_PER_SESSION, abs=0.001)
