"""From genai-prices and LiteLLM's map to rows: names, tiers, and what one source may add to the other."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices import types
from genai_prices.data import providers
from rows import moment

from orchestration.pricebook import fallback, genai_source, litellm_source, names
from orchestration.pricebook.book import EVER, AliasRow, PriceBook, PriceKey
from orchestration.pricebook.timeline import Listing, Span

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def genai() -> Listing:
    return genai_source.read()


def prices(listing: Listing, *key: str | int) -> list[tuple[str, str]]:
    return [
        (f"{span.start:%Y-%m-%d}", f"{span.price.normalize():f}")
        for span in listing.spans[PriceKey(*key)]  # type: ignore[arg-type]
    ]


def test_every_price_of_every_model_is_in_the_listing(genai: Listing) -> None:
    """Counted from the package's side: no price key of any model may be forgotten."""
    same = genai_source.SAME_AS_OTHER_KEY
    for provider in providers:
        for model in provider.models:
            conditions = (
                model.prices if isinstance(model.prices, list) else [types.ConditionalPrice(prices=model.prices)]
            )
            for condition in conditions:
                for price_key, price in vars(condition.prices).items():
                    usage_class = genai_source.PRICE_KEYS[same.get(price_key, price_key)][0]
                    if price is None:
                        continue
                    for name in genai_source.book_providers(provider, model.id):
                        classes = (
                            genai_source.default_write_classes(name, model.id)
                            if usage_class == "cache_write"
                            else [usage_class]
                        )
                        for one_class in classes:
                            assert PriceKey(name, model.id.lower(), one_class) in genai.spans


def test_a_tier_that_starts_when_it_was_verified_is_carried_back_to_the_price_it_accompanies(
    genai: Listing,
) -> None:
    assert prices(genai, "openai", "o3", "input") == [("1970-01-01", "10"), ("2025-06-10", "2")]
    assert prices(genai, "openai", "o3", "input", "flex") == [("2025-06-10", "1"), ("2026-10-12", "1")]
    extended, verified = genai.spans[PriceKey("openai", "o3", "input", "flex")]
    assert (extended.note, verified.note) == ("tier_extended", "")


def test_a_dated_tier_is_not_carried_back_beyond_its_own_history(genai: Listing) -> None:
    assert prices(genai, "gcp.gemini", "gemini-3.8-flash", "input", "batch") == [
        ("1970-01-01", "0.375"),
        ("2026-10-14", "0.375"),
        ("2027-01-01", "0.75"),
    ]


def test_a_variant_that_overrides_nothing_says_that_the_tier_costs_the_same(genai: Listing) -> None:
    assert genai.spans[PriceKey("openai", "gpt-3.5-turbo-1106", "input", "batch")][-1].price == 1


def test_the_price_of_most_of_the_day_holds_all_day_and_the_rest_has_a_window(genai: Listing) -> None:
    assert prices(genai, "deepseek", "deepseek-chat", "input") == [("1970-01-01", "0.27")]
    assert prices(genai, "deepseek", "deepseek-chat", "input", "standard", 0, "", "16:30", "00:30") == [
        ("1970-01-01", "0.135")
    ]


def test_one_list_serves_two_platforms_and_claude_is_on_one_of_them(genai: Listing) -> None:
    assert PriceKey("gcp.gemini", "gemini-2.5-pro", "input") in genai.spans
    assert PriceKey("gcp.vertex_ai", "gemini-2.5-pro", "input") in genai.spans
    assert PriceKey("gcp.vertex_ai", "claude-opus-5", "input") in genai.spans
    assert PriceKey("gcp.gemini", "claude-opus-5", "input") not in genai.spans


def test_a_model_that_azure_serves_at_another_providers_price_says_whose(genai: Listing) -> None:
    (span,) = genai.spans[PriceKey("azure.ai.openai", "gpt-4o", "input")]
    assert (span.price, span.note) == (Decimal("2.5"), "as_at_openai")
    assert PriceKey("azure.ai.openai", "gpt-4o", "input", "batch") not in genai.spans


def test_an_entry_without_a_price_is_free_only_when_it_says_so(genai: Listing) -> None:
    assert genai.spans[PriceKey("openai", "moderation", "input")][0].price == 0
    assert PriceKey("github-copilot", "gpt-4o", "input") not in genai.spans


