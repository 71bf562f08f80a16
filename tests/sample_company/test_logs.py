"""What the observers wrote: the contracts are kept, and the observers agree where they saw the same call."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from story import Story

PACKAGE = Path(__file__).parents[2] / "orchestration" / "sample_company"


def test_every_line_has_what_the_contract_requires(story: Story) -> None:
    assert story.rows("select distinct event from lines") == [("llm.request",)]
    missing = story.value(
        "select count(*) from lines where request_id is null or provider is null or model is null or outcome is null"
        " or latency_ms is null or ts is null or attempt_number is null"
    )
    assert missing == 0
    assert {name for (name,) in story.rows("select distinct outcome from lines")} == {
        "success", "timeout", "rate_limited", "error", "cancelled",
    }  # fmt: skip
    first, last = story.rows("select min(ts), max(ts) from lines")[0]
    midnight = datetime.min.time()
    start = datetime.combine(story.manifest.start_date, midnight)
    end = datetime.combine(story.manifest.end_date, midnight) + timedelta(days=1)
    assert start <= first < start + timedelta(hours=2)
    assert last < end


def test_one_service_writes_camel_case_and_epoch_milliseconds(story: Story) -> None:
    lines = [
        json.loads(line)
        for file in story.manifest.requests.iterdir()
        if file.suffix == ".jsonl"
        for line in file.read_text().splitlines()[:200]
    ]
    camel = [line for line in lines if "requestId" in line]
    assert 0 < len(camel) < len(lines) / 4
    assert {line["feature"] for line in camel} == {"search_assist"}
    assert all(isinstance(line["ts"], int) and "inputTokens" in line for line in camel if line["outcome"] == "success")
    assert all(isinstance(line["ts"], str) and line["ts"].endswith("Z") for line in lines if "request_id" in line)


def test_lines_stand_in_the_order_in_which_calls_ended(story: Story) -> None:
    file = story.manifest.requests / f"day={story.manifest.end_date}.jsonl"
    ends: dict[str, int] = {}
    for line in map(json.loads, file.read_text().splitlines()):
        if "requestId" in line:
            ends.setdefault(line["requestId"], line["ts"] + line["latencyMs"])
        else:
            began = datetime.fromisoformat(line["ts"])
            ends.setdefault(line["request_id"], round(began.timestamp() * 1000) + line["latency_ms"])
    assert len(ends) > 300
    assert list(ends.values()) == sorted(ends.values())


def test_some_days_are_compressed(story: Story) -> None:
    compressed = sorted(story.manifest.requests.glob("*.jsonl.gz"))
    assert len(compressed) == 3
    assert gzip.decompress(compressed[0].read_bytes()).startswith(b'{"event":"llm.request"')


def test_request_ids_are_distinct_but_for_lines_delivered_twice(story: Story) -> None:
    lines, distinct_ids, distinct_lines = story.rows(
        "select count(*), count(distinct request_id), count(distinct (request_id, ts, span_id, latency_ms)) from lines"
    )[0]
    assert distinct_ids == distinct_lines
    assert 0 < lines - distinct_ids < lines * 0.003


def test_unknown_usage_is_absent_and_not_zero(story: Story) -> None:
    assert story.value("select count(*) from lines where has_usage and outcome in ('error', 'rate_limited')") == 0
    shares = dict(story.rows("select outcome, avg(has_usage::int) from lines where operation_name is null group by 1"))
    assert shares["success"] == 1.0
    assert 0.3 < shares["cancelled"] < 0.5
    assert shares["timeout"] < 0.6


def test_retries_follow_the_attempt_that_they_name(story: Story) -> None:
    retries, found, later, same_operation = story.rows(
        """select count(*), count(earlier.request_id), sum((later.ts > earlier.ts)::int),
          sum((later.operation_id = earlier.operation_id)::int)
        from (select distinct * from lines where retry_of is not null) as later
        left join (select distinct * from lines) as earlier on later.retry_of = earlier.request_id"""
    )[0]
    assert retries > 100
    assert retries == found == later == same_operation
    assert story.value("select count(*) from lines where (attempt_number > 1) <> (retry_of is not null)") == 0
    assert story.value("select count(*) from lines where is_fallback and attempt_number = 1") == 0
    assert story.value("select count(*) from lines where is_fallback") > 20


def test_operations_are_made_of_several_calls(story: Story) -> None:
    steps = dict(
        story.rows(
            """select feature, avg(calls) from (
              select feature, operation_id, count(distinct request_id) as calls from lines
              where feature is not null and attempt_number = 1 group by all
            ) group by 1"""
        )
    )
    assert steps["support_copilot"] == pytest.approx(2.2, rel=0.1)
    assert steps["rag_answers"] > 2
    assert steps["ticket_classifier"] == 1


def test_an_answer_from_the_own_cache_names_no_response(story: Story) -> None:
    hits, with_id = story.rows("select count(*), count(response_id) from lines where response_cache_hit")[0]
    assert hits > 50
    assert with_id == 0


def test_spans_and_log_agree_on_the_calls_that_both_saw(story: Story) -> None:
    seen, matched, same_tokens, same_span = story.rows(
        """select count(*), count(lines.request_id), sum((spans.input_tokens is not distinct from lines.total)::int),
          sum((spans.span_id = lines.span_id)::int)
        from spans
        left join (select distinct * from lines) as lines
          on spans.trace_id = lines.trace_id and spans.span_id = lines.span_id
        where spans.service = 'rag-api' and spans.operation is not null"""
    )[0]
    assert seen > 2_000
    assert seen == matched == same_tokens == same_span
    unlike = story.value(
        """select count(*) from spans join lines using (trace_id, span_id)
        where spans.response_id is distinct from lines.response_id"""
    )
    assert unlike == 0


def test_some_calls_are_known_to_spans_alone(story: Story) -> None:
    alone, logged = story.rows(
        "select count(*), count(lines.span_id) from spans left join lines using (trace_id, span_id)"
        " where service = 'search-edge' and operation is not null"
    )[0]
    assert alone > 50
    assert logged == 0


def test_tenants_stand_on_the_root_spans_only_and_every_call_has_a_root(story: Story) -> None:
    assert story.value("select count(*) from spans where operation is not null and tenant_id is not null") == 0
    orphans = story.value(
        """select count(*) from spans as calls
        left join spans as roots on calls.trace_id = roots.trace_id and calls.parent_id = roots.span_id
          and calls.file = roots.file and roots.tenant_id is not null
        where calls.operation is not null and roots.span_id is null"""
    )
    assert orphans == 0


def test_gateway_and_log_agree(story: Story) -> None:
    seen, matched, same = story.rows(
        """select count(*), count(lines.response_id),
          sum((gateway.input_tokens = lines.total and gateway.tenant_id = lines.tenant_id)::int)
        from gateway
        left join (select distinct * from lines where feature = 'ticket_classifier') as lines using (response_id)"""
    )[0]
    assert seen > 1_000
    assert seen == matched == same


def test_outcomes_name_something_that_happened(story: Story) -> None:
    unknown = story.value(
        """select count(*) from outcomes where not (
          coalesce(operation_id in (select operation_id from lines), false)
          or coalesce(request_id in (select request_id from lines), false)
          or coalesce(trace_id in (select trace_id from lines union all select trace_id from spans), false))"""
    )
    assert unknown == 0


def test_outcomes_come_late_are_clicked_twice_and_taken_back(story: Story) -> None:
    counts = story.truth["counts"]["outcomes"]
    assert 0.04 < counts["late"] / (counts["accepted"] + counts["rejected"]) < 0.07
    events, distinct = story.rows("select count(*), count(distinct event_id) from outcomes")[0]
    assert events == story.manifest.outcome_lines
    assert 0 < events - distinct < events * 0.03
    verdicts = dict(story.rows("select verdict, count(distinct event_id) from outcomes group by 1"))
    assert verdicts["reversed"] == counts["reversed"] > 20
    assert verdicts["accepted"] >= counts["accepted"]
    taken_back = story.value(
        """select count(*) from outcomes as later join outcomes as earlier
        on later.reverses = earlier.event_id and earlier.verdict = 'accepted' and later.ts > earlier.ts
        where later.verdict = 'reversed'"""
    )
    assert taken_back >= verdicts["reversed"]
    latest = story.value(
        """select max(outcomes.ts - lines.ts) from outcomes join lines using (operation_id)
        where outcomes.verdict <> 'reversed'"""
    )
    assert timedelta(days=4) < latest < timedelta(days=5, hours=3)


def test_an_outcome_lies_in_the_file_of_the_day_on_which_it_happened(story: Story) -> None:
    misplaced = story.value(
        "select count(*) from outcomes where not contains(filename, 'day=' || cast(cast(ts as date) as varchar))"
    )
    assert misplaced == 0
    assert story.value("select max(cast(ts as date)) from outcomes") == story.manifest.end_date


def test_lengths_follow_the_traces_that_they_are_fitted_to(story: Story) -> None:
    """The classifier's prompts are the code trace's, 1.2 times as long: the logarithm has its spread."""
    spread, middle = story.rows(
        "select stddev_pop(ln(total)), median(total) from lines where feature = 'ticket_classifier' and total > 0"
    )[0]
    assert spread == pytest.approx(1.36, rel=0.1)
    assert middle == pytest.approx(1.2 * 1095, rel=0.12)


def test_weeks_and_days_have_a_rhythm(story: Story) -> None:
    by_weekday = dict(story.rows("select isodow(day), count(*) from lines group by 1"))
    assert by_weekday[6] < 0.75 * by_weekday[3]
    by_hour = dict(story.rows("select hour(ts), count(*) from lines group by 1"))
    assert min(by_hour.values()) < 0.5 * max(by_hour.values())


def test_no_prompt_text_and_nothing_that_looks_like_a_secret(story: Story) -> None:
    looks_like_a_key = re.compile(r"sk-[A-Za-z0-9-]{8,}|AKIA[0-9A-Z]{12,}|eyJ[A-Za-z0-9_-]{20,}|-----BEGIN")
    for file in PACKAGE.glob("*.py"):
        assert not looks_like_a_key.search(file.read_text()), file.name
    for file in (*story.manifest.bills.iterdir(), *story.manifest.company.iterdir(), story.manifest.ground_truth):
        assert not looks_like_a_key.search(file.read_text()), file.name
    content = story.value("select count(*) from lines where cast(usage as varchar) like '%content%'")
    assert content == 0
    texts = story.rows("select distinct line->'messages'->0->>'content' from gateway")
    assert texts == [("redacted-by-litellm",)]
