"""OTLP/JSON as exporters really write it."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_lines import T0_NANO, chat, line, pairs, span

from orchestration.connectors.otlp import (
    NotTracesError,
    Span,
    UnreadableSpan,
    decode_any_value,
    decode_attributes,
    spans_of_line,
)

KEEP = frozenset({"gen_ai.usage.input_tokens", "service.name", "a"})


def read(text: str) -> list[Span | UnreadableSpan]:
    spans = spans_of_line(text, KEEP)
    assert spans is not None
    return list(spans)


def one(made: dict[str, Any]) -> Span | UnreadableSpan:
    (found,) = read(line([made]))
    return found


def test_a_span_of_the_collectors_file_exporter() -> None:
    found = one(span(2, chat(1200), parent=1, status=2))
    assert found == Span(
        trace_id="0" * 31 + "1",
        span_id="0" * 15 + "2",
        parent_span_id="0" * 15 + "1",
        start_unix_nano=T0_NANO,
        end_unix_nano=T0_NANO + 10**9,
        has_error_status=True,
        exception_type=None,
        attributes={"gen_ai.usage.input_tokens": 1200},
        resource={},
        scope=("opentelemetry.instrumentation.openai_v2", "2.4b0", None),
    )


@pytest.mark.parametrize("spelling", ["123", 123])
def test_64_bit_integers_come_as_strings_or_numbers(spelling: str | int) -> None:
    assert decode_any_value({"intValue": spelling}) == 123
    found = one(span(1, startTimeUnixNano=spelling))
    assert isinstance(found, Span)
    assert found.start_unix_nano == 123


@pytest.mark.parametrize(
    ("wrapped", "plain"),
    [
        ({"stringValue": ""}, ""),
        ({"boolValue": False}, False),
        ({"doubleValue": 0.5}, 0.5),
        ({"doubleValue": "Infinity"}, float("inf")),
        ({"intValue": "12x"}, "12x"),
        ({"intValue": None, "stringValue": "x"}, "x"),
        ({"arrayValue": {"values": [{"intValue": "1"}, {}]}}, [1]),
        ({"arrayValue": {}}, []),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}}, {"k": "v"}),
        ({"bytesValue": "AAE="}, "AAE="),
        ({"somethingNew": 1}, None),
        ({}, None),
        ("bare", None),
    ],
)
def test_any_value(wrapped: Any, plain: Any) -> None:
    assert decode_any_value(wrapped) == plain


scalars = st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), scalars))
def test_attributes_survive_the_mapping(attributes: dict[str, Any]) -> None:
    decoded = decode_attributes(json.loads(json.dumps(pairs(attributes))), frozenset(attributes))
    assert decoded == attributes
    assert [type(inner) for inner in decoded.values()] == [type(inner) for inner in attributes.values()]


def test_only_named_attributes_are_decoded() -> None:
    found = one(span(1, {"gen_ai.input.messages": "secret", "a": "kept"}))
    assert found.attributes == {"a": "kept"}


def test_upper_case_hex_and_base64_ids_are_the_same_id() -> None:
    as_bytes = bytes.fromhex("5B8EFFF798038103D269B633813FC60C")
    upper = one(span(1, traceId="5B8EFFF798038103D269B633813FC60C"))
    encoded = one(
        span(
            1,
            traceId=base64.b64encode(as_bytes).decode(),
            spanId=base64.b64encode((1).to_bytes(8)).decode(),
        )
    )
    assert isinstance(upper, Span)
    assert isinstance(encoded, Span)
    assert upper.trace_id == encoded.trace_id == "5b8efff798038103d269b633813fc60c"
    assert upper.span_id == encoded.span_id == "0" * 15 + "1"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"traceId": None}, "missing:traceId"),
        ({"traceId": "0" * 32}, "wrong_type:traceId"),
        ({"spanId": "xyz"}, "wrong_type:spanId"),
        ({"spanId": ""}, "missing:spanId"),
        ({"startTimeUnixNano": None}, "missing:startTimeUnixNano"),
        ({"startTimeUnixNano": "soon"}, "wrong_type:startTimeUnixNano"),
    ],
)
def test_a_span_without_identity_or_start_says_which(fields: dict[str, Any], reason: str) -> None:
    found = one(span(1, {"a": 1}, **fields))
    assert found == UnreadableSpan(reason, {"a": 1})


@pytest.mark.parametrize("parent", ["", None, "0" * 16])
def test_a_root_has_no_parent_however_it_is_written(parent: str | None) -> None:
    found = one(span(1, parentSpanId=parent))
    assert isinstance(found, Span)
    assert found.parent_span_id is None


def test_legacy_instrumentation_library_spans_and_unknown_fields() -> None:
    request = {
        "resourceSpans": [
            {
                "resource": {"attributes": pairs({"service.name": "api"})},
                "instrumentationLibrarySpans": [
                    {"instrumentationLibrary": {"name": "old"}, "spans": [span(1, newField=[1])]}
                ],
                "schemaUrl": "https://opentelemetry.io/schemas/1.9.0",
            }
        ]
    }
    (found,) = read(json.dumps(request))
    assert isinstance(found, Span)
    assert found.scope == ("old", None, "https://opentelemetry.io/schemas/1.9.0")
    assert found.resource == {"service.name": "api"}


def test_the_exception_event_names_the_error_and_nothing_else() -> None:
    event = {
        "name": "exception",
        "attributes": pairs({"exception.type": "openai.RateLimitError", "exception.message": "secret"}),
    }
    found = one(span(1, events=[{"name": "gen_ai.choice"}, event]))
    assert isinstance(found, Span)
    assert found.exception_type == "openai.RateLimitError"
    assert "secret" not in repr(found)


@pytest.mark.parametrize("signal", ["resourceLogs", "resourceMetrics", "resourceProfiles"])
def test_other_signals_in_the_same_file_are_told_apart(signal: str) -> None:
    assert spans_of_line(json.dumps({signal: []}), KEEP) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"resourceSpans":[', "invalid_json"),
        ("[]", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        (b"\xff\xfe{}", "invalid_json"),
        ("{}", "missing:resourceSpans"),
        ('{"resourceSpans": [1]}', "wrong_type:resourceSpans"),
        ('{"resourceSpans": 5}', "wrong_type:resourceSpans"),
        ('{"resourceSpans": [{"scopeSpans": [{"spans": ["x"]}]}]}', "wrong_type:resourceSpans"),
    ],
)
def test_a_line_that_is_no_trace_request_says_why(text: str | bytes, reason: str) -> None:
    with pytest.raises(NotTracesError) as caught:
        spans_of_line(text, KEEP)
    assert caught.value.reason == reason


@settings(deadline=None)
@given(st.recursive(st.none() | scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_json_value_gets_past_the_reader_as_anything_but_a_refusal(anything: Any) -> None:
    text = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": anything}]}]})
    with suppress(NotTracesError):
        spans_of_line(text, KEEP)
