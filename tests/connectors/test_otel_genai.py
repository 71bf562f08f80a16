"""Span files as a Collector leaves them: growing, rotating, half-written, compressed."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landed import all_bytes, landed, quarantined
from otlp_lines import T0_NANO, chat, line, span
from pydantic import ValidationError

from orchestration.connectors import otel_genai
from orchestration.connectors.errors import ConnectorError, MissingSecretError
from orchestration.connectors.otel_genai import OtelGenai, OtelGenaiConfig
from orchestration.landing.results import TableResult
from orchestration.landing.store import LandingStore

SOURCE = "traces"
KEY = "a key for tests"
T0 = datetime.fromtimestamp(T0_NANO // 10**9, UTC)
LATER = T0 + timedelta(days=1)


def no_secret(name: str) -> str:
    raise MissingSecretError(SOURCE, name)


class Files:
    """A folder of span files and the landing zone that they are pulled into."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.folder = root / "spans"
        self.folder.mkdir()
        self.root = root / "landing"
        self.options = options

    def write(self, name: str, *lines: str, end: str = "\n") -> Path:
        """Write a file of these lines."""
        path = self.folder / name
        path.write_text("\n".join(lines) + end)
        return path

    def append(self, name: str, *lines: str, end: str = "\n") -> None:
        """Let a file grow by these lines."""
        with (self.folder / name).open("a") as file:
            file.write("\n".join(lines) + end)

    def pull(self, now: datetime = LATER) -> TableResult:
        """Pull the folder once, as if it were `now`."""
        config = OtelGenaiConfig(path=str(self.folder), **self.options)
        store = LandingStore(self.root, now=lambda: now)
        result = store.run(SOURCE, OtelGenai(SOURCE, config, lambda _: KEY))
        return result.tables.get("otel_genai_spans", TableResult())

    def rows(self) -> dict[int, dict[str, Any]]:
        """Return the landed rows by span; one that landed twice fails the test."""
        rows = landed(self.root, SOURCE, "otel_genai_spans")
        by_span = {int(row["span_id"], 16): row for row in rows}
        assert len(by_span) == len(rows)
        return by_span

    def quarantined(self) -> list[tuple[int | None, str]]:
        """Return line and reason of what was kept aside."""
        return quarantined(self.root, SOURCE, "otel_genai_spans")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def counts(result: TableResult) -> tuple[int, int, int, int]:
    return result.rows_read, result.rows_landed, result.rows_quarantined, result.rows_skipped


def test_a_call_lands_with_all_its_columns(files: Files) -> None:
    attributes = chat(
        1200,
        180,
        **{
            "gen_ai.usage.cache_read.input_tokens": 1024,
            "gen_ai.usage.reasoning.output_tokens": 64,
            "gen_ai.response.id": "chatcmpl-9J",
            "gen_ai.conversation.id": "conv_5",
            "gen_ai.prompt.name": "draft",
            "gen_ai.prompt.version": "7",
            "openai.response.service_tier": "default",
            "user.id": "u1",
            "app.operation_id": "op1",
        },
    )
    request = {"app.tenant_id": "acme", "app.feature": "support_copilot"}
    files.write(
        "data.json",
        line(
            [span(2, attributes, parent=1), span(1, request)],
            resource={
                "service.name": "api",
                "service.version": "1.8.2",
                "deployment.environment.name": "prod",
            },
        ),
    )
    assert counts(files.pull()) == (2, 1, 0, 1)
    (row,) = files.rows().values()
    assert {name: value for name, value in row.items() if value is not None and name != "pull_id"} == {
        "source_name": SOURCE,
        "usage_date": T0.date(),
        "started_at": T0.replace(microsecond=123_456),
        "provider": "openai",
        "model": "gpt-5-2025-08-07",
        "request_model": "gpt-5",
        "feature": "support_copilot",
        "tenant_id": "acme",
        "user_hash": hmac.new(KEY.encode(), b"u1", hashlib.sha256).hexdigest(),
        "outcome": "success",
        "latency_ms": 1000.0,
        "operation_name": "chat",
        "input_tokens": 1200,
        "output_tokens": 180,
        "cache_read_tokens": 1024,
        "reasoning_tokens": 64,
        "service_tier": "default",
        "response_id": "chatcmpl-9J",
        "trace_id": "0" * 31 + "1",
        "span_id": "0" * 15 + "2",
        "parent_span_id": "0" * 15 + "1",
        "conversation_id": "conv_5",
        "operation_id": "op1",
        "prompt_name": "draft",
        "prompt_version": "7",
        "release": "1.8.2",
        "environment": "prod",
        "service_name": "api",
        "scope_name": "opentelemetry.instrumentation.openai_v2",
        "scope_version": "2.4b0",
        "semconv_generation": "otel_1_37",
        "input_includes_cache": True,
        "input_file": str(files.folder / "data.json"),
    }


