"""From spans of a trace to one row per call to a model."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_lines import SCOPE, T0_NANO, chat, line, span

from orchestration.connectors.call_outcome import failed_call_outcome
from orchestration.connectors.genai_attributes import EmitterRule, provider_name
from orchestration.connectors.genai_spans import NOT_OWNED, BadSpanError, Call, TraceWindow, Vocabulary
from orchestration.connectors.otlp import spans_of_line

LATEST = datetime(2026, 11, 23, tzinfo=UTC)


def calls_of(*lines: str, vocabulary: Vocabulary | None = None) -> list[Call]:
    vocabulary = vocabulary or Vocabulary()
    traces = TraceWindow(vocabulary, LATEST)
    for number, text in enumerate(lines, 1):
        for found in spans_of_line(text, vocabulary.attribute_names) or ():
            traces.add(found, number)
    return [call for trace in traces.settle_all() for call in trace.standing]


def call_of(attributes: dict[str, Any], *, vocabulary: Vocabulary | None = None, **line_options: Any) -> Call:
    (call,) = calls_of(line([span(1, attributes)], **line_options), vocabulary=vocabulary)
    return call


def span_ids(calls: Iterable[Call]) -> list[int]:
    return sorted(int(call.span_id, 16) for call in calls)


# --- names -------------------------------------------------------------------------------------------------

OTEL_1_37 = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2025-08-07",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 180,
    "gen_ai.usage.cache_read.input_tokens": 1024,
    "gen_ai.usage.cache_write.input_tokens": 0,
    "gen_ai.usage.reasoning.output_tokens": 64,
}
OTEL_1_27 = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2025-08-07",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 180,
    "gen_ai.usage.cache_read.input_tokens": 1024,
    "gen_ai.usage.cache_creation.input_tokens": 0,
    "gen_ai.usage.reasoning_tokens": 64,
}
OTEL_1_26 = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2025-08-07",
    "gen_ai.usage.prompt_tokens": 1200,
    "gen_ai.usage.completion_tokens": 180,
    "gen_ai.usage.cache_read_input_tokens": 1024,
    "gen_ai.usage.cache_creation_input_tokens": 0,
    "gen_ai.usage.reasoning_tokens": 64,
}
OPENLLMETRY = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2025-08-07",
    "gen_ai.usage.prompt_tokens": 1200,
    "gen_ai.usage.completion_tokens": 180,
    "llm.usage.total_tokens": 1380,
    "gen_ai.usage.cache_read_input_tokens": 1024,
    "gen_ai.usage.cache_creation_input_tokens": 0,
    "llm.usage.reasoning_tokens": 64,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.request.model_name": "gpt-5",
    "llm.model_name": "gpt-5-2025-08-07",
    "llm.response.model_name": "gpt-5-2025-08-07",
    "llm.token_count.prompt": 1200,
    "llm.token_count.completion": 180,
    "llm.token_count.total": 1380,
    "llm.token_count.prompt_details.cache_read": 1024,
    "llm.token_count.prompt_details.cache_write": 0,
    "llm.token_count.completion_details.reasoning": 64,
}


@pytest.mark.parametrize(
    ("attributes", "generation"),
    [
        (OTEL_1_37, "otel_1_37"),
        (OTEL_1_27, "otel_1_27"),
        (OTEL_1_26, "otel_1_26"),
        (OPENLLMETRY, "openllmetry"),
        (OPENINFERENCE, "openinference"),
    ],
)
@pytest.mark.parametrize("spelled", [int, float, str])
def test_every_vocabulary_says_the_same_call(attributes: dict[str, Any], generation: str, spelled: type) -> None:
    sent = {name: spelled(inner) if isinstance(inner, int) else inner for name, inner in attributes.items()}
    call = call_of(sent)
    assert call.semconv_generation == generation
    assert (call.provider, call.model, call.request_model) == ("openai", "gpt-5-2025-08-07", "gpt-5")
    assert (call.input_tokens, call.output_tokens) == (1200, 180)
    assert (call.cache_read_tokens, call.cache_write_tokens, call.reasoning_tokens) == (1024, 0, 64)
    assert (call.operation_name, call.outcome, call.input_includes_cache) == ("chat", "success", True)
    assert call.usage_warning is None


def test_c17_a_sent_zero_wins_over_an_older_name_and_absent_stays_unknown() -> None:
    call = call_of(
        chat(
            100,
            10,
            **{
                "gen_ai.usage.cache_read.input_tokens": 0,
                "gen_ai.usage.cache_read_input_tokens": 90,
            },
        )
    )
    assert call.cache_read_tokens == 0
    assert call.cache_write_tokens is None


def test_x3_a_call_without_usage_lands_as_unknown_not_as_zero() -> None:
    call = call_of(chat(None, None))
    assert (call.input_tokens, call.output_tokens, call.input_includes_cache) == (None, None, None)


def test_c13_a_missing_part_is_not_derived_from_the_total() -> None:
    assert call_of(chat(100, None, **{"gen_ai.usage.total_tokens": 8809})).output_tokens is None


def test_r2_reasoning_is_inside_output_and_is_not_added_again() -> None:
    call = call_of(chat(100, 180, **{"gen_ai.usage.reasoning.output_tokens": 64}))
    assert (call.output_tokens, call.reasoning_tokens) == (180, 64)


def test_c15_a_total_above_its_parts_is_reported_and_not_priced() -> None:
    call = call_of(chat(100, 10, **{"gen_ai.usage.total_tokens": 150}))
    assert (call.output_tokens, call.usage_warning) == (10, "total_exceeds_parts")


@pytest.mark.parametrize(
    ("name", "sent", "reason"),
    [
        ("gen_ai.usage.input_tokens", "many", "wrong_type:input_tokens"),
        ("gen_ai.usage.input_tokens", 1.5, "wrong_type:input_tokens"),
        ("gen_ai.usage.input_tokens", "NaN", "wrong_type:input_tokens"),
        ("gen_ai.usage.input_tokens", True, "wrong_type:input_tokens"),
        ("gen_ai.usage.input_tokens", "9223372036854775808", "wrong_type:input_tokens"),
        ("gen_ai.usage.output_tokens", -1, "negative:output_tokens"),
        ("gen_ai.usage.cache_read.input_tokens", "-5", "negative:cache_read_tokens"),
    ],
)
def test_a_count_that_is_none_is_refused_by_name(name: str, sent: Any, reason: str) -> None:
    with pytest.raises(BadSpanError) as caught:
        call_of(chat(**{name: sent}))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "start_nano", [1_577_836_799_999_999_999, int(LATEST.timestamp() * 1e9) + 10**9, T0_NANO // 1000]
)
def test_a_start_before_2020_or_in_the_future_is_refused(start_nano: int) -> None:
    with pytest.raises(BadSpanError, match="timestamp_out_of_range"):
        calls_of(line([span(1, chat(), start_nano=start_nano)]))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("az.ai.openai", "azure.ai.openai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"),
        ("AWS", "aws.bedrock"),
        ("MistralAI", "mistral_ai"),
        ("anthropic", "anthropic"),
        ("my-gateway", "my-gateway"),
        ("Langchain", None),
        ("", None),
        (7, None),
    ],
)
def test_provider_values(written: Any, name: str | None) -> None:
    assert provider_name(written) == name


def test_a_frameworks_name_gives_way_to_the_next_alias() -> None:
    attributes = {**OPENINFERENCE, "gen_ai.system": "Langchain"}
    assert call_of(attributes).provider == "openai"


def test_the_served_tier_wins_and_auto_is_no_tier() -> None:
    asked = {"openai.request.service_tier": "auto"}
    assert call_of(chat(**asked)).service_tier is None
    assert call_of(chat(**asked, **{"openai.response.service_tier": "default"})).service_tier == "default"


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("gen_ai.response.time_to_first_chunk", 0.25),
        ("gen_ai.server.time_to_first_token", "x"),
        ("ai.response.msToFirstChunk", 250),
    ],
)
def test_times_are_milliseconds(name: str, sent: Any) -> None:
    call = call_of(chat(**{name: sent}))
    assert call.latency_ms == 1000.0
    assert call.time_to_first_token_ms == (None if sent == "x" else 250.0)


# --- what is a call -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "operation"),
    [
        ({"gen_ai.operation.name": "generate_content"}, "generate_content"),
        ({"gen_ai.operation.name": "text_completion"}, "text_completion"),
        ({"gen_ai.operation.name": "embeddings"}, "embeddings"),
        ({"llm.request.type": "completion"}, "text_completion"),
        ({"llm.request.type": "embedding"}, "embeddings"),
        ({"openinference.span.kind": "EMBEDDING"}, "embeddings"),
        ({"openinference.span.kind": "RERANKER"}, "rerank"),
        ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3}, "chat"),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 3}, None),
        ({"gen_ai.operation.name": "execute_tool"}, None),
        ({"gen_ai.operation.name": "fetch_response"}, None),
        ({"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 3}, None),
        ({"traceloop.span.kind": "workflow"}, None),
        ({"gen_ai.request.model": "m"}, None),
        ({"http.request.method": "POST"}, None),
    ],
)
def test_only_inference_operations_become_rows(attributes: dict[str, Any], operation: str | None) -> None:
    assert [call.operation_name for call in calls_of(line([span(1, attributes)]))] == [operation] * (
        operation is not None
    )


@pytest.mark.parametrize(
    ("error_type", "http_status", "outcome"),
    [
        ("RateLimitError", None, "rate_limited"),
        ("429", 429, "rate_limited"),
        ("ThrottlingException", 400, "rate_limited"),
        ("APITimeoutError", None, "timeout"),
        ("DEADLINE_EXCEEDED", None, "timeout"),
        ("error", 504, "timeout"),
        ("asyncio.CancelledError", None, "cancelled"),
        ("APIUserAbortError", None, "cancelled"),
        ("BadRequestError", 400, "error"),
        (None, None, "error"),
    ],
)
def test_failures_are_told_apart(error_type: str | None, http_status: int | None, outcome: str) -> None:
    assert failed_call_outcome(error_type, http_status) == outcome


def test_an_error_is_seen_in_the_attribute_the_status_or_the_exception_event() -> None:
    by_attribute = call_of(chat(None, None, **{"error.type": "429"}))
    assert (by_attribute.outcome, by_attribute.http_status) == ("rate_limited", 429)
    event = {
        "name": "exception",
        "attributes": [{"key": "exception.type", "value": {"stringValue": "TimeoutError"}}],
    }
    (by_event,) = calls_of(line([span(1, chat(None, None), events=[event])]))
    assert (by_event.outcome, by_event.error_type) == ("timeout", "TimeoutError")
    (by_status,) = calls_of(line([span(1, chat(None, None), status=2)]))
    assert (by_status.outcome, by_status.error_type) == ("error", None)


# --- what the input counts ----------------------------------------------------------------------------------


def cached(input_tokens: int, cache_read: int, **more: Any) -> dict[str, Any]:
    return chat(input_tokens, 10, **{"gen_ai.usage.cache_read.input_tokens": cache_read, **more})


def test_c6_an_inclusive_input_keeps_its_total() -> None:
    call = call_of(cached(130_213, 130_208))
    assert (call.input_tokens, call.input_includes_cache) == (130_213, True)


CLAUDE = {"gen_ai.provider.name": "anthropic", "gen_ai.response.model": "claude-sonnet-4-5"}


@pytest.mark.parametrize(
    ("attributes", "scope", "includes", "warning"),
    [
        # More cache than input cannot be inside it, whoever says so.
        (cached(3, 12_304), "pydantic-ai", False, None),
        (cached(20_000, 500, **CLAUDE), "opentelemetry.instrumentation.anthropic", True, None),
        # C7: Anthropic's own input excludes cache, the convention includes it, this emitter is not known.
        (cached(20_000, 500, **CLAUDE), "acme.tracer", None, "cache_inclusion_unknown"),
        (cached(20_000, 0, **CLAUDE), "acme.tracer", True, None),
        (cached(20_000, 500), "acme.tracer", True, None),
        (cached(20_000, 500), "OpenTelemetry::Instrumentation::RubyLLM", None, "cache_inclusion_unknown"),
        (cached(900, 500, **{"gen_ai.provider.name": "gcp.vertex_ai"}), "acme.tracer", True, None),
        (
            cached(900, 500, **{**CLAUDE, "gen_ai.provider.name": "gcp.vertex_ai"}),
            "acme.tracer",
            None,
            "cache_inclusion_unknown",
        ),
    ],
)
def test_whether_input_includes_cache(
    attributes: dict[str, Any], scope: str, includes: bool | None, warning: str | None
) -> None:
    call = call_of(attributes, scope=scope)
    assert (call.input_includes_cache, call.usage_warning) == (includes, warning)


def test_a_sites_rule_is_asked_first_and_may_name_a_version() -> None:
    old = EmitterRule("acme.tracer", includes_cache=False, version_prefix="1.", provider="anthropic")
    vocabulary = Vocabulary(rules=(old,))
    attributes = cached(20_000, 500, **CLAUDE)
    assert call_of(attributes, scope="acme.tracer", version="1.9", vocabulary=vocabulary).input_includes_cache is False
    assert call_of(attributes, scope="acme.tracer", version="2.0", vocabulary=vocabulary).input_includes_cache is None


# --- context ------------------------------------------------------------------------------------------------


def test_a_call_inherits_from_its_nearest_ancestor_then_from_the_resource() -> None:
    (call,) = calls_of(
        line(
            [
                span(3, chat(), parent=2),
                span(2, {"app.feature": "draft", "session.id": "s1"}, parent=1),
                span(1, {"app.tenant_id": "acme", "app.feature": "outer", "user.id": "u1"}),
            ],
            resource={
                "service.name": "api",
                "service.version": "1.8.2",
                "deployment.environment.name": "prod",
            },
        )
    )
    assert (call.tenant_id, call.feature, call.conversation_id, call.user_id) == ("acme", "draft", "s1", "u1")
    assert (call.release, call.environment, call.service_name) == ("1.8.2", "prod", "api")
    assert (call.operation_id, call.prompt_name) == (None, None)


def test_a_better_name_farther_up_wins_over_a_stopgap_on_the_span() -> None:
    (call,) = calls_of(
        line(
            [
                span(2, chat(**{"gen_ai.agent.name": "Planner"}), parent=1),
                span(1, {"app.feature": "support_copilot", "app.release": "2026.11.2"}),
            ],
            resource={"service.version": "9"},
        )
    )
    assert (call.feature, call.release) == ("support_copilot", "2026.11.2")


def test_parents_are_found_across_lines_and_batches_in_any_order() -> None:
    lines = [
        line([span(3, chat(), parent=2)]),
        line([span(2, {}, parent=1)], scope="app"),
        line([span(1, {"tenant.id": "acme"})], scope="app"),
    ]
    for order in (lines, lines[::-1]):
        assert [call.tenant_id for call in calls_of(*order)] == ["acme"]


def test_another_trace_with_the_same_span_ids_lends_nothing() -> None:
    (call,) = calls_of(
        line([span(2, chat(), parent=1), span(1, {"tenant.id": "other"}, trace_id=2)]),
    )
    assert call.tenant_id is None


def test_openinference_metadata_is_read_and_broken_metadata_is_left_alone() -> None:
    call = call_of(chat(metadata=json.dumps({"tenant_id": "acme", "feature": "draft", "note": {"x": 1}})))
    assert (call.tenant_id, call.feature) == ("acme", "draft")
    assert call_of(chat(metadata="{")).tenant_id is None


def test_a_site_names_its_own_attributes() -> None:
    vocabulary = Vocabulary(context={"tenant_id": ("workspace",)})
    assert call_of(chat(workspace="w1", **{"tenant.id": "no"}), vocabulary=vocabulary).tenant_id == "w1"


def test_a_cycle_of_parents_ends() -> None:
    calls = calls_of(line([span(1, chat(1, 1), parent=2), span(2, chat(2, 2), parent=1)]))
    assert span_ids(calls) == [1, 2]


# --- one call, one row --------------------------------------------------------------------------------------


def test_d1_a_parent_that_repeats_its_children_is_dropped() -> None:
    calls = calls_of(
        line(
            [
                span(1, {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 124}),
                span(2, chat(124, 0), parent=1),
                span(3, chat(61, 0), parent=2),
                span(4, chat(63, 0), parent=2),
            ]
        )
    )
    assert span_ids(calls) == [3, 4]
    assert sum(call.input_tokens or 0 for call in calls) == 124


def test_d2_of_a_framework_and_an_sdk_span_the_deepest_counts() -> None:
    framework = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-5",
        "llm.token_count.prompt": 100,
        "llm.token_count.completion": 10,
        "metadata": json.dumps({"tenant_id": "acme"}),
    }
    (call,) = calls_of(line([span(1, framework), span(2, {}, parent=1), span(3, chat(100, 10), parent=2)]))
    assert (int(call.span_id, 16), call.input_tokens, call.tenant_id) == (3, 100, "acme")


def test_usage_that_only_an_ancestor_knows_goes_to_the_one_call_that_succeeded() -> None:
    """A stream without `include_usage`: the SDK span has no tokens, the framework counted them."""
    calls = calls_of(
        line(
            [
                span(1, chat(100, 10)),
                span(2, chat(None, None, **{"error.type": "429"}), parent=1),
                span(3, chat(None, None), parent=1),
            ]
        )
    )
    by_id = {int(call.span_id, 16): call for call in calls}
    assert sorted(by_id) == [2, 3]
    assert (by_id[3].input_tokens, by_id[3].output_tokens) == (100, 10)
    assert (by_id[3].usage_warning, by_id[3].input_includes_cache) == ("usage_from_ancestor", True)
    assert (by_id[2].input_tokens, by_id[2].outcome) == (None, "rate_limited")


def test_usage_that_cannot_be_split_stays_on_the_ancestor_beside_failed_attempts() -> None:
    calls = calls_of(
        line(
            [
                span(1, chat(100, 10)),
                span(2, chat(None, None), parent=1),
                span(3, chat(None, None), parent=1),
                span(4, chat(None, None, **{"error.type": "500"}), parent=1),
            ]
        )
    )
    assert span_ids(calls) == [1, 4]


def test_a_span_exported_twice_is_one_call() -> None:
    once = line([span(1, chat())])
    assert len(calls_of(once, once)) == 1


def test_spans_of_neighbouring_input_inform_and_are_not_landed() -> None:
    vocabulary = Vocabulary()
    traces = TraceWindow(vocabulary, LATEST)
    own = line([span(2, chat(100, 10), parent=1)])
    neighbour = line([span(1, chat(100, 10, **{"tenant.id": "acme"})), span(3, chat(5, 5), trace_id=2)])
    for text, owner in ((own, 0), (neighbour, NOT_OWNED)):
        for found in spans_of_line(text, vocabulary.attribute_names) or ():
            traces.add(found, 1, owner)
    settled = list(traces.settle_all())
    assert [(call.owner, int(call.span_id, 16), call.tenant_id) for trace in settled for call in trace.standing] == [
        (0, 2, "acme"),
        (NOT_OWNED, 3, None),
    ]
    assert [(call.owner, int(call.span_id, 16)) for trace in settled for call in trace.repeating] == [(NOT_OWNED, 1)]


def test_the_window_settles_what_was_longest_not_added_to_and_stays_within_its_capacity() -> None:
    vocabulary = Vocabulary()
    traces = TraceWindow(vocabulary, LATEST, capacity=3)
    settled: list[int] = []
    # Trace 1 is added to again before trace 2 is; a third span of trace 3 makes one span too many.
    for trace, span_id in ((1, 1), (2, 2), (1, 3), (3, 4)):
        for found in spans_of_line(line([span(span_id, chat(), trace_id=trace)]), vocabulary.attribute_names) or ():
            traces.add(found, 1)
        settled += [int(call.trace_id, 16) for trace in traces.settle_overflow() for call in trace.standing]
    assert settled == [2]
    assert sorted(int(call.trace_id, 16) for trace in traces.settle_all() for call in trace.standing) == [1, 1, 3]


def test_open_calls_are_those_whose_ancestors_may_still_come() -> None:
    vocabulary = Vocabulary()
    traces = TraceWindow(vocabulary, LATEST)
    text = line(
        [
            span(1, chat()),
            span(2, chat(), parent=1),
            span(3, chat(), parent=9),
            span(5, chat(), parent=4),
            span(4, {}, parent=8),
        ]
    )
    for found in spans_of_line(text, vocabulary.attribute_names) or ():
        traces.add(found, 1)
    assert span_ids(traces.open_calls()) == [3, 5]


trees = st.lists(st.integers(0, 11), min_size=1, max_size=12).map(
    lambda parents: {child: parent % child if child else None for child, parent in enumerate(parents)}
)


@settings(deadline=None)
@given(trees, st.randoms(use_true_random=False), st.sets(st.integers(0, 11)))
def test_law_repeated_usage_is_counted_once_in_any_order(
    tree: dict[int, int | None], shuffle: random.Random, plain: set[int]
) -> None:
    """Any tree in which every call span repeats the sum of the leaves below it lands that sum exactly."""
    children: dict[int | None, list[int]] = {}
    for child, parent in tree.items():
        children.setdefault(parent, []).append(child)

    def usage(node: int) -> int:
        return sum(map(usage, children[node])) if node in children else node + 1

    # Some inner spans are plain (HTTP handlers, chains): the nearest call above must still be found.
    spans = []
    for node, parent in tree.items():
        attributes = {} if node in plain and node in children else chat(usage(node), 0)
        spans.append(span(node + 1, attributes, parent=None if parent is None else parent + 1))
    shuffle.shuffle(spans)
    calls = calls_of(*[line([made]) for made in spans])
    assert sum(call.input_tokens or 0 for call in calls) == usage(0)
    assert span_ids(calls) == [node + 1 for node in sorted(tree) if node not in children]


@settings(deadline=None)
@given(trees, st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)))
def test_law_known_usage_is_never_lost_and_never_counted_twice_on_a_path(
    tree: dict[int, int | None], knows: set[int], failed: set[int]
) -> None:
    """Whoever alone knows the usage, it lands once: 1 token per root-to-leaf subtree that knows any."""
    spans = []
    for node, parent in tree.items():
        error = {"error.type": "500"} if node in failed else {}
        attributes = chat(7 if node in knows else None, None, **error)
        spans.append(span(node + 1, attributes, parent=None if parent is None else parent + 1))
    calls = calls_of(line(spans))
    landed = {int(call.span_id, 16) - 1 for call in calls if call.input_tokens is not None}
    assert bool(landed) == bool(knows & set(tree))
    above = {node: set[int]() for node in tree}
    for node, parent in tree.items():
        if parent is not None:
            above[node] = above[parent] | {parent}
    assert not any(other in above[node] for node in landed for other in landed)


def test_scope_and_line_are_kept() -> None:
    (call,) = calls_of(line([]), line([span(1, chat())]))
    assert (call.scope_name, call.scope_version, call.line_number) == (SCOPE, "2.4b0", 2)
