"""Recordings of real emitters and a public trace, from file to mart; every total is worked out another way."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
from company import Company
from real_inputs import gateway_lines, published, trace_lines


def test_every_call_of_the_public_trace_costs_what_another_engine_says(spans: Company) -> None:
    expected: dict[tuple[str, str], list[Decimal | int]] = defaultdict(lambda: [0, 0, 0, Decimal(0)])
    for line in trace_lines():
        usage = genai_prices.Usage(input_tokens=line["input_tokens"], output_tokens=line["output_tokens"])
        moment = datetime.fromisoformat(line["ts"]).astimezone(UTC)
        price = genai_prices.calc_price(usage, line["model"], provider_id="openai", genai_request_timestamp=moment)
        total = expected[line["tenant_id"], line["model"]]
        for place, figure in enumerate((1, line["input_tokens"], line["output_tokens"], price.total_price)):
            total[place] += figure
    found: dict[tuple[str, str], list[Decimal | int]] = defaultdict(lambda: [0, 0, 0, Decimal(0)])
    columns = "tenant_id, model, input_tokens, output_tokens, list_cost_usd"
    for tenant, model, *figures in published(spans, "azure", columns):
        for place, figure in enumerate((1, *figures)):
            found[tenant, model][place] += figure
    assert found == expected
    assert sum(total[0] for total in found.values()) == 19_366


def test_every_call_that_litellm_logged_costs_what_litellm_said(spans: Company) -> None:
    """Cache reads, five-minute and one-hour writes included; the failed call has no known cost."""
    expected = {
        line["id"]: line["response_cost"].quantize(Decimal("1e-12"))
        for line in (json.loads(text, parse_float=Decimal) for text in gateway_lines())
        if line["status"] == "success"
    }
    found = published(spans, "gateway", "response_id, list_cost_usd, outcome")
    assert {row[0]: row[1] for row in found if row[2] == "success"} == expected
    assert sum(expected.values()) == Decimal("0.6217189")


def test_recorded_spans_cost_what_another_engine_says(spans: Company) -> None:
    found = published(spans, "recorded", "model, input_tokens, output_tokens, list_cost_usd, started_at")
    assert len(found) == 48
    for model, input_tokens, output_tokens, cost, started_at in found:
        usage = genai_prices.Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        price = genai_prices.calc_price(usage, model, provider_id="openai", genai_request_timestamp=started_at)
        assert cost == price.total_price