def test_calls_of_two_days_land_on_their_own_utc_day(files: Files) -> None:
    midnight = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 10**9
    files.write("a.json", line([span(1, chat(), start_nano=midnight - 1000), span(2, chat(), start_nano=midnight)]))
    result = files.pull()
    assert {number: str(row["usage_date"]) for number, row in files.rows().items()} == {
        1: "2026-11-19",
        2: "2026-11-20",
    }
    assert sorted(map(str, result.changed_dates)) == ["2026-11-19", "2026-11-20"]


def test_what_cannot_be_read_is_kept_aside_and_the_rest_lands(files: Files) -> None:
    files.write(
        "data.json",
        line([span(1, chat()), span(2, chat("many")), span(3, {"http.method": "GET"}, traceId="no")]),
        '{"resourceSpans":[',
        "",
        '{"resourceLogs":[]}',
        line([span(4, chat(), spanId="zz"), span(5, chat(-1)), span(6, chat(), start_nano=1)]),
        "{}",
        line([span(7, chat())]),
    )
    assert counts(files.pull()) == (11, 2, 6, 3)
    assert files.quarantined() == [
        (1, "wrong_type:input_tokens"),
        (2, "invalid_json"),
        (5, "negative:input_tokens"),
        (5, "timestamp_out_of_range"),
        (5, "wrong_type:spanId"),
        (6, "missing:resourceSpans"),
    ]
    assert sorted(files.rows()) == [1, 7]


def test_no_content_and_no_raw_user_id_gets_anywhere_below_landing(files: Files) -> None:
    prompt, user = "planted prompt text: the merger closes on Friday", "raw-user-4711@example.com"
    content = {
        "gen_ai.input.messages": prompt,
        "gen_ai.prompt.0.content": prompt,
        "llm.input_messages.0.message.content": prompt,
        "input.value": prompt,
        "metadata": json.dumps({"user_id": user, "note": prompt}),
    }
    event = {"name": "gen_ai.choice", "attributes": [{"key": "c", "value": {"stringValue": prompt}}]}
    files.write(
        "data.json",
        line([span(1, chat(**content), events=[event], name=prompt), span(2, chat("x", **content))]),
        json.dumps({"resourceSpans": prompt, "user": user}),
        f'{{"half": "{prompt}',
        end="",
    )
    assert counts(files.pull())[:3] == (4, 1, 3)
    assert files.rows()[1]["user_hash"]
    everything = all_bytes(files.root)
    assert b"resourceSpans" in everything
    assert prompt.encode() not in everything
    assert b"merger" not in everything
    assert user.encode() not in everything


def test_the_hash_key_is_needed_only_when_a_user_is_named(files: Files) -> None:
    config = OtelGenaiConfig(path=str(files.folder), user_hash_key_env="OUR_KEY")
    store = LandingStore(files.root, now=lambda: LATER)
    files.write("data.json", line([span(1, chat())]))
    store.run(SOURCE, OtelGenai(SOURCE, config, no_secret))
    files.append("data.json", line([span(2, chat(**{"enduser.id": "u"}))]))
    with pytest.raises(MissingSecretError, match="OUR_KEY"):
        store.run(SOURCE, OtelGenai(SOURCE, config, no_secret))
    assert sorted(files.rows()) == [1]


# --- growing and rotating -----------------------------------------------------------------------------------


def test_a_file_that_grows_lands_each_span_once(files: Files) -> None:
    files.write("data.json", line([span(1, chat())]))
    files.pull()
    assert not files.pull().is_changed
    files.append("data.json", line([span(2, chat())]))
    assert counts(files.pull()) == (1, 1, 0, 0)
    assert sorted(files.rows()) == [1, 2]