def test_every_alias_of_genai_prices_resolves_there_to_the_same_model(shipped: PriceBook) -> None:
    by_name = {name: provider for provider in providers for name in genai_source.book_providers(provider)}
    compared = 0
    for row in shipped.aliases:
        if row.source != "genai-prices" or row.note == "prefix":
            continue
        model = by_name[row.provider].find_model(row.alias, all_providers=providers)
        assert model is not None, row
        assert model.id.lower() == row.model, row
        compared += 1
    assert compared > 1500


def test_no_alias_hides_a_model_and_none_names_an_unpriced_one(shipped: PriceBook) -> None:
    models = {(row.key.provider, row.key.model) for row in shipped.rows}
    for row in shipped.aliases:
        assert (row.provider, row.alias) not in models
        assert (row.provider, row.model) in models


def test_a_borrowed_model_has_its_names_at_the_borrower_too() -> None:
    row = AliasRow("azure.ai.openai", "gpt-4o-2024-11-20", "gpt-4o", "genai-prices", "")
    spelled = names.spelled_out()
    assert row in spelled
    assert not any(row.provider == "gcp.gemini" and "claude" in row.alias for row in spelled)


def test_names_are_prefixed_once() -> None:
    aliases = [AliasRow("openai", "gpt-x-2026", "gpt-x", "manual", "")]
    first = list(names.prefixed({("openai", "gpt-x")}, aliases))
    assert {row.alias for row in first} == {"openai/gpt-x", "openai/gpt-x-2026"}
    assert list(names.prefixed({("openai", "gpt-x")}, [*aliases, *first])) == first


def test_a_humans_alias_survives_a_refresh() -> None:
    human = AliasRow("openai", "prod-chat", "gpt-4o", "manual", "our deployment")
    retired = AliasRow("openai", "gpt-old", "gpt-4", "genai-prices", "")
    generated = AliasRow("openai", "prod-chat", "gpt-4", "genai-prices", "")
    assert names.merge([human, retired], [generated]) == [human, retired]


# LiteLLM's map


def write_map(folder: Path, **entries: dict[str, Any]) -> Path:
    path = folder / "map.json"
    path.write_text(json.dumps({"sample_spec": {}, **entries}))
    return path


def entry(provider: str = "openai", **values: Any) -> dict[str, Any]:
    return {"litellm_provider": provider, "mode": "chat", **values}


def dated(model: str = "m", provider: str = "openai", **classes: str) -> Listing:
    listing = Listing("genai-prices", "1")
    for usage_class, price in classes.items():
        listing.spans[PriceKey(provider, model, usage_class)] = (
            Span(EVER, moment("2026-01-01"), Decimal(price) * 2),
            Span(moment("2026-01-01"), None, Decimal(price), is_dated=True),
        )
    return listing


def added(folder: Path, listing: Listing, **entries: dict[str, Any]) -> fallback.Fallback:
    return fallback.choose(litellm_source.read(write_map(folder, **entries), "1"), listing, NOW)


