"""The book in git, held against figures that were computed elsewhere: the providers' pages and `pitfalls`."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rows import moment

from orchestration.pricebook.book import PriceBook
from orchestration.pricebook.pricing import price_usage

M = 1_000_000


def cost(
    book: PriceBook,
    provider: str,
    name: str,
    usage: dict[str, int],
    at: str = "2026-11-20",
    *,
    tier: str = "standard",
) -> Decimal | None:
    model = book.resolve(provider, name)
    assert model is not None, f"{provider} {name} has no price"
    return price_usage(book, provider, model, usage, at=moment(at), service_tier=tier).cost_usd


@pytest.mark.parametrize(
    ("name", "at", "tier", "expected"),
    [
        ("o3", "2025-06-09T23:59:00+00:00", "standard", "14"),
        ("o3", "2025-06-10T00:00:00+00:00", "standard", "2.8"),
        ("gpt-5", "2026-11-20", "standard", "2.25"),
        ("gpt-5", "2026-11-20", "flex", "1.125"),
        ("gpt-5", "2026-11-20", "batch", "1.125"),
    ],
)
def test_golden_openai(shipped: PriceBook, name: str, at: str, tier: str, expected: str) -> None:
    usage = {"input": M, "output": 100_000}
    assert cost(shipped, "openai", name, usage, at, tier=tier) == Decimal(expected)


def test_c9_cache_writes_of_five_minutes_and_of_an_hour_have_their_own_prices(shipped: PriceBook) -> None:
    usage = {"input": 2_000, "cache_read": 6_000, "output": 500}
    name = "claude-sonnet-4-5-20250929"
    assert cost(shipped, "anthropic", name, {**usage, "cache_write_5m": 2_000}) == Decimal("0.0228")
    assert cost(shipped, "anthropic", name, {**usage, "cache_write_1h": 2_000}) == Decimal("0.0273")
    mixed = {**usage, "cache_write_5m": 1_000, "cache_write_1h": 1_000}
    assert cost(shipped, "anthropic", name, mixed) == Decimal("0.02505")


def test_c1_a_cache_write_is_not_charged_as_input_too(shipped: PriceBook) -> None:
    usage = {"input": 3, "cache_write_5m": 12_304, "output": 550}
    assert cost(shipped, "anthropic", "claude-3-7-sonnet-20250219", usage) == Decimal("0.054399")


def test_c18_cache_writes_cost_where_the_provider_charges_them(shipped: PriceBook) -> None:
    written, plain = {"cache_write_30m": M}, {"input": M}
    sol = "gpt-5.6-sol"
    assert cost(shipped, "openai", sol, {"cache_write_30m": 1_000}) == Decimal("0.005")
    assert cost(shipped, "openai", sol, {"input": 1_000}) == Decimal("0.004")
    assert cost(shipped, "openai", "gpt-4o", written) == cost(shipped, "openai", "gpt-4o", plain)


def test_t2_gemini_on_the_threshold_and_one_token_above(shipped: PriceBook) -> None:
    assert cost(shipped, "gcp.gemini", "gemini-2.5-pro", {"input": 200_000, "output": 1_000}) == Decimal("0.260")
    above = {"input": 200_001, "output": 1_000}
    assert cost(shipped, "gcp.gemini", "gemini-2.5-pro", above) == Decimal("0.5150025")


def test_t4_a_long_context_price_that_was_removed_holds_for_requests_before(shipped: PriceBook) -> None:
    usage = {"input": 300_000}
    assert cost(shipped, "anthropic", "claude-sonnet-4-6", usage, "2026-03-12T23:59:59+00:00") == Decimal("1.8")
    assert cost(shipped, "anthropic", "claude-sonnet-4-6", usage, "2026-03-13T00:00:00+00:00") == Decimal("0.9")


def test_t6_no_long_context_price_above_a_window_that_never_was(shipped: PriceBook) -> None:
    usage = {"input": 300_000}
    assert cost(shipped, "anthropic", "claude-opus-4-5", usage) == Decimal("1.5")


def test_h1_an_old_month_keeps_its_price_after_the_cut(shipped: PriceBook) -> None:
    usage = {"input": M, "output": M}
    assert cost(shipped, "openai", "gpt-5.6-sol", {"input": 1_000, "output": 1_000}, "2026-08-20") == Decimal("0.035")
    assert cost(shipped, "openai", "gpt-5.6-sol", {"input": 1_000, "output": 1_000}, "2026-08-21") == Decimal("0.024")
    assert cost(shipped, "openai", "gpt-5.6-sol", usage, "2026-08-20") == Decimal("55")  # long context: 10 + 45


def test_h3_an_introductory_price_ends_without_a_human(shipped: PriceBook) -> None:
    usage = {"input": M, "output": M}
    assert cost(shipped, "gcp.gemini", "gemini-3.7-flash", usage, "2026-12-31T23:59:59+00:00") == Decimal("4.5")
    assert cost(shipped, "gcp.gemini", "gemini-3.7-flash", usage, "2027-01-01T00:00:00+00:00") == Decimal("9")


def test_v1_flex_and_batch_were_half_price_before_somebody_verified_it(shipped: PriceBook) -> None:
    usage = {"input": M, "output": 100_000}
    for tier in ("flex", "batch"):
        assert cost(shipped, "openai", "gpt-5", usage, "2026-01-15", tier=tier) == Decimal("1.125")
    assert cost(shipped, "anthropic", "claude-sonnet-4-5", {"input": 100_000}, "2026-01-15", tier="batch") == Decimal(
        "0.15"
    )


def test_v4_fast_and_priority_are_different_tiers(shipped: PriceBook) -> None:
    usage = {"input": M, "output": 100_000}
    assert cost(shipped, "anthropic", "claude-opus-5", usage, tier="standard") == Decimal("7.5")
    assert cost(shipped, "anthropic", "claude-opus-5", usage, tier="fast") == Decimal("15")
    assert cost(shipped, "anthropic", "claude-opus-5", usage, tier="priority") == Decimal("7.5")


def test_v5_a_batch_discount_takes_tokens_and_cache_and_not_the_search_fee(shipped: PriceBook) -> None:
    usage = {"input": 1_000, "cache_read": 1_000, "output": 10, "web_search": 3}
    standard = cost(shipped, "anthropic", "claude-sonnet-4-5", usage)
    batch = cost(shipped, "anthropic", "claude-sonnet-4-5", usage, tier="batch")
    assert standard is not None
    assert batch == Decimal("0.03") + (standard - Decimal("0.03")) / 2


def test_g1_a_regional_bedrock_profile_costs_a_tenth_more_than_the_global_one(shipped: PriceBook) -> None:
    usage = {"input": M, "output": M}
    in_europe = cost(shipped, "aws.bedrock", "eu.anthropic.claude-opus-4-8", usage)
    anywhere = cost(shipped, "aws.bedrock", "global.anthropic.claude-opus-4-8", usage)
    assert (in_europe, anywhere) == (Decimal(33), Decimal(30))
    arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-8"
    assert cost(shipped, "aws.bedrock", arn, usage) == in_europe


def test_f1_web_searches_are_billed_apiece(shipped: PriceBook) -> None:
    usage = {"input": 1_000, "output": 10, "web_search": 3}
    assert cost(shipped, "anthropic", "claude-sonnet-4-5", usage) == Decimal("0.03315")


def test_f3_a_search_costs_by_the_generation_of_the_model(shipped: PriceBook) -> None:
    assert cost(shipped, "gcp.gemini", "gemini-2.5-pro", {"web_search": 1_000}) == Decimal(35)
    assert cost(shipped, "gcp.gemini", "gemini-3.7-flash", {"web_search": 1_000}) == Decimal(14)


def test_f9_audio_is_not_text(shipped: PriceBook) -> None:
    assert cost(shipped, "openai", "gpt-4o-audio-preview", {"input": M}) == Decimal("2.5")
    assert cost(shipped, "openai", "gpt-4o-audio-preview", {"input_audio": M}) == Decimal(40)
    assert cost(shipped, "openai", "gpt-realtime", {"output_audio": M}) == Decimal(64)


def test_f10_embeddings_and_reranks_have_a_price(shipped: PriceBook) -> None:
    assert cost(shipped, "openai", "text-embedding-3-small", {"input": M}) == Decimal("0.02")
    assert cost(shipped, "cohere", "rerank-v3.5", {"rerank_search": 1_000}) == Decimal("2")
    assert cost(shipped, "cohere", "embed-v4.0", {"input": M}) == Decimal("0.12")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-4", "gpt-4"),
        ("gpt-4.1", "gpt-4.1"),
        ("gpt-4.1-2025-04-14", "gpt-4.1"),
        ("openai/gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-4.2", None),
        ("gpt-4o-2024-05", None),
        ("my-gpt-4o", None),
    ],
)
def test_m3_m4_a_name_is_exact_and_a_snapshot_with_its_own_price_is_its_own_model(
    shipped: PriceBook, name: str, model: str | None
) -> None:
    assert shipped.resolve("openai", name) == model


def test_m3_a_new_generation_does_not_fall_to_an_old_one(shipped: PriceBook) -> None:
    usage = {"input": M, "output": M}
    assert cost(shipped, "anthropic", "claude-opus-5", usage) == Decimal(30)
    assert cost(shipped, "anthropic", "claude-opus-4-20250514", usage) == Decimal(90)


def test_m8_a_model_costs_what_its_host_charges(shipped: PriceBook) -> None:
    usage = {"input": M, "output": M}
    assert cost(shipped, "openai", "gpt-oss-120b", usage) == Decimal("0.219")
    assert cost(shipped, "groq", "openai/gpt-oss-120b", usage) == Decimal("0.75")
    assert cost(shipped, "aws.bedrock", "openai.gpt-oss-120b-1:0", usage) == Decimal("0.75")


def test_m8_azure_charges_its_own_price_where_one_is_known(shipped: PriceBook) -> None:
    usage = {"input": M}
    assert cost(shipped, "azure.ai.inference", "deepseek-v4-pro", usage) == Decimal("1.74")
    assert cost(shipped, "azure.ai.openai", "gpt-4o", usage) == cost(shipped, "openai", "gpt-4o", usage)


def test_h4_the_cancelled_rise_of_sonnet_5_is_not_in_the_book(shipped: PriceBook) -> None:
    usage = {"input": M, "output": M}
    assert cost(shipped, "anthropic", "claude-sonnet-5", usage, "2026-08-31") == Decimal(12)
    assert cost(shipped, "anthropic", "claude-sonnet-5", usage, "2026-11-20") == Decimal(12)


def test_a_cut_takes_the_cache_price_with_it(shipped: PriceBook) -> None:
    assert cost(shipped, "openai", "o3", {"cache_read": M}, "2025-06-09") == Decimal("2.5")
    assert cost(shipped, "openai", "o3", {"cache_read": M}, "2025-06-10") == Decimal("0.5")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-07-01T02:00:00+00:00", "0.435"),
        ("2026-09-01T02:00:00+00:00", "1.32"),
        ("2026-09-01T05:00:00+00:00", "0.66"),
        ("2026-09-01T06:00:00+00:00", "1.32"),
        ("2026-09-01T10:00:00+00:00", "0.66"),
    ],
)
def test_deepseek_has_peak_hours_since_they_began(shipped: PriceBook, at: str, expected: str) -> None:
    assert cost(shipped, "deepseek", "deepseek-v4-pro", {"input": M}, at) == Decimal(expected)


def test_every_row_of_the_sample_sources_is_marked_with_where_it_comes_from(shipped: PriceBook) -> None:
    for row in shipped.rows:
        assert row.source_version
        assert row.source_url.startswith("https://"), row.price_id
        assert row.captured_on is not None
        assert row.source != "litellm" or "undated" in row.note.split()