def test_a_half_written_last_line_lands_when_it_is_whole(files: Files) -> None:
    second = line([span(2, chat())])
    files.write("data.json", line([span(1, chat())]), second[:50], end="")
    assert counts(files.pull()) == (2, 1, 1, 0)
    files.append("data.json", second[50:])
    files.pull()
    assert sorted(files.rows()) == [1, 2]


def test_a_rotated_file_and_its_successor_land_only_what_is_new(files: Files) -> None:
    live = files.write("data.json", line([span(1, chat())]))
    files.pull()
    files.append("data.json", line([span(2, chat())]))
    live.rename(files.folder / "data-2026-11-20T11-00-00.000.json")
    files.write("data.json", line([span(3, chat())]))
    assert counts(files.pull()) == (2, 2, 0, 0)
    assert sorted(files.rows()) == [1, 2, 3]


def test_gzip_lands_and_a_broken_one_lands_up_to_the_break(files: Files) -> None:
    whole = "".join(line([span(number, chat())]) + "\n" for number in range(1, 200)).encode()
    (files.folder / "a.json.gz").write_bytes(gzip.compress(whole))
    assert counts(files.pull()) == (199, 199, 0, 0)
    packed = gzip.compress("".join(line([span(number, chat())]) + "\n" for number in range(200, 400)).encode())
    (files.folder / "b.json.gz").write_bytes(packed[: len(packed) // 2])
    result = files.pull()
    assert result.rows_quarantined == 1
    assert result.rows_landed > 0
    assert files.quarantined()[0][1] == "broken_gzip"


def test_d2_an_ancestor_that_comes_after_its_call_has_landed_is_still_seen_to_repeat_it(files: Files) -> None:
    """The call landed in an earlier pull; the framework's span around it arrives now."""
    files.options["settle_seconds"] = 0
    files.write("data.json", line([span(9, {})]), line([span(2, chat(100, 10), parent=1)]))
    files.pull()
    files.append("data.json", line([span(1, chat(100, 10))]))
    assert counts(files.pull()) == (1, 0, 0, 1)
    assert sorted(files.rows()) == [2]


def test_a_young_call_waits_for_the_request_around_it(files: Files) -> None:
    """A Collector exports a call when it ends, the request seconds later: a pull may fall between."""
    files.write("data.json", line([span(1, chat())]), line([span(3, chat(), parent=2)]), line([span(4, chat())]))
    assert counts(files.pull(T0 + timedelta(seconds=20))) == (1, 1, 0, 0)
    assert sorted(files.rows()) == [1]
    assert not files.pull(T0 + timedelta(seconds=40)).is_changed
    files.append("data.json", line([span(2, {"app.tenant_id": "acme"})]))
    assert counts(files.pull(T0 + timedelta(seconds=60))) == (3, 2, 0, 1)
    assert {number: row["tenant_id"] for number, row in files.rows().items()} == {1: None, 3: "acme", 4: None}
    assert not files.pull(T0 + timedelta(seconds=80)).is_changed


def test_a_call_whose_request_never_comes_lands_when_it_has_settled(files: Files) -> None:
    files.write("data.json", line([span(3, chat(), parent=2)]), "broken")
    assert counts(files.pull(T0 + timedelta(seconds=20))) == (0, 0, 0, 0)
    assert files.rows() == {}
    assert counts(files.pull(T0 + timedelta(seconds=400))) == (2, 1, 1, 0)
    assert (sorted(files.rows()), files.quarantined()) == ([3], [(2, "invalid_json")])


def test_a_waiting_file_may_be_rotated_meanwhile(files: Files) -> None:
    live = files.write("data.json", line([span(1, chat())]), line([span(3, chat(), parent=2)]))
    files.pull(T0 + timedelta(seconds=20))
    live.rename(files.folder / "data-2026-11-20T11-00-00.000.json")
    files.write("data.json", line([span(2, {"app.tenant_id": "acme"})]))
    assert counts(files.pull(T0 + timedelta(seconds=60))) == (2, 1, 0, 1)
    assert files.rows()[3]["tenant_id"] == "acme"


def test_a_call_of_a_clock_that_is_ahead_holds_nothing_back(files: Files) -> None:
    files.write("data.json", line([span(3, chat(), parent=2)]), line([span(1, chat())]))
    assert counts(files.pull(T0 - timedelta(hours=9))) == (2, 2, 0, 0)


def test_two_copies_of_a_file_land_once(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel_genai, "TRACE_WINDOW_SPANS", 1)
    lines = [line([span(number, chat(), trace_id=number)]) for number in range(1, 4)]
    files.write("a.json", *lines)
    files.write("b.json", *lines)
    assert counts(files.pull()) == (3, 3, 0, 0)
    assert not files.pull().is_changed
    assert sorted(files.rows()) == [1, 2, 3]


def test_a_finished_archive_never_waits(files: Files) -> None:
    content = line([span(3, chat(), parent=2)]) + "\n"
    (files.folder / "a.json.gz").write_bytes(gzip.compress(content.encode()))
    assert counts(files.pull(T0 + timedelta(seconds=20))) == (1, 1, 0, 0)


# --- the window ----------------------------------------------------------------------------------------------


def interleaved(traces: int) -> list[str]:
    """Traces of a call (sent twice), a framework span that repeats it and the request around them."""
    lines: list[str] = []
    for trace in range(1, traces + 1):
        request, framework, call = 100 * trace, 100 * trace + 1, 100 * trace + 2
        lines += [
            line([span(call, chat(100, 10), parent=framework, trace_id=trace)]),
            line([span(framework, chat(100, 10), parent=request, trace_id=trace)]),
            line([span(call, chat(100, 10), parent=framework, trace_id=trace)]),
            line([span(request, {"app.tenant_id": f"t{trace}"}, trace_id=trace)]),
        ]
    return lines


def test_traces_are_put_together_across_files(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel_genai, "TRACE_WINDOW_SPANS", 8)
    monkeypatch.setattr(otel_genai, "ROWS_AT_ONCE", 3)
    lines = interleaved(20)
    for position in range(0, len(lines), 11):
        files.write(f"data-{position:03}.json", *lines[position : position + 11])
    assert counts(files.pull()) == (80, 20, 0, 60)
    assert {number: row["tenant_id"] for number, row in files.rows().items()} == {
        100 * trace + 2: f"t{trace}" for trace in range(1, 21)
    }
    assert files.rows()[102]["input_file"].endswith("data-000.json")
    assert files.rows()[2002]["input_file"].endswith("data-066.json")


def test_what_had_to_be_settled_to_make_room_never_waits(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel_genai, "TRACE_WINDOW_SPANS", 2)
    young = [line([span(number, chat(), parent=99, trace_id=number)]) for number in range(1, 6)]
    files.write("data.json", *young)
    assert counts(files.pull(T0 + timedelta(seconds=20))) == (3, 3, 0, 0)
    assert counts(files.pull(T0 + timedelta(seconds=400))) == (2, 2, 0, 0)
    assert sorted(files.rows()) == [1, 2, 3, 4, 5]


good_lines = st.integers(0, 3).map(lambda calls: ("spans", calls))
bad_lines = st.sampled_from([("bad", "{"), ("bad", "[]"), ("bad", "{}"), ("skip", ""), ("skip", '{"resourceLogs":[]}')])


def test_a_call_before_one_that_had_to_be_settled_does_not_wait(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The long trace 1 stays in the window; of trace 2, on a later line, a row is written already."""
    monkeypatch.setattr(otel_genai, "TRACE_WINDOW_SPANS", 3)
    files.write(
        "data.json",
        line([span(1, chat(), parent=99, trace_id=1)]),
        line([span(2, chat(), parent=99, trace_id=2)]),
        line([span(3, {}, parent=99, trace_id=1)]),
        line([span(4, chat(), parent=99, trace_id=3)]),
    )
    assert counts(files.pull(T0 + timedelta(seconds=20))) == (3, 2, 0, 1)
    assert sorted(files.rows()) == [1, 2]
    assert counts(files.pull(T0 + timedelta(seconds=400))) == (1, 1, 0, 0)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(good_lines | bad_lines, max_size=12), st.integers(1, 6))
def test_law_every_line_and_span_is_landed_quarantined_or_skipped(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[tuple[str, Any]], window_spans: int
) -> None:
    files = Files(tmp_path_factory.mktemp("spans"), allow_empty=True)
    lines: list[str] = []
    calls = bad = skipped = number = 0
    for kind, detail in kinds:
        if kind == "spans":
            made = [span(number := number + 1, chat(1, 1)) for _ in range(detail)]
            lines.append(line([*made, span(number := number + 1, {})]))
            calls, skipped = calls + detail, skipped + 1
        else:
            lines.append(detail)
            bad, skipped = bad + (kind == "bad"), skipped + (kind == "skip")
    files.write("data.json", *lines, end="\n" if lines else "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(otel_genai, "TRACE_WINDOW_SPANS", window_spans)
        result = files.pull()
    assert counts(result) == (calls + bad + skipped, calls, bad, skipped)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.lists(st.integers(1, 6000), max_size=4))
def test_law_whenever_the_pulls_fall_the_same_rows_land(
    tmp_path_factory: pytest.TempPathFactory, order: random.Random, cuts: list[int]
) -> None:
    """A growing file, cut anywhere (also inside of a line) by pulls, lands what one pull of it all lands."""
    of_traces = [
        [
            line([span(100 * trace + 2, chat(100, 10), parent=100 * trace + 1, trace_id=trace)]),
            line([span(100 * trace + 1, chat(100, 10), parent=100 * trace, trace_id=trace)]),
            line([span(100 * trace, {"app.tenant_id": f"t{trace}"}, trace_id=trace)]),
        ]
        for trace in range(1, 4)
    ]
    stream: list[str] = []
    while any(of_traces):
        stream.append(order.choice([lines for lines in of_traces if lines]).pop(0))
    content = "\n".join(stream) + "\n"
    files = Files(tmp_path_factory.mktemp("stream"))
    for second, cut in enumerate(sorted(cuts)):
        files.write("data.json", content[:cut], end="")
        files.pull(T0 + timedelta(seconds=second))
    files.write("data.json", content, end="")
    files.pull(LATER)
    assert {number: (row["tenant_id"], row["input_tokens"]) for number, row in files.rows().items()} == {
        100 * trace + 2: (f"t{trace}", 100) for trace in range(1, 4)
    }


# --- configuration ------------------------------------------------------------------------------------------


def test_a_site_may_name_its_attributes_tokens_and_emitters(tmp_path: Path) -> None:
    files = Files(
        tmp_path,
        attributes={"tenant_id": ["workspace"]},
        token_attributes={"cache_write_1h_tokens": ["acme.cache.1h"]},
        emitters=[{"scope": "acme.tracer", "includes_cache": False, "provider": "anthropic"}],
    )
    attributes = chat(
        5000,
        10,
        **{
            "gen_ai.provider.name": "anthropic",
            "gen_ai.usage.cache_read.input_tokens": 100,
            "acme.cache.1h": 50,
            "workspace": "w1",
        },
    )
    files.write("data.json", line([span(1, attributes)], scope="acme.tracer"))
    files.pull()
    row = files.rows()[1]
    assert (row["tenant_id"], row["cache_write_1h_tokens"], row["input_includes_cache"]) == ("w1", 50, False)


@pytest.mark.parametrize(
    "options",
    [{"path": ""}, {"path": "x", "attributes": {"tenant": ["a"]}}, {"path": "x", "settle_seconds": -1}, {}],
)
def test_a_config_that_means_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OtelGenaiConfig.model_validate(options)


@pytest.mark.parametrize("start", [b"\x28\xb5\x2f\xfd rest", b"\x00\x00\x01\x02 rest"])
def test_the_exporters_binary_formats_are_refused_with_what_to_do(files: Files, start: bytes) -> None:
    (files.folder / "data.json").write_bytes(start)
    with pytest.raises(ConnectorError, match=r"binary format.*data\.json.*format: json"):
        files.pull()


def test_nothing_there_is_an_error_unless_it_may_be_empty(files: Files) -> None:
    with pytest.raises(ConnectorError):
        files.pull()
    files.options["allow_empty"] = True
    assert counts(files.pull()) == (0, 0, 0, 0)


def test_the_batches_of_a_default_collector_are_not_too_long(files: Files) -> None:
    batch = [span(number, chat(1, 1, **{"gen_ai.input.messages": "x" * 1500})) for number in range(1, 5001)]
    files.write("data.json", line(batch))
    assert (files.folder / "data.json").stat().st_size > 8 * 1024 * 1024
    assert counts(files.pull()) == (5000, 5000, 0, 0)