def test_a_float_of_the_map_becomes_the_decimal_that_is_written_there(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text('{"sample_spec": {}, "m": {"litellm_provider": "openai", "input_cost_per_token": 1.12497e-06}}')
    (found,) = litellm_source.read(path).entries
    assert found.prices == {("input", "standard", 0): Decimal("1.12497")}


def test_the_keys_of_the_map_say_class_tier_and_context(tmp_path: Path) -> None:
    path = write_map(
        tmp_path,
        m=entry(
            input_cost_per_token=2e-6,
            input_cost_per_token_above_272k_tokens_batches=2e-6,
            cache_creation_input_token_cost_above_1hr_above_200k_tokens=12e-6,
            output_cost_per_token_priority=9e-6,
            cache_creation_input_token_cost=2.5e-6,
            output_cost_per_image_token_batches=1e-6,
            output_cost_per_token=0,
            search_context_cost_per_query={"search_context_size_low": 0.01, "search_context_size_high": 0.01},
            input_cost_per_query=0.002,
            max_input_tokens=1000,
        ),
    )
    (found,) = litellm_source.read(path).entries
    assert found.prices == {
        ("input", "standard", 0): Decimal(2),
        ("input", "batch", 272_000): Decimal(2),
        ("cache_write_1h", "standard", 200_000): Decimal(12),
        ("output", "priority", 0): Decimal(9),
        ("cache_write_30m", "standard", 0): Decimal("2.5"),
        ("output_image", "batch", 0): Decimal(1),
        ("web_search", "standard", 0): Decimal(10),
    }


def test_f10_a_rerank_is_priced_by_the_search(tmp_path: Path) -> None:
    rerank = entry("cohere", mode="rerank", input_cost_per_query=0.002)
    (found,) = litellm_source.read(write_map(tmp_path, **{"rerank-x": rerank})).entries
    assert found.prices == {("rerank_search", "standard", 0): Decimal(2)}


@pytest.mark.parametrize(
    ("key", "provider", "name", "region"),
    [
        ("azure/eu/GPT-4o", "azure", "gpt-4o", "eu"),
        ("bedrock/us-gov-west-1/amazon.nova-pro-v1:0", "bedrock", "amazon.nova-pro-v1:0", "us-gov-west-1"),
        ("gemini/gemini-9", "gemini", "gemini-9", ""),
        ("gpt-9", "openai", "gpt-9", ""),
    ],
)
def test_a_key_of_the_map_names_model_and_region(
    tmp_path: Path, key: str, provider: str, name: str, region: str
) -> None:
    (found,) = litellm_source.read(write_map(tmp_path, **{key: entry(provider, input_cost_per_token=1e-6)})).entries
    assert (found.name, found.region) == (name, region)


@pytest.mark.parametrize(
    ("key", "provider"),
    [
        ("1024-x-1024/dall-e-9", "openai"),
        ("hd/1024-x-1792/dall-e-9", "openai"),
        ("bedrock/us-east-1/1-month-commitment/anthropic.claude-v9", "bedrock"),
        ("together-ai-up-to-4b", "together_ai"),
        ("gpt-9", "some_gateway"),
    ],
)
def test_what_names_no_model_of_a_provider_is_left_out(tmp_path: Path, key: str, provider: str) -> None:
    path = write_map(tmp_path, **{key: entry(provider, input_cost_per_token=1e-6)})
    assert litellm_source.read(path).entries == ()


def test_a_wheel_carries_the_map_and_its_version(tmp_path: Path) -> None:
    wheel = tmp_path / "litellm-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(write_map(tmp_path, m=entry(input_cost_per_token=1e-6)), f"litellm/{litellm_source.MAP_NAME}")
    found = litellm_source.read(wheel)
    assert (found.version, len(found.entries)) == ("1.2.3", 1)


@pytest.mark.parametrize("text", ["{", "[]", '{"gpt-9": {}}'])
def test_a_file_that_is_no_price_map_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"map\.json: not "):
        litellm_source.read(path)


def test_an_unknown_model_comes_in_whole_and_undated(tmp_path: Path) -> None:
    found = added(tmp_path, dated(input="2"), **{"gpt-new-thing": entry(input_cost_per_token=1e-6)})
    ((key, (span,)),) = found.listing.spans.items()
    assert key == PriceKey("openai", "gpt-new-thing", "input")
    assert (span.start, span.end, span.price, span.note) == (EVER, None, Decimal(1), "undated")


def test_a_known_model_gets_what_it_lacks_since_its_present_price_began(tmp_path: Path) -> None:
    found = added(
        tmp_path,
        dated(input="2", output="8"),
        m=entry(
            input_cost_per_token=2e-6,
            output_cost_per_token=8e-6,
            input_cost_per_token_batches=1e-6,
            cache_read_input_token_cost=0.2e-6,
            input_cost_per_audio_token=2e-6,
        ),
    )
    assert {(key.usage_class, key.service_tier): span.price for key, (span,) in found.listing.spans.items()} == {
        ("input", "batch"): Decimal(1),
        ("cache_read", "standard"): Decimal("0.2"),
    }
    assert {span.start for (span,) in found.listing.spans.values()} == {moment("2026-01-01")}
    assert found.disagreements == []


