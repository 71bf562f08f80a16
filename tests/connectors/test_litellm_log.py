"""LiteLLM's log files, from lines to landed rows."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landed import all_bytes, landed, quarantined
from litellm_payloads import PLANTED_PROMPT, failure, payload
from pydantic import ValidationError

from orchestration.connectors import litellm_log
from orchestration.connectors.errors import ConnectorError, MissingSecretError
from orchestration.connectors.litellm_log import REQUESTS, LitellmLog, LitellmLogConfig
from orchestration.landing.results import TableResult
from orchestration.landing.store import LandingStore

SOURCE = "gateway"
KEY = "a key for tests"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def pull(root: Path, path: Path, key: str | None = KEY, **options: Any) -> TableResult:
    def secret(name: str) -> str:
        if key is None:
            raise MissingSecretError(SOURCE, name)
        return key

    config = LitellmLogConfig(path=str(path), **options)
    result = LandingStore(root / "landing", now=lambda: NOW).run(SOURCE, LitellmLog(SOURCE, config, secret))
    return result.tables.get(REQUESTS.name, TableResult())


def rows(root: Path) -> list[dict[str, Any]]:
    return landed(root / "landing", SOURCE, REQUESTS.name)


def write(path: Path, *lines: dict[str, Any] | str) -> Path:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def counts(result: TableResult) -> tuple[int, int, int, int]:
    return result.rows_read, result.rows_landed, result.rows_quarantined, result.rows_skipped


def test_a_payload_lands_with_all_its_columns(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", payload())
    assert counts(pull(tmp_path, log)) == (1, 1, 0, 0)
    (row,) = rows(tmp_path)
    assert set(row) == {"source_name", "pull_id", "usage_date", *REQUESTS.schema.names}
    assert str(row["usage_date"]) == "2026-11-21"
    assert row["started_at"] == datetime(2026, 11, 21, 8, 21, 40, 140415, tzinfo=UTC)
    assert (row["tenant_id"], row["feature"]) == ("acme", "draft")
    assert row["user_hash"] == hmac.new(KEY.encode(), b"raw-user-7", hashlib.sha256).hexdigest()
    assert row["cost_usd"] == Decimal("0.019257")
    assert (row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) == (2000, 1000)
    assert row["input_file"] == str(log)


def test_what_cannot_be_read_is_kept_aside_and_the_rest_lands(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log.jsonl",
        payload(),
        "{",
        "",
        "[]",
        payload(prompt_tokens=-1),
        failure(),
        payload(startTime=None),
        '{"half": "written',
    )
    log.write_text(log.read_text().removesuffix("\n"))
    assert counts(pull(tmp_path, log)) == (8, 2, 5, 1)
    assert quarantined(tmp_path / "landing", SOURCE, REQUESTS.name) == [
        (2, "invalid_json"),
        (4, "invalid_json"),
        (5, "negative:prompt_tokens"),
        (7, "missing:startTime"),
        (8, "incomplete_last_line"),
    ]


def test_no_content_and_no_raw_user_id_gets_anywhere_below_landing(tmp_path: Path) -> None:
    tagged = payload(request_tags=["feature:draft", "user_id:raw-user-7"])
    broken = payload(prompt_tokens="raw-user-7")
    pull(tmp_path, write(tmp_path / "log.jsonl", payload(), tagged, broken, failure(), f'"{PLANTED_PROMPT}"'))
    everything = all_bytes(tmp_path / "landing")
    assert b"litellm_requests" in everything
    assert b"merger" not in everything
    assert b"raw-user-7" not in everything


def test_the_hash_key_is_needed_only_when_a_user_is_named(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", payload(metadata={}))
    assert pull(tmp_path, log, key=None).rows_landed == 1
    with pytest.raises(MissingSecretError, match="TRUEUP_USER_HASH_KEY"):
        pull(tmp_path, write(tmp_path / "named.jsonl", payload()), key=None)


def test_growing_rotated_copied_and_compressed_logs_land_each_call_once(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = write(folder / "log.jsonl", payload(litellm_call_id="1"))
    pull(tmp_path, folder)
    assert not pull(tmp_path, folder).is_changed
    write(log, payload(litellm_call_id="1"), payload(litellm_call_id="2"))
    log.rename(folder / "log-1.jsonl")
    write(log, payload(litellm_call_id="3"))
    packed = gzip.compress(json.dumps(payload(litellm_call_id="4")).encode() + b"\n")
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        (folder / name).write_bytes(packed)
    pull(tmp_path, folder)
    assert sorted(row["request_id"] for row in rows(tmp_path)) == ["1", "2", "3", "4"]


def test_rows_are_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm_log, "ROWS_AT_ONCE", 3)
    log = write(tmp_path / "log.jsonl", *(payload(litellm_call_id=str(number)) for number in range(8)))
    assert counts(pull(tmp_path, log)) == (8, 8, 0, 0)
    assert sorted(row["request_id"] for row in rows(tmp_path)) == list("01234567")


def test_a_site_says_where_tenant_feature_and_user_stand(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log.jsonl",
        payload(request_tags=["classifier"], metadata={"user_api_key_team_id": "t1"}, model_parameters={"user": "u"}),
    )
    pull(
        tmp_path,
        log,
        tenant_from=["metadata.user_api_key_team_id"],
        feature_from=["bare_tag"],
        user_from=["model_parameters.user"],
    )
    (row,) = rows(tmp_path)
    assert (row["tenant_id"], row["feature"]) == ("t1", "classifier")
    assert row["user_hash"] == hmac.new(KEY.encode(), b"u", hashlib.sha256).hexdigest()


def test_nothing_there_and_a_config_that_means_nothing_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError):
        pull(tmp_path, tmp_path / "nowhere.jsonl")
    assert counts(pull(tmp_path, tmp_path, allow_empty=True)) == (0, 0, 0, 0)
    with pytest.raises(ValidationError):
        LitellmLogConfig.model_validate({"path": "x", "tenants": []})


kinds = st.sampled_from(
    [("good", payload()), ("good", failure()), ("bad", "{"), ("bad", payload(status="odd")), ("blank", "")]
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(kinds, max_size=12))
def test_law_every_line_is_landed_quarantined_or_skipped(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, Any]]
) -> None:
    root = tmp_path_factory.mktemp("litellm")
    result = pull(root, write(root / "log.jsonl", *(line for _, line in lines)))
    of_kind = [kind for kind, _ in lines]
    expected = [of_kind.count(kind) for kind in ("good", "bad", "blank")]
    assert counts(result) == (len(lines), *expected)
