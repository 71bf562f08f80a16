"""The oracle: what the providers bill is what was used, at the list prices, to the last digit."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from story import Story

from orchestration.sample_company.attempts import draw_attempts
from orchestration.sample_company.catalog import MODEL_IDS, PROVIDER_NAMES, PROVIDER_OF_MODEL, Provider, Tier
from orchestration.sample_company.company import build_company
from orchestration.sample_company.incidents import plan_incidents
from orchestration.sample_company.ledger import exact_sums
from orchestration.sample_company.operations import DAY_MS, Demand, draw_operations
from orchestration.sample_company.prices import LIST_USD_PER_MTOK, TokenClass, list_usd_per_mtok

CLASSES = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
UNLOGGED = "proj_data_science"


def _reported(story: Story, provider: str) -> dict[str, dict[str, int]]:
    """Return tokens by day and class as the usage reports state them, without the uninstrumented service."""
    days: dict[str, dict[str, int]] = {}
    for day, reports in story.bills[provider]["days"].items():
        sums = dict.fromkeys(CLASSES, 0)
        for row in reports.get("completions", []):
            if row["project_id"] != UNLOGGED:
                sums["input_uncached"] += row["input_uncached_tokens"]
                sums["cache_read"] += row["input_cached_tokens"]
                sums["output"] += row["output_tokens"]
                assert row["input_tokens"] == row["input_uncached_tokens"] + row["input_cached_tokens"]
        for row in reports.get("embeddings", []):
            sums["input_uncached"] += row["input_tokens"]
        for row in reports.get("messages", []):
            sums["input_uncached"] += row["uncached_input_tokens"]
            sums["cache_read"] += row["cache_read_input_tokens"]
            sums["cache_write_5m"] += row["cache_creation"]["ephemeral_5m_input_tokens"]
            sums["cache_write_1h"] += row["cache_creation"]["ephemeral_1h_input_tokens"]
            sums["output"] += row["output_tokens"]
        days[day] = sums
    return days


def test_reported_usage_is_what_was_served_to_the_token(story: Story) -> None:
    options = story.manifest.options
    company = build_company(options)
    plan = plan_incidents(options, company)
    demand = Demand(options, company, plan)
    served: dict[str, dict[str, dict[str, int]]] = {"openai": defaultdict(_zeros), "anthropic": defaultdict(_zeros)}
    for number in range(options.days):
        ops = draw_operations(demand, number, 0, 1)
        attempts = draw_attempts(ops, plan, options, day=number, part=0)
        nobody = ~attempts.served & ~attempts.cached_response
        assert not attempts.tokens[nobody].any()
        assert not attempts.output[nobody].any()
        days = attempts.start_ms // DAY_MS
        for day in set(days.tolist()):
            for provider in (Provider.OPENAI, Provider.ANTHROPIC):
                rows = attempts.served & (days == day) & (attempts.provider == provider)
                sums = served[PROVIDER_NAMES[provider]][(date(1970, 1, 1) + timedelta(days=day)).isoformat()]
                for index, name in enumerate(CLASSES[:4]):
                    sums[name] += int(attempts.tokens[rows, index].sum())
                sums["output"] += int(attempts.output[rows].sum())
    assert _reported(story, "openai") == served["openai"]
    assert _reported(story, "anthropic") == served["anthropic"]


def _zeros() -> dict[str, int]:
    return dict.fromkeys(CLASSES, 0)


def test_logs_never_know_more_than_the_providers(story: Story) -> None:
    logged = story.rows(
        """select provider, cast(day as varchar), sum(fresh), sum(coalesce(cached, 0)), sum(coalesce(written, 0)),
          sum(coalesce(output, 0))
        from (select distinct * from lines)
        where has_usage and response_cache_hit is null and provider in ('openai', 'anthropic') group by 1, 2"""
    )
    share: dict[str, list[int]] = {"openai": [0, 0], "anthropic": [0, 0]}
    for provider, day, fresh, cached, written, output in logged:
        reported = _reported(story, provider)[day]
        assert fresh <= reported["input_uncached"]
        assert cached <= reported["cache_read"]
        assert written <= reported["cache_write_5m"] + reported["cache_write_1h"]
        assert output <= reported["output"]
        share[provider][0] += fresh + cached + written + output
        share[provider][1] += sum(reported.values())
    assert all(0.93 < known / all_of_it < 1.0 for known, all_of_it in share.values())


def test_every_openai_line_is_tokens_at_the_price_of_its_day(story: Story) -> None:
    cut = date.fromisoformat(story.incident("price_cut")["first_date"])
    meters = {"input_tokens": 0, "cached_input_tokens": 1, "output_tokens": 4}
    tiers = {"": Tier.STANDARD, "batch": Tier.BATCH, "flex": Tier.FLEX}
    lines = 0
    for day, reports in story.bills["openai"]["days"].items():
        for line in reports["costs"]:
            if line["quantity"] is None:
                assert line["line_item"].startswith("Service credit")
                continue
            model, meter, *tier = line["line_item"].split(", ")
            price = list_usd_per_mtok(
                PROVIDER_MODELS[model],
                TokenClass(meters[meter]),
                tiers["".join(tier)],
                date.fromisoformat(day),
                cut,
            )
            assert price is not None
            assert Decimal(line["amount"]) == line["quantity"] * price / 1_000_000
            lines += 1
    assert lines > 1_000


PROVIDER_MODELS: dict[str, Any] = {MODEL_IDS[model]: model for model in LIST_USD_PER_MTOK}


def test_every_anthropic_line_is_cents_eight_percent_below_list(story: Story) -> None:
    reported = {
        (day, row["workspace_id"], row["model"], row["service_tier"]): row
        for day, reports in story.bills["anthropic"]["days"].items()
        for row in reports["messages"]
    }
    paths = {
        "uncached_input_tokens": ("uncached_input_tokens",),
        "cache_read_input_tokens": ("cache_read_input_tokens",),
        "cache_creation.ephemeral_5m_input_tokens": ("cache_creation", "ephemeral_5m_input_tokens"),
        "cache_creation.ephemeral_1h_input_tokens": ("cache_creation", "ephemeral_1h_input_tokens"),
        "output_tokens": ("output_tokens",),
    }
    classes = dict(zip(paths, TokenClass, strict=True))
    for day, reports in story.bills["anthropic"]["days"].items():
        for line in reports["costs"]:
            tokens: Any = reported[day, line["workspace_id"], line["model"], line["service_tier"]]
            for step in paths[line["token_type"]]:
                tokens = tokens[step]
            tier = Tier[line["service_tier"].upper()]
            price = list_usd_per_mtok(
                PROVIDER_MODELS[line["model"]], classes[line["token_type"]], tier, date.fromisoformat(day), None
            )
            assert price is not None
            exact_cents = tokens * price * Decimal("0.92") / 10_000
            assert abs(Decimal(line["amount"]) - exact_cents) <= Decimal("0.000005")
            assert Decimal(line["amount"]) == Decimal(line["amount"]).quantize(Decimal("1e-5"))


def test_who_caused_it_adds_up_to_what_was_used(story: Story) -> None:
    """The table by tenant and feature, and the totals by provider, are the same money at list price."""
    with (story.manifest.root / "truth" / "cost_by_tenant_feature_day.csv").open() as file:
        rows = list(csv.DictReader(file))
    by_tenant = sum((Decimal(row["list_cost_usd"]) for row in rows), Decimal(0))
    by_provider = sum(
        (Decimal(entry["list_cost_usd"] or 0) for days in story.truth["providers"].values() for entry in days.values()),
        Decimal(0),
    )
    assert by_provider - by_tenant == Decimal(story.incident("uninstrumented_service")["billed_usd"])
    assert sum(int(row["attempts"]) for row in rows) == story.truth["counts"]["attempts"]


def test_stated_bills_are_the_sums_of_their_lines(story: Story) -> None:
    for provider, cents in (("openai", 1), ("anthropic", 100)):
        for day, reports in story.bills[provider]["days"].items():
            total = sum((Decimal(line["amount"]) for line in reports["costs"]), Decimal(0)) / cents
            assert Decimal(story.truth["providers"][provider][day]["billed_usd"]) == total


@pytest.mark.parametrize("model", list(LIST_USD_PER_MTOK), ids=lambda model: model.name.lower())
def test_the_price_table_agrees_with_a_public_one(model: Any) -> None:
    provider = PROVIDER_NAMES[PROVIDER_OF_MODEL[model]]
    million = 1_000_000
    usages = {
        TokenClass.INPUT: Usage(input_tokens=million),
        TokenClass.CACHE_READ: Usage(input_tokens=million, cache_read_tokens=million),
        TokenClass.CACHE_WRITE_5M: Usage(input_tokens=million, cache_write_tokens=million),
        TokenClass.OUTPUT: Usage(output_tokens=million),
    }
    for token_class, usage in usages.items():
        price = list_usd_per_mtok(model, token_class, Tier.STANDARD, date(2026, 9, 15), None)
        if price is None:
            continue
        # In pieces, as a single request of a million tokens would reach a long-context tier.
        small = Usage(**{
            name: value // 100 for name, value in vars(usage).items() if isinstance(value, int)
        })  # fmt: skip
        public = calc_price(small, model_ref=MODEL_IDS[model], provider_id=provider).total_price * 100
        assert public == price


def test_sums_are_exact_beyond_what_a_float_holds() -> None:
    import numpy as np  # noqa: PLC0415 (one test)

    values = np.array([2**60 + 1, 2**60 + 3, 5], dtype=np.int64)
    assert exact_sums(np.array([0, 0, 1]), values, 2) == [2**61 + 4, 5]