def test_m11_a_source_that_disagrees_completes_nothing_and_is_reported(tmp_path: Path) -> None:
    found = added(
        tmp_path,
        dated(input="2", output="8"),
        m=entry(input_cost_per_token=2e-6, output_cost_per_token=9e-6, input_cost_per_token_batches=1e-6),
    )
    assert found.listing.spans == {}
    assert [(d.usage_class, d.price, d.other_price) for d in found.disagreements] == [
        ("output", Decimal(8), Decimal(9))
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_the_entry_under_a_models_own_name_comes_before_its_aliases(tmp_path: Path, genai: Listing, order: int) -> None:
    gpt5 = {"input_cost_per_token": 1.25e-6, "output_cost_per_token": 10e-6}
    entries = {
        "gpt-5": entry(**gpt5, input_cost_per_audio_token=7e-6),
        "gpt-5-2025-08-07": entry(**gpt5, input_cost_per_audio_token=9e-6),
    }
    found = added(tmp_path, genai, **dict(list(entries.items())[::order]))
    assert found.listing.spans[PriceKey("openai", "gpt-5", "input_audio")][0].price == 7


def test_g4_a_regional_price_is_a_price_of_the_model_and_not_a_name(tmp_path: Path, genai: Listing) -> None:
    regional = entry("azure", input_cost_per_token=2.75e-6)
    found = added(tmp_path, genai, **{"azure/eu/gpt-4o-2024-11-20": regional})
    assert found.aliases == []
    ((key, (span,)),) = found.listing.spans.items()
    assert (key.model, key.region, span.price) == ("gpt-4o", "eu", Decimal("2.75"))


def test_m8_a_hosts_own_price_comes_before_that_of_another_host(tmp_path: Path) -> None:
    listing = dated(provider="azure.ai.inference", input="2", output="8")
    listing.borrowed.add(("azure.ai.inference", "m"))
    at_azure = entry("azure_ai", input_cost_per_token=3e-6, output_cost_per_token=8e-6)
    found = added(tmp_path, listing, **{"azure_ai/m": at_azure})
    assert found.displaced == {("azure.ai.inference", "m")}
    assert {key.usage_class: span.price for key, (span,) in found.listing.spans.items()} == {
        "input": Decimal(3),
        "output": Decimal(8),
    }
    assert [d.usage_class for d in found.disagreements] == ["input"]

    at_azure["input_cost_per_token"] = 2e-6
    found = added(tmp_path, listing, **{"azure_ai/m": at_azure})
    assert (found.displaced, found.listing.spans) == (set(), {})


def test_m8_an_owned_price_is_not_displaced(tmp_path: Path) -> None:
    listing = dated(provider="azure.ai.inference", input="2", output="8")
    found = added(tmp_path, listing, **{"azure_ai/m": entry("azure_ai", input_cost_per_token=3e-6)})
    assert (found.displaced, found.listing.spans) == (set(), {})


def test_m4_a_guessed_snapshot_is_the_same_model_only_at_the_same_price(tmp_path: Path, genai: Listing) -> None:
    found = added(
        tmp_path,
        genai,
        **{
            "gpt-4o-realtime-preview-2031-01-01": entry(input_cost_per_token=5e-6, output_cost_per_token=20e-6),
            "gpt-4o-realtime-preview-2032-01-01": entry(input_cost_per_token=7e-6, output_cost_per_token=20e-6),
        },
    )
    assert [(row.alias, row.model) for row in found.aliases] == [
        ("gpt-4o-realtime-preview-2031-01-01", "gpt-4o-realtime-preview")
    ]
    assert {key.model for key in found.listing.spans} == {"gpt-4o-realtime-preview-2032-01-01"}


def test_m4_two_guesses_that_differ_in_one_class_are_two_models(tmp_path: Path, genai: Listing) -> None:
    text = {"input_cost_per_token": 5e-6, "output_cost_per_token": 20e-6}
    found = added(
        tmp_path,
        genai,
        **{
            "gpt-4o-realtime-preview-2031-01-01": entry(**text, input_cost_per_video_token=1e-6),
            "gpt-4o-realtime-preview-2032-01-01": entry(**text, input_cost_per_video_token=3e-6),
        },
    )
    assert found.aliases == []
    assert len({key.model for key in found.listing.spans}) == 2


def test_m5_a_price_that_no_token_ever_had_is_left_out_and_said(tmp_path: Path) -> None:
    found = added(
        tmp_path,
        dated(input="2"),
        **{"gpt-new": entry(input_cost_per_token=3.2e-3, output_cost_per_token=1e-10)},
    )
    assert found.listing.spans == {}
    assert len(found.listing.remarks) == 2


def test_xais_long_context_begins_at_the_threshold(tmp_path: Path) -> None:
    grok = entry("xai", input_cost_per_token=1e-6, input_cost_per_token_above_200k_tokens=2e-6)
    found = added(tmp_path, dated(input="2"), **{"xai/grok-new": grok})
    assert sorted(key.context_from_tokens for key in found.listing.spans) == [0, 199_999]


def test_g2_multipliers_are_kept_apart_from_prices(tmp_path: Path) -> None:
    claude = entry("anthropic", input_cost_per_token=5e-6, provider_specific_entry={"us": 1.1, "fast": 2, "hint": "x"})
    found = added(tmp_path, dated(input="2"), **{"claude-new": claude})
    assert {(m.dimension, m.value, m.multiplier) for m in found.multipliers} == {
        ("inference_geo", "us", Decimal("1.1")),
        ("speed", "fast", Decimal(2)),
    }
