"""What the real client's calls cost in the marts is what their provider's own count comes to."""

from __future__ import annotations

from decimal import Decimal

from company import Company
from real_inputs import cost_usd, published
from test_real_openai_client import LandedClient, answered

# USD a million tokens, in and out, by https://openai.com/api/pricing on 2026-11-01.
PRICES = {
    "gpt-4.1": ("2.00", "8.00"),
    "gpt-4.1-mini": ("0.40", "1.60"),
    "text-embedding-3-small": ("0.02", "0"),
}


def test_each_call_costs_what_the_provider_counted(spans: Company, real_client: LandedClient) -> None:
    """`openai-v2` 2.4b0 puts no cached tokens on its spans: the list price of all input is the estimate."""
    expected = []
    for call in answered(real_client.counted)[:5]:
        if call.http_status == 200:
            price_in, price_out = PRICES[call.model]
            expected.append(cost_usd((call.input_tokens or 0, price_in), (call.output_tokens or 0, price_out)))
    found = published(spans, "client", "list_cost_usd, price_status, effective_cost_usd, cost_basis")
    assert [row[0] for row in found if row[1] == "priced"] == expected
    assert all(cost > 0 for cost in expected)
    assert all(row[2] == row[0] for row in found)
    assert {row[3] for row in found if row[1] == "priced"} == {"estimated"}


def test_a_call_whose_usage_nobody_told_has_no_cost_and_a_refused_one_is_not_free_by_guess(
    spans: Company, real_client: LandedClient
) -> None:
    """A stream without `include_usage` was counted by the provider, so 0 would be wrong."""
    assert (real_client.counted[-1].input_tokens or 0) > 0
    found = published(spans, "client", "outcome, list_cost_usd, price_status")
    assert found[-1] == ("success", None, "usage_unknown")
    refused = [row for row in found if row[0] == "error"]
    assert len(refused) == 1
    assert refused[0][1] in (None, Decimal(0))
