"""What each API's own usage object means: the same disjoint classes and the same cost, whatever the shape.

Nothing is built: from the landed line to its price everything is a view.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from harness import Company, moment, request

DAY = date(2026, 10, 1)


class Case(NamedTuple):
    """A logged line and what must be made of it; counts that are not named must be 0."""

    line: dict[str, Any]
    expected: dict[str, Any]
    list_cost_usd: str | None
    usage_warning: str | None = None


def raw(api: str, provider: str, model: str, usage: dict[str, Any], **columns: Any) -> dict[str, Any]:
    """A line with the provider's usage object, and flat counts that must not be read."""
    flat = {"input_tokens": 999_999, "output_tokens": 999_999}
    return flat | {"usage_api": api, "usage": json.dumps(usage), "provider": provider, "model": model} | columns


def anthropic(usage: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return raw("anthropic.messages", "anthropic", "claude-test-20260101", usage, **columns)


def openai_chat(usage: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return raw("openai.chat", "openai", "gpt-test", usage, **columns)


def openai_responses(usage: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return raw("openai.responses", "openai", "gpt-test", usage, **columns)


def gemini(usage: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return raw("gemini.generate_content", "gcp.gemini", "gemini-test", usage, **columns)


def bedrock(usage: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return raw("bedrock.converse", "bedrock", "nova-test", usage, **columns)


def cohere(model: str, usage: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return raw("cohere", "cohere", model, usage, **columns)


CASES = {
    # LiteLLM #9812: $0.091311 when the cache write is charged again as input.
    "C1_anthropic_input_excludes_the_cache": Case(
        anthropic({"input_tokens": 3, "cache_creation_input_tokens": 12304, "output_tokens": 550}),
        {"input_tokens": 12307, "input": 3, "cache_write_5m": 12304, "output": 550},
        "0.054399",
    ),
    "C9_C11_anthropic_retentions_are_parts_of_the_sum": Case(
        anthropic(
            {
                "input_tokens": 100,
                "cache_read_input_tokens": 1000,
                "cache_creation_input_tokens": 700,
                "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 200},
                "output_tokens": 10,
            }
        ),
        {
            "input_tokens": 1800,
            "input": 100,
            "cache_read": 1000,
            "cache_write_5m": 500,
            "cache_write_1h": 200,
            "output": 10,
        },
        "0.003825",
    ),
    # What was asked for stands in the column; Anthropic's answer says in its usage what was served.
    "V2_anthropic_says_the_served_tier_and_place_in_its_usage": Case(
        anthropic(
            {"input_tokens": 1000, "output_tokens": 0, "service_tier": "batch", "inference_geo": "us"},
            service_tier="auto",
        ),
        {"input_tokens": 1000, "input": 1000, "service_tier": "batch", "inference_geo": "us"},
        "0.003",
    ),
    "V4_speed_is_another_axis_than_the_tier_beside_it": Case(
        anthropic(
            {"input_tokens": 1000, "output_tokens": 0, "service_tier": "standard", "speed": "fast"},
            service_tier="standard",
        ),
        {"input_tokens": 1000, "input": 1000, "service_tier": "fast", "inference_geo": None},
        "0.003",
    ),
    "V4_priority_is_not_fast": Case(
        anthropic(
            {
                "input_tokens": 1000,
                "output_tokens": 0,
                "service_tier": "priority",
                "speed": "standard",
                "inference_geo": "not_available",
            }
        ),
        {"input_tokens": 1000, "input": 1000, "service_tier": "priority", "inference_geo": None},
        "0.003",
    ),
    "a_tier_that_nobody_knows_is_unpriced": Case(
        openai_chat({"prompt_tokens": 1000, "completion_tokens": 0}, service_tier="warp"),
        {"input_tokens": 1000, "input": 1000, "service_tier": "warp", "price_status": "unpriced_model"},
        None,
    ),
    "F1_anthropic_searches": Case(
        anthropic({"input_tokens": 10, "output_tokens": 0, "server_tool_use": {"web_search_requests": 3}}),
        {"input_tokens": 10, "input": 10, "web_search_requests": Decimal(3)},
        "0.03003",
    ),
    "C4_openai_input_includes_the_cache": Case(
        openai_chat(
            {
                "prompt_tokens": 2006,
                "completion_tokens": 300,
                "total_tokens": 2306,
                "prompt_tokens_details": {"cached_tokens": 1920},
                "completion_tokens_details": {"reasoning_tokens": 256},
            }
        ),
        {"input_tokens": 2006, "input": 86, "cache_read": 1920, "output": 300},
        "0.003532",
    ),
    "C19_an_extra_key_changes_nothing": Case(
        openai_chat(
            {
                "prompt_tokens": 2006,
                "completion_tokens": 300,
                "prompt_tokens_details": {"cached_tokens": 1920},
                "input_tokens": 2006,
                "cost": 1.5,
            }
        ),
        {"input_tokens": 2006, "input": 86, "cache_read": 1920, "output": 300},
        "0.003532",
    ),
    "C17_nothing_cached_is_not_everything_unknown": Case(
        openai_chat({"prompt_tokens": 100, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}}),
        {"input_tokens": 100, "input": 100},
        "0.0002",
    ),
    "R2_responses_output_includes_reasoning": Case(
        openai_responses(
            {
                "input_tokens": 75,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": 1186,
                "output_tokens_details": {"reasoning_tokens": 1024},
                "total_tokens": 1261,
            }
        ),
        {"input_tokens": 75, "input": 75, "output": 1186},
        "0.009638",
    ),
    "C9_responses_writes_by_retention": Case(
        openai_responses(
            {
                "input_tokens": 1000,
                "input_tokens_details": {
                    "cached_tokens": 100,
                    "cache_write_tokens": 300,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 200, "ttl_12h_tokens": 100},
                },
                "output_tokens": 0,
            }
        ),
        {"input_tokens": 1000, "input": 600, "cache_read": 100, "cache_write_30m": 200, "cache_write_12h": 100},
        "0.002",
    ),
    "F10_embeddings_have_no_output": Case(
        raw("openai.embeddings", "openai", "embed-test", {"prompt_tokens": 5000, "total_tokens": 5000}),
        {"input_tokens": 5000, "input": 5000},
        "0.0001",
    ),
    # LiteLLM #14849: $0.7642 when cached input is charged in full; the thread's output makes up the difference.
    "C3_gemini_input_includes_the_cache": Case(
        gemini({"promptTokenCount": 262960, "cachedContentTokenCount": 257955, "candidatesTokenCount": 743}),
        {"input_tokens": 262960, "input": 5005, "cache_read": 257955, "output": 743},
        "0.184879375",
    ),
    "R1_R3_gemini_thoughts_and_tool_prompts_are_outside": Case(
        gemini(
            {
                "promptTokenCount": 1000,
                "toolUsePromptTokenCount": 50,
                "candidatesTokenCount": 100,
                "thoughtsTokenCount": 900,
                "totalTokenCount": 2050,
            }
        ),
        {"input_tokens": 1050, "input": 1050, "output": 1000},
        "0.017625",
    ),
    "R1_gemini_that_only_thought": Case(
        gemini({"promptTokenCount": 1000, "thoughtsTokenCount": 900, "totalTokenCount": 1900}),
        {"input_tokens": 1000, "input": 1000, "output": 900},
        "0.016",
    ),
    "C15_bedrock_total_holds_the_cache_that_input_excludes": Case(
        bedrock({"inputTokens": 14, "cacheWriteInputTokens": 1546, "outputTokens": 85, "totalTokens": 1645}),
        {"input_tokens": 1560, "input": 14, "cache_write_5m": 1546, "output": 85},
        "0.0019",
    ),
    "C15_a_total_that_nothing_explains_is_flagged_and_not_priced": Case(
        openai_chat({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 500}),
        {"input_tokens": 100, "input": 100, "output": 10},
        "0.00028",
        "total_differs_from_classes",
    ),
    "cohere_bills_units_not_tokens": Case(
        cohere(
            "command-test", {"billed_units": {"input_tokens": 20, "output_tokens": 5}, "tokens": {"input_tokens": 80}}
        ),
        {"input_tokens": 20, "input": 20, "output": 5},
        "0.00003",
    ),
    "F10_rerank_by_the_search": Case(
        cohere("rerank-test", {"billed_units": {"search_units": 2}}, operation_name="rerank"),
        {"input_tokens": None, "input": None, "output": None, "cache_read": None, "rerank_units": Decimal(2)},
        "0.004",
    ),
    "flat_counts_include_everything": Case(
        {"input_tokens": 1000, "cache_read_tokens": 400, "cache_write_5m_tokens": 100, "output_tokens": 10},
        {"input_tokens": 1000, "input": 500, "cache_read": 400, "cache_write_5m": 100, "output": 10},
        "0.00153",
    ),
    "F12_X3_a_usage_object_without_counts_is_unknown": Case(
        openai_chat({}),
        {"input_tokens": None, "input": None, "output": None, "cache_read": None},
        None,
        "usage_missing",
    ),
    "C13_completion_is_never_derived_from_the_total": Case(
        openai_chat({"prompt_tokens": 442, "total_tokens": 8709}),
        {"input_tokens": 442, "input": 442, "output": None},
        None,
        "total_differs_from_classes",
    ),
    "a_negative_count_is_unknown": Case(
        openai_chat({"prompt_tokens": -5, "completion_tokens": 10}),
        {"input_tokens": None, "input": None, "output": 10, "cache_read": None},
        None,
        "impossible_count",
    ),
    "a_count_of_2_to_63_is_unknown": Case(
        openai_chat({"prompt_tokens": 2**63, "completion_tokens": 10}),
        {"input_tokens": None, "input": None, "output": 10, "cache_read": None},
        None,
        "usage_missing",
    ),
    "the_largest_64_bit_count_is_unknown": Case(
        anthropic({"input_tokens": 2**63 - 1, "cache_read_input_tokens": 2**63 - 1, "output_tokens": 10}),
        {"input_tokens": None, "input": None, "output": 10, "cache_read": None},
        None,
        "impossible_count",
    ),
    "an_api_that_is_not_known_is_read_by_its_flat_counts_and_flagged": Case(
        {"usage_api": "somebody.else", "usage": '{"tokens": 1}', "input_tokens": 100, "output_tokens": 10},
        {"input_tokens": 100, "input": 100, "output": 10},
        "0.00028",
        "unknown_usage_api",
    ),
    # promptTokens and outputTokens of another shape than the named API: unknown, never guessed.
    "C7_the_wrong_shape_for_its_api_is_unknown": Case(
        anthropic({"prompt_tokens": 100, "completion_tokens": 10}),
        {"input_tokens": None, "input": None, "output": None, "cache_read": None},
        None,
        "usage_missing",
    ),
    # F9: audio and images by Gemini's lists of modalities; what is cached of them is cached first.
    "F9_gemini_by_modality": Case(
        gemini(
            {
                "promptTokenCount": 1000,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 300},
                    {"modality": "AUDIO", "tokenCount": 600},
                    {"modality": "VIDEO", "tokenCount": 100},
                ],
                "cachedContentTokenCount": 200,
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 200}],
                "candidatesTokenCount": 100,
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 100}],
            }
        ),
        {
            "input_tokens": 1000,
            "input": 400,
            "input_audio": 400,
            "cache_read": 200,
            "output": 100,
            "other_usage": {
                "input_video": 100,
                "cache_read_audio": 200,
                "cache_read_image": None,
                "output_image": 100,
                "output_video": None,
            },
        },
        # 300 text and 100 video x $2.50, 400 audio x $5, 200 cached audio x $1, 100 image x $30 a million.
        "0.0062",
    ),
    "F9_openai_realtime_cached_audio": Case(
        raw(
            "openai.realtime",
            "openai",
            "gpt-test",
            {
                "total_tokens": 1100,
                "input_tokens": 1000,
                "output_tokens": 100,
                "input_token_details": {
                    "text_tokens": 400,
                    "audio_tokens": 600,
                    "cached_tokens": 300,
                    "cached_tokens_details": {"text_tokens": 100, "audio_tokens": 200},
                },
                "output_token_details": {"text_tokens": 40, "audio_tokens": 60},
            },
        ),
        {
            "input_tokens": 1000,
            "input": 300,
            "input_audio": 400,
            "cache_read": 300,
            "output": 40,
            "output_audio": 60,
            "other_usage": {"cache_read_audio": 200, "cache_read_image": None},
        },
        "0.00235",
    ),
    "F10_openai_images_are_output_tokens": Case(
        raw("openai.images", "openai", "gpt-test", {"input_tokens": 50, "output_tokens": 4160, "total_tokens": 4210}),
        {"input_tokens": 50, "input": 50, "output": 4160, "other_usage": {"output_image": 4160}},
        "0.03338",
    ),
    "F10_openai_transcription_by_the_second": Case(
        raw("openai.transcriptions", "openai", "whisper-test", {"type": "duration", "seconds": 12.5}),
        {"input_tokens": None, "input": None, "output": None, "cache_read": None, "audio_seconds": Decimal("12.5")},
        "0.00125",
    ),
    "F10_mistral_pages": Case(
        raw("mistral.ocr", "mistral_ai", "ocr-test", {"pages_processed": 3, "doc_size_bytes": 1}),
        {"input_tokens": None, "input": None, "output": None, "cache_read": None, "other_usage": {"page": 3}},
        "0.012",
    ),
    "usage_by_the_classes_of_the_price_book": Case(
        raw(
            "usage_classes",
            "openai",
            "gpt-test",
            {"input": 100, "cache_read": 50, "cache_write_1h": 10, "output": 10, "reasoning": 5, "file_search": 2},
        ),
        {
            "input_tokens": 160,
            "input": 100,
            "cache_read": 50,
            "cache_write_1h": 10,
            "output": 15,
            "reasoning_tokens": 5,
            "other_usage": {
                "input": 100,
                "cache_read": 50,
                "cache_write_1h": 10,
                "output": 10,
                "reasoning": 5,
                "file_search": 2,
            },
        },
        "0.00537",
    ),
    "V1_V2_batch_by_the_tier_that_was_served": Case(
        openai_chat({"prompt_tokens": 1000, "completion_tokens": 0}, service_tier="BATCH"),
        {"input_tokens": 1000, "input": 1000},
        "0.001",
    ),
    "V2_auto_is_what_was_asked_for_not_what_was_served": Case(
        openai_chat({"prompt_tokens": 1000, "completion_tokens": 0}, service_tier="auto"),
        {"input_tokens": 1000, "input": 1000},
        "0.002",
    ),
}

