"""The request log: every line lands, is quarantined with its number and reason, or is counted as another event."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.connectors import llm_request_log, product_outcome_log
from orchestration.connectors.errors import ConnectorError, MissingSecretError
from orchestration.connectors.jsonl import LogConfig
from orchestration.connectors.llm_request_log import LlmRequestLog
from orchestration.connectors.log_files import masked
from orchestration.landing.store import LandingStore

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
KEY = "a key of the tests"


def line(**fields):
    base = {
        "event": "llm.request",
        "ts": "2026-10-01T10:00:00Z",
        "request_id": "r1",
        "provider": "openai",
        "model": "gpt-4.1",
        "outcome": "success",
        "input_tokens": 1000,
        "output_tokens": 10,
    }
    base.update(fields)
    return json.dumps({key: value for key, value in base.items() if value is not ...})


class Landing:
    def __init__(self, root: Path):
        self.root = root
        self.inbox = root / "inbox"
        self.inbox.mkdir(parents=True)
        self.store = LandingStore(root / "landing", now=lambda: NOW)

    def write(self, name, *lines, end="\n"):
        path = self.inbox / name
        path.write_text("\n".join(lines) + end)
        return path

    def pull(self, path=None, secrets=lambda _: KEY, **config):
        log = LlmRequestLog("app", LogConfig(path=str(path or self.inbox), **config), secrets)
        return self.store.run("app", log, None).tables.get("llm_requests")

    def rows(self, columns="*"):
        files = str(self.store.root / "*/llm_requests/usage_date=*/*.parquet")
        with duckdb.connect() as database:
            database.execute("set TimeZone = 'UTC'")
            return database.execute(
                f"select {columns} from read_parquet('{files}', hive_partitioning = true) order by request_id"
            ).fetchall()

    def quarantine(self):
        files = str(self.store.root / "_quarantine/app/llm_requests/*.parquet")
        with duckdb.connect() as database:
            return database.execute(
                f"select reason, line_number from read_parquet('{files}') order by line_number, reason"
            ).fetchall()

    def bytes(self):
        return b"".join(path.read_bytes() for path in self.store.root.rglob("*") if path.is_file())


@pytest.fixture
def landing(tmp_path):
    return Landing(tmp_path)


def test_a_line_lands_on_its_utc_day_with_its_values(landing):
    landing.write("a.jsonl", line(ts="2026-10-01T23:30:00-02:00", tenant_id="acme", cost_usd="0.000000000123"))
    landing.pull()
    ((day, started_at, tenant, cost),) = landing.rows("usage_date, started_at, tenant_id, cost_usd")
    assert str(day) == "2026-10-02"
    assert started_at == datetime(2026, 10, 2, 1, 30, tzinfo=UTC)
    assert (tenant, cost) == ("acme", Decimal("0.000000000123"))


@pytest.mark.parametrize("ts", [1790848800123, "1790848800123", "2026-10-01T10:00:00.123Z"])
def test_a_moment_is_read_as_milliseconds_or_with_a_zone(landing, ts):
    landing.write("a.jsonl", line(ts=ts))
    landing.pull()
    assert landing.rows("started_at") == [(datetime(2026, 10, 1, 10, 0, 0, 123000, tzinfo=UTC),)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"input_tokens": -5}, "negative:input_tokens"),
        ({"input_tokens": "many"}, "wrong_type:input_tokens"),
        ({"input_tokens": 12.5}, "wrong_type:input_tokens"),
        ({"output_tokens": 2**63}, "wrong_type:output_tokens"),
        ({"tenant_id": {"id": "acme"}}, "wrong_type:tenant_id"),
        ({"usage": "none"}, "wrong_type:usage"),
        ({"is_fallback": "perhaps"}, "wrong_type:is_fallback"),
        ({"outcome": "fine"}, "invalid:outcome"),
        ({"request_id": ...}, "missing:request_id"),
        ({"provider": ""}, "missing:provider"),
        ({"event": ...}, "missing:event"),
        ({"ts": None}, "missing:ts"),
        ({"ts": "2026-10-01 10:00:00"}, "wrong_type:ts"),
        ({"ts": 1790848800}, "timestamp_out_of_range"),
        ({"ts": 0}, "timestamp_out_of_range"),
        ({"ts": "2026-10-08T00:00:00Z"}, "timestamp_out_of_range"),
    ],
)
def test_a_bad_line_is_quarantined_with_its_number_and_the_others_land(landing, fields, reason):
    landing.write("a.jsonl", line(request_id="r0"), line(**fields), line(request_id="r2"))
    result = landing.pull()
    assert (result.rows_read, result.rows_landed, result.rows_quarantined) == (3, 2, 1)
    assert landing.quarantine() == [(reason, 2)]
    assert [row[0] for row in landing.rows("request_id")] == ["r0", "r2"]


@pytest.mark.parametrize(
    "text",
    ['{"event": "llm.request", "ts": ', "not json at all", "[1, 2]", '"text"', "\x00\x01", "NaN", "{}{}"],
)
def test_a_line_that_is_not_an_object_is_quarantined(landing, text):
    landing.write("a.jsonl", line(request_id="r0"), text, line(request_id="r2"))
    result = landing.pull()
    assert (result.rows_read, result.rows_landed, result.rows_quarantined) == (3, 2, 1)
    assert landing.quarantine() == [("invalid_json", 2)]


def test_other_events_and_blank_lines_are_counted_as_skipped(landing):
    landing.write("a.jsonl", line(), "", '{"event": "http.request", "prompt": "secret"}', line(request_id="r2"))
    result = landing.pull()
    assert (result.rows_read, result.rows_landed, result.rows_skipped) == (4, 2, 2)


def test_both_spellings_of_a_field_are_read(landing):
    landing.write("a.jsonl", line(tenantId="acme", tenant_id=..., usageApi="openai.chat", usage={"prompt_tokens": 7}))
    landing.pull()
    assert landing.rows("tenant_id, usage_api, usage") == [("acme", "openai.chat", '{"prompt_tokens":7}')]


def test_a_provider_that_nobody_knows_lands(landing):
    landing.write("a.jsonl", line(provider="acme.models"))
    assert landing.pull().rows_landed == 1


def test_unknown_counts_stay_unknown_and_zero_stays_zero(landing):
    landing.write("a.jsonl", line(input_tokens=None, output_tokens=..., cache_read_tokens=0))
    landing.pull()
    assert landing.rows("input_tokens, output_tokens, cache_read_tokens") == [(None, None, 0)]


def test_duplicate_ids_all_land_because_telling_calls_apart_is_not_the_landings_business(landing):
    landing.write("a.jsonl", line(), line())
    assert landing.pull().rows_landed == 2


def test_a_line_of_100_megabytes_is_quarantined_and_its_neighbours_land(landing):
    path = landing.inbox / "a.jsonl"
    with path.open("w") as handle:
        handle.write(line(request_id="r0") + "\n")
        handle.write('{"event": "llm.request", "prompt": "' + "x" * 100_000_000 + '"}\n')
        handle.write(line(request_id="r2") + "\n")
    result = landing.pull()
    assert (result.rows_read, result.rows_landed, result.rows_quarantined) == (3, 2, 1)
    assert landing.quarantine() == [("line_too_long", 2)]


def test_an_empty_file_is_fine_and_a_missing_one_is_not(landing):
    (landing.inbox / "a.jsonl").write_text("")
    assert landing.pull() is None
    with pytest.raises(ConnectorError, match="source app: no such file, folder or match; request: .*nowhere"):
        landing.pull(landing.root / "nowhere")
    (landing.root / "hollow").mkdir()
    with pytest.raises(ConnectorError, match="the folder holds no log file"):
        landing.pull(landing.root / "hollow")
    assert landing.pull(landing.root / "hollow", allow_empty=True) is None


def test_gzip_lands_like_plain_text(landing):
    (landing.inbox / "a.jsonl.gz").write_bytes(gzip.compress((line() + "\n").encode()))
    assert landing.pull().rows_landed == 1


def test_of_a_broken_gzip_what_can_be_read_lands(landing):
    text = "".join(line(request_id=f"r{number:05}") + "\n" for number in range(5000))
    packed = gzip.compress(text.encode(), compresslevel=1)
    (landing.inbox / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    result = landing.pull()
    assert 0 < result.rows_landed < 5000
    assert result.reasons == {"broken_gzip": 1}
    assert landing.quarantine() == [("broken_gzip", result.rows_landed + 1)]


def test_reading_twice_lands_once_and_a_grown_or_rotated_log_lands_its_tail(landing):
    path = landing.write("app.log", line(request_id="r0"), line(request_id="r1"))
    assert landing.pull().rows_landed == 2
    assert landing.pull() is None
    with path.open("a") as handle:
        handle.write(line(request_id="r2") + "\n")
    assert landing.pull().rows_landed == 1
    path.rename(landing.inbox / "app-2026-10-01.log")
    landing.write("app.log", line(request_id="r3"))
    result = landing.pull()
    assert (result.rows_read, result.rows_landed) == (1, 1)
    assert [row[0] for row in landing.rows("request_id")] == ["r0", "r1", "r2", "r3"]


@pytest.mark.parametrize("spoilt", ['{"ts":', '{"ts": 1,', "[", '{"a": "', '{"a": 1}}'])
def test_a_broken_line_takes_no_good_line_along(landing, spoilt):
    """DuckDB's `ignore_errors` loses the line after one that ends in a colon or a comma."""
    landing.write("a.jsonl", line(request_id="r0"), spoilt, line(request_id="r1"), line(request_id="r2"))
    assert landing.pull().rows_landed == 3
    assert landing.quarantine() == [("invalid_json", 2)]


