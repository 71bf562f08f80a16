"""What a generated sample says, read back by code that shares nothing with the generator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb

from orchestration.sample_company import SampleManifest

_TEXT = (
    "request_id", "provider", "model", "feature", "tenant_id", "user_id", "outcome", "operation_name", "service_tier",
    "provider_project", "provider_api_key_id", "response_id", "trace_id", "span_id", "operation_id",
    "conversation_id", "retry_of", "release", "usage_api",
)  # fmt: skip
_NUMBERS = (
    "http_status", "latency_ms", "attempt_number", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens", "rerank_units",
)  # fmt: skip
_FLAGS = ("is_fallback", "response_cache_hit")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _field(name: str, kind: str) -> str:
    return f"cast(coalesce(line->>'{name}', line->>'{_camel(name)}') as {kind}) as {name}"


@dataclass(frozen=True)
class Story:
    """A generated sample, with what was written read back by code that shares nothing with the generator."""

    manifest: SampleManifest

    @cached_property
    def db(self) -> duckdb.DuckDBPyConnection:
        """Tables `lines` (request log), `calls` and `roots` (spans), `gateway`, `outcomes`."""
        root = self.manifest.root
        db = duckdb.connect(config={"threads": 2})
        fields = ", ".join(
            [_field(name, "varchar") for name in _TEXT]
            + [_field(name, "bigint") for name in _NUMBERS]
            + [_field(name, "boolean") for name in _FLAGS]
        )
        db.execute(
            f"""create table logged as
            select filename, line->>'event' as event, line->'usage' as usage, {fields},
              coalesce(try_cast(rtrim(line->>'ts', 'Z') as timestamp), epoch_ms(cast(line->>'ts' as bigint))) as ts
            from read_json_objects('{root}/requests/*', format='newline_delimited', filename=true)
              as t(line, filename)"""
        )
        # Input classes as the contract reads them: flat input holds the cache, Anthropic's own does not.
        claude = "usage_api = 'anthropic.messages'"
        db.execute(
            f"""create table lines as
            select *, cast(ts as date) as day, (usage is not null or input_tokens is not null) as has_usage,
              case when {claude} then cast(usage->>'input_tokens' as bigint)
                when usage is not null then cast(usage->>'prompt_tokens' as bigint)
                  - cast(usage->'prompt_tokens_details'->>'cached_tokens' as bigint)
                else input_tokens - coalesce(cache_read_tokens, 0) - coalesce(cache_write_5m_tokens, 0)
                  - coalesce(cache_write_1h_tokens, 0) end as fresh,
              case when {claude} then cast(usage->>'cache_read_input_tokens' as bigint)
                when usage is not null then cast(usage->'prompt_tokens_details'->>'cached_tokens' as bigint)
                else cache_read_tokens end as cached,
              case when {claude} then cast(usage->>'cache_creation_input_tokens' as bigint)
                else cache_write_5m_tokens + cache_write_1h_tokens end as written,
              case when {claude} then cast(usage->>'output_tokens' as bigint)
                when usage is not null then cast(usage->>'completion_tokens' as bigint)
                else output_tokens end as output
            from logged"""
        )
        db.execute("alter table lines add column total bigint")
        db.execute("update lines set total = fresh + coalesce(cached, 0) + coalesce(written, 0)")
        db.register("span_rows", _arrow(self._spans()))
        db.execute("create table spans as select * from span_rows")
        db.execute(
            f"""create table gateway as
            select line->>'id' as response_id, line->>'custom_llm_provider' as provider, line->>'end_user' as tenant_id,
              cast(line->>'prompt_tokens' as bigint) as input_tokens, line
            from read_json_objects('{root}/gateway/*', format='newline_delimited') as t(line)"""
        )
        db.execute(
            f"""create table outcomes as
            select line->>'event_id' as event_id, cast(rtrim(line->>'ts', 'Z') as timestamp) as ts,
              line->>'verdict' as verdict,
              line->>'reverses' as reverses, line->>'operation_id' as operation_id, line->>'trace_id' as trace_id,
              line->>'request_id' as request_id, line->>'name' as name, filename
            from read_json_objects('{root}/outcomes/*', format='newline_delimited', filename=true)
              as t(line, filename)"""
        )
        return db

    def _spans(self) -> Iterator[dict[str, Any]]:
        for file in sorted(self.manifest.otel.iterdir()):
            for line in file.read_text().splitlines():
                for resource in json.loads(line)["resourceSpans"]:
                    service = _attributes(resource["resource"])["service.name"]
                    for scope in resource["scopeSpans"]:
                        for span in scope["spans"]:
                            attributes = _attributes(span)
                            yield {
                                "file": file.name,
                                "service": service,
                                "trace_id": span["traceId"],
                                "span_id": span["spanId"],
                                "parent_id": span.get("parentSpanId"),
                                "tenant_id": attributes.get("app.tenant_id"),
                                "operation": attributes.get("gen_ai.operation.name"),
                                "response_id": attributes.get("gen_ai.response.id"),
                                "input_tokens": attributes.get("gen_ai.usage.input_tokens"),
                                "output_tokens": attributes.get("gen_ai.usage.output_tokens"),
                            }

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a query over the tables."""
        return self.db.execute(query, list(values)).fetchall()

    def value(self, query: str, *values: Any) -> Any:
        """Run a query that has one value."""
        return self.rows(query, *values)[0][0]

    @cached_property
    def truth(self) -> dict[str, Any]:
        """The written ground truth."""
        return json.loads(self.manifest.ground_truth.read_text())

    def incident(self, name: str) -> dict[str, Any]:
        """One planted incident."""
        return next(one for one in self.truth["incidents"] if one["id"] == name)

    @cached_property
    def bills(self) -> dict[str, Any]:
        """What the providers serve."""
        return {path.stem: json.loads(path.read_text()) for path in self.manifest.bills.iterdir()}


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in holder["attributes"]:
        ((kind, value),) = one["value"].items()
        found[one["key"]] = int(value) if kind == "intValue" else value
    return found


def _arrow(rows: Iterator[dict[str, Any]]) -> Any:
    import pyarrow as pa  # noqa: PLC0415 (only this fixture needs it)

    return pa.Table.from_pylist(list(rows))