CLASSES = [
    *("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_30m", "cache_write_12h", "output"),
    *("input_audio", "output_audio"),
]


@pytest.fixture(scope="module")
def priced(empty_company: Company, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    company = empty_company.copy(tmp_path_factory.mktemp("usage") / "company")
    # One second apart, so that the row of a case can be told by its request id alone.
    lines = [request(moment(DAY), **case.line) | {"request_id": name} for name, case in CASES.items()]
    company.land("llm_requests", lines)
    rows = company.query("select * from intermediate.int_llm_requests__priced")
    return {row["request_id"]: row for row in rows}


@pytest.mark.parametrize("name", CASES)
def test_usage_is_read_as_its_api_means_it(priced: dict[str, dict[str, Any]], name: str) -> None:
    case, row = CASES[name], priced[name]
    expected = {f"{usage_class}_class_tokens": 0 for usage_class in CLASSES}
    for key, value in case.expected.items():
        expected[f"{key}_class_tokens" if key in CLASSES else key] = value
    if row["other_usage"] is not None:
        row = row | {"other_usage": json.loads(row["other_usage"])}
    if row["output_tokens"] is None:
        expected |= {"output_class_tokens": None, "output_audio_class_tokens": None}
    if row["input_tokens"] is None:
        # Without a total none of its parts is known.
        expected |= {column: None for column in expected if column.startswith(("input", "cache"))}
    assert {column: row[column] for column in expected} == expected
    assert row["usage_warning"] == case.usage_warning
    assert row["list_cost_usd"] == (None if case.list_cost_usd is None else Decimal(case.list_cost_usd))


def test_what_input_means_is_stored_on_every_row(priced: dict[str, dict[str, Any]]) -> None:
    excludes = {name for name, row in priced.items() if not row["input_includes_cache"]}
    assert excludes == {name for name, case in CASES.items() if case.line.get("usage_api", "")[:4] in ("anth", "bedr")}