def test_a_log_that_was_compressed_after_it_landed_lands_nothing_again(landing):
    path = landing.write("app.log", line(request_id="r0"), line(request_id="r1"))
    assert landing.pull().rows_landed == 2
    (landing.inbox / "app.log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.write_text(line(request_id="r2") + "\n")
    assert landing.pull().rows_landed == 1


def test_a_half_written_last_line_waits_until_it_is_whole(landing):
    path = landing.write("app.log", line(request_id="r0"), line(request_id="r1")[:50], end="")
    result = landing.pull()
    assert (result.rows_landed, result.reasons) == (1, {"incomplete_last_line": 1})
    with path.open("a") as handle:
        handle.write(line(request_id="r1")[50:] + "\n")
    assert landing.pull().rows_landed == 1
    assert [row[0] for row in landing.rows("request_id")] == ["r0", "r1"]


def test_a_whole_last_line_without_a_newline_lands(landing):
    landing.write("app.log", line(request_id="r0"), line(request_id="r1"), end="")
    assert landing.pull().rows_landed == 2


def test_no_user_id_and_no_prompt_reaches_the_disk(landing):
    landing.write(
        "a.jsonl",
        line(user_id="jane.doe@example.com", prompt="my secret plan", messages=[{"content": "my secret plan"}]),
        '{"event": "llm.request", "user_id": "jane.doe@example.com", "prompt": "my secret plan"',
        line(user_id="jane.doe@example.com", input_tokens=-1, completion="my secret plan"),
    )
    result = landing.pull()
    assert (result.rows_landed, result.rows_quarantined) == (1, 2)
    hashed = hmac.new(KEY.encode(), b"jane.doe@example.com", hashlib.sha256).hexdigest()
    assert landing.rows("user_hash") == [(hashed,)]
    stored = landing.bytes()
    assert b"jane.doe" not in stored
    assert b"secret plan" not in stored


def test_a_user_id_without_a_key_fails_and_names_the_variable(landing):
    def missing(name):
        raise MissingSecretError("app", name)

    landing.write("a.jsonl", line(user_id="jane"))
    with pytest.raises(Exception, match="TRUEUP_USER_HASH_KEY is not set"):
        landing.pull(secrets=missing)
    landing.write("a.jsonl", line())
    assert landing.pull(secrets=missing).rows_landed == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"user": "jane", "n": 12}',
        '{"prompt": "unterminated secret',
        "free secret text jane 12",
        '{"a\\"b": "jane"}',
    ],
)
def test_an_excerpt_shows_the_shape_and_nothing_else(text):
    shown = masked(text.encode())
    assert not any(word in shown for word in ("jane", "secret", "12"))


good = st.builds(lambda tokens: line(input_tokens=tokens), st.integers(0, 2**63 - 1))
bad = st.sampled_from(
    [line(input_tokens=-1), "{", "[]", '{"ts":', '{"ts": 1,', line(outcome="?"), line(ts="yesterday"), "\ufffd"]
)
other = st.sampled_from(["", "   ", '{"event": "other"}'])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(good, bad, other), max_size=30))
def test_every_line_is_landed_quarantined_or_skipped(tmp_path_factory, lines):
    landing = Landing(tmp_path_factory.mktemp("mix"))
    landing.write("a.jsonl", *lines)
    result = landing.pull()
    bads = sum(
        text in ("{", "[]", "\ufffd", '{"ts":', '{"ts": 1,') or '"?"' in text or "yesterday" in text or ": -1" in text
        for text in lines
    )
    others = sum(not text.strip() or '"other"' in text for text in lines) + (not lines)
    assert result.rows_read == max(len(lines), 1)
    assert (result.rows_quarantined, result.rows_skipped) == (bads, others)
    assert result.rows_landed == len(lines) - bads - others + (not lines)


@pytest.mark.parametrize(
    ("name", "log"),
    [("llm_request", llm_request_log), ("product_outcome", product_outcome_log)],
)
def test_the_json_schema_and_the_landed_columns_say_the_same(name, log):
    folder = Path(llm_request_log.__file__).parent / "schemas"
    schema = json.loads((folder / f"{name}.v1.json").read_text())
    fields = {field.name: field for field in log.FIELDS}
    assert set(schema["properties"]) == {"event", *fields}
    assert set(schema["required"]) == {"event", *(field.name for field in log.FIELDS if field.required)}
    assert [field.target for field in log.FIELDS] == log.FORMAT.table.schema.names[:-1]
    for field in log.FIELDS:
        if field.allowed:
            assert tuple(schema["properties"][field.name]["enum"]) == field.allowed
