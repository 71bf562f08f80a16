"""OpenAI's organisation reports: what the organisation used, and what it is charged.

Belongs here: the endpoints under `/v1/organization`, their parameters, limits and fields. Does not belong
here: HTTP, reading buckets, and what a line item or a token class means for the price.

Usage has no money and costs have no model: the two meet by day and project only. For money the costs endpoint
is the one that reconciles to the invoice; usage is recorded differently and need not agree with it exactly.

Two things are left out on purpose. The organisation member (`user_id`) is a person, so it is neither grouped
by nor landed. Buckets of one minute are not offered: half a year of them is 260,000 buckets an endpoint.

Field names and limits: OpenAI's API reference and openai-python 3.52 (`types/admin/organization`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.connectors.base import PullSink, SecretResolver, TableSpec, Window
from orchestration.connectors.bucket_report import (
    ReportColumn,
    Row,
    bucket_table,
    count,
    decimal,
    flag,
    midnight,
    read_report,
    recent_window,
    report_data,
    text,
    unix_moment,
    us_dollar_currency,
)
from orchestration.connectors.http import (
    ApiKey,
    BaseUrl,
    HttpApi,
    HttpOptions,
    JsonObject,
    ProviderError,
    QueryParams,
)

_log = logging.getLogger(__name__)

UsageEndpoint = Literal[
    "completions",
    "decisions",
    "embeddings",
    "moderations",
    "images",
    "audio_speeches",
    "audio_transcriptions",
    "vector_stores",
    "code_interpreter_sessions",
    "file_search_calls",
    "web_search_calls",
]

_MAX_BUCKETS_PER_PAGE = {"1d": 31, "1h": 168}
_MAX_COST_BUCKETS_PER_PAGE = 180
# Dimensions without influence on the price: an answer without them is poorer, not wrong.
_DISPENSABLE = ("api_key_id", "api_source")

_MODEL_COLUMNS = (
    text("project_id"),
    text("api_key_id"),
    text("model"),
    flag("batch"),
    text("service_tier"),
    text("api_source"),
    count("num_model_requests"),
    # Total input: uncached, cached and cache writes, of all modalities.
    count("input_tokens"),
    count("input_uncached_tokens"),
    count("input_cached_tokens"),
    count("input_cache_write_tokens"),
    count("input_cache_write_30m_tokens"),
    count("input_cache_write_12h_tokens"),
    # By modality, uncached only.
    count("input_text_tokens"),
    count("input_audio_tokens"),
    count("input_image_tokens"),
    count("input_cached_text_tokens"),
    count("input_cached_audio_tokens"),
    count("input_cached_image_tokens"),
    # Total output, reasoning included.
    count("output_tokens"),
    count("output_text_tokens"),
    count("output_audio_tokens"),
    count("output_image_tokens"),
)
_EMBEDDING_COLUMNS = (
    text("project_id"),
    text("api_key_id"),
    text("model"),
    count("num_model_requests"),
    count("input_tokens"),
)
_OTHER_DIMENSIONS = (
    text("project_id"),
    text("api_key_id"),
    text("model"),
    text("size"),
    text("source"),
    text("vector_store_id"),
    text("context_level"),
    text("api_source"),
    count("num_model_requests"),
)
_COST_COLUMNS = (
    text("project_id"),
    text("api_key_id"),
    text("api_source"),
    text("line_item"),
    decimal("amount_usd", "amount", "value"),
    us_dollar_currency("amount", "currency"),
    decimal("quantity"),
    text("quantity_unit"),
)

USAGE_COMPLETIONS = bucket_table("openai_usage_completions", text("endpoint"), *_MODEL_COLUMNS)
"""One row per bucket, endpoint (`completions` or `decisions`) and group."""
USAGE_EMBEDDINGS = bucket_table("openai_usage_embeddings", *_EMBEDDING_COLUMNS)
"""One row per bucket and group."""
USAGE_OTHER = bucket_table(
    "openai_usage_other", text("endpoint"), *_OTHER_DIMENSIONS, decimal("quantity"), text("quantity_unit")
)
"""One row per bucket, endpoint and group; `quantity` counts `quantity_unit` (images, seconds, bytes …)."""
COSTS = bucket_table("openai_costs", *_COST_COLUMNS)
"""One row per UTC day and group; negative lines are credits."""


@dataclass(frozen=True)
class _Usage:
    """One usage endpoint: where its rows land, what is read, and what it can be grouped by."""

    table: TableSpec
    columns: tuple[ReportColumn, ...]
    groups: tuple[str, ...]
    constants: Mapping[str, object] = field(default_factory=dict[str, object])
    is_recent: bool = False
    """Younger than the oldest API reference that we know: a 404 means that it is not offered."""


def _other(name: str, measure: str, unit: str, *groups: str, is_recent: bool = False) -> _Usage:
    return _Usage(
        table=USAGE_OTHER,
        columns=(*_OTHER_DIMENSIONS, decimal("quantity", measure)),
        groups=groups,
        constants={"endpoint": name, "quantity_unit": unit},
        is_recent=is_recent,
    )


_MODEL_GROUPS = ("project_id", "api_key_id", "model", "batch", "service_tier", "api_source")
_BY_MODEL = ("project_id", "api_key_id", "model")

_USAGE: Mapping[UsageEndpoint, _Usage] = {
    "completions": _Usage(USAGE_COMPLETIONS, _MODEL_COLUMNS, _MODEL_GROUPS, {"endpoint": "completions"}),
    "decisions": _Usage(USAGE_COMPLETIONS, _MODEL_COLUMNS, _MODEL_GROUPS, {"endpoint": "decisions"}, True),
    "embeddings": _Usage(USAGE_EMBEDDINGS, _EMBEDDING_COLUMNS, _BY_MODEL),
    "moderations": _other("moderations", "input_tokens", "tokens", *_BY_MODEL),
    "images": _other("images", "images", "images", *_BY_MODEL, "size", "source"),
    "audio_speeches": _other("audio_speeches", "characters", "characters", *_BY_MODEL),
    "audio_transcriptions": _other("audio_transcriptions", "seconds", "seconds", *_BY_MODEL),
    "vector_stores": _other("vector_stores", "usage_bytes", "bytes", "project_id"),
    "code_interpreter_sessions": _other("code_interpreter_sessions", "num_sessions", "sessions", "project_id"),
    "file_search_calls": _other(
        "file_search_calls",
        "num_requests",
        "requests",
        "project_id",
        "api_key_id",
        "vector_store_id",
        is_recent=True,
    ),
    "web_search_calls": _other(
        "web_search_calls",
        "num_requests",
        "requests",
        *_BY_MODEL,
        "context_level",
        "api_source",
        is_recent=True,
    ),
}
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "costs": ("project_id", "line_item", "api_key_id", "api_source"),
    **{endpoint: usage.groups for endpoint, usage in _USAGE.items()},
}


class OpenaiOrganizationConfig(BaseModel):
    """How one OpenAI organisation is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl = "https://api.openai.com/v1"
    base_url_env: str | None = None
    """Name of an environment variable that holds the base URL instead, read when the pull runs."""
    api_key_env: str = "OPENAI_ADMIN_KEY"
    """Name of the environment variable that holds the admin key."""
    endpoints: tuple[UsageEndpoint, ...] = tuple(_USAGE)
    """Usage endpoints to read. A table none of whose endpoints is read is not touched."""
    bucket_width: Literal["1d", "1h"] = "1d"
    """Width of the usage buckets; costs come by day only."""
    group_by: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    """Dimensions by usage endpoint, or of `costs`, where they are to differ from the default."""
    usage_page_limit: int | None = Field(default=None, ge=1)
    """Buckets a page; by default the most that the provider allows (31 days, 168 hours)."""
    costs_page_limit: int = Field(default=_MAX_COST_BUCKETS_PER_PAGE, ge=1, le=_MAX_COST_BUCKETS_PER_PAGE)
    """Days a page of costs; the provider rejects more than 180."""
    restatement_days: int = Field(default=7, ge=1)
    """Days before today that may still change; a pull without a window reads these and today."""
    http: HttpOptions = HttpOptions()

    @model_validator(mode="after")
    def _is_within_the_limits(self) -> OpenaiOrganizationConfig:
        most = _MAX_BUCKETS_PER_PAGE[self.bucket_width]
        if self.usage_page_limit is not None and self.usage_page_limit > most:
            raise ValueError(f"usage_page_limit is at most {most} for buckets of {self.bucket_width}")
        for endpoint, groups in self.group_by.items():
            if endpoint not in _GROUPS:
                raise ValueError(f"group_by: unknown endpoint {endpoint!r}; known: {', '.join(_GROUPS)}")
            for group in groups:
                if group not in _GROUPS[endpoint]:
                    known = ", ".join(_GROUPS[endpoint])
                    raise ValueError(f"group_by: {endpoint} cannot be grouped by {group!r}; known: {known}")
        return self

    def groups(self, endpoint: str) -> tuple[str, ...]:
        """Return the dimensions to group an endpoint's report by."""
        if endpoint in self.group_by:
            return self.group_by[endpoint]
        if endpoint == "costs":
            return ("project_id", "line_item")
        return tuple(group for group in _GROUPS[endpoint] if group != "api_source")

    def buckets_per_page(self) -> int:
        """Return the page limit of usage reports."""
        return self.usage_page_limit or _MAX_BUCKETS_PER_PAGE[self.bucket_width]


class OpenaiOrganization:
    """Reads usage and costs of one OpenAI organisation."""

    kind: ClassVar[str] = "openai_organization"
    tables: ClassVar[tuple[TableSpec, ...]] = (USAGE_COMPLETIONS, USAGE_EMBEDDINGS, USAGE_OTHER, COSTS)
    Config: ClassVar[type[OpenaiOrganizationConfig]] = OpenaiOrganizationConfig

    def __init__(self, source_name: str, config: OpenaiOrganizationConfig, secrets: SecretResolver) -> None:
        self.source_name = source_name
        self.config = config
        self._secrets = secrets

    def pull(self, sink: PullSink, window: Window | None) -> None:
        """Replace the days of `window` (None: today and the restatement days) in all four tables.

        Raises:
            ConnectorError: When a key is missing or any page of any endpoint cannot be read.
        """
        window = window or recent_window(sink.pulled_at, self.config.restatement_days)
        rows_of: dict[str, list[Row]] = {}
        with self._api() as api:
            for endpoint in self.config.endpoints:
                usage = _USAGE[endpoint]
                rows_of.setdefault(usage.table.name, []).extend(self._usage(api, endpoint, usage, window))
            rows_of[COSTS.name] = self._costs(api, window, self.config.groups("costs"))
        for table in self.tables:
            if table.name in rows_of:
                rows = rows_of[table.name]
                sink.count_read(table, len(rows))
                sink.replace_window(table, window, report_data(table, rows))

    def _api(self) -> HttpApi:
        config = self.config
        key = ApiKey(
            variable=config.api_key_env,
            expected="an admin key of the organisation (a project key is refused)",
            value=self._secrets(config.api_key_env).strip(),
            prefix="Bearer ",
        )
        base_url = self._secrets(config.base_url_env) if config.base_url_env else config.base_url
        return HttpApi(self.source_name, base_url, key, config.http)

    def _usage(self, api: HttpApi, endpoint: UsageEndpoint, usage: _Usage, window: Window) -> list[Row]:
        try:
            return self._usage_grouped(api, endpoint, usage, window, self.config.groups(endpoint))
        except ProviderError as error:
            if not (usage.is_recent and error.status == 404):
                raise
        _log.warning("source %s: usage endpoint %s is not offered (404)", self.source_name, endpoint)
        return []

    def _usage_grouped(
        self, api: HttpApi, endpoint: str, usage: _Usage, window: Window, groups: Sequence[str]
    ) -> list[Row]:
        """Read one usage report; where a dispensable dimension is refused, read those days without it.

        OpenAI does not have every dimension for all of its history. The window is cut into months first, so
        that most days which do have the dimension keep it.
        """
        params = [
            *_times(window),
            ("bucket_width", self.config.bucket_width),
            ("limit", str(self.config.buckets_per_page())),
            *_group_by(groups),
        ]
        try:
            return read_report(
                api,
                f"/organization/usage/{endpoint}",
                params,
                window=window,
                bounds=_bounds,
                columns=usage.columns,
                constants=usage.constants,
            )
        except ProviderError as error:
            refused = _refused_dimension(error, groups)
            if refused is None:
                raise
        parts = _parts(window, days=31)
        if len(parts) > 1:
            return [row for part in parts for row in self._usage_grouped(api, endpoint, usage, part, groups)]
        _log.warning(
            "source %s: usage of %s from %s to %s cannot be grouped by %s; it is NULL for these days",
            self.source_name,
            endpoint,
            window.start,
            window.end,
            refused,
        )
        left = [group for group in groups if group != refused]
        return self._usage_grouped(api, endpoint, usage, window, left)

    def _costs(self, api: HttpApi, window: Window, groups: Sequence[str]) -> list[Row]:
        params = [
            *_times(window),
            ("bucket_width", "1d"),
            ("limit", str(self.config.costs_page_limit)),
            *_group_by(groups),
        ]
        return read_report(api, "/organization/costs", params, window=window, bounds=_bounds, columns=_COST_COLUMNS)


def _times(window: Window) -> QueryParams:
    start, end = midnight(window.start), midnight(window.end)
    return [("start_time", str(int(start.timestamp()))), ("end_time", str(int(end.timestamp())))]


def _group_by(groups: Sequence[str]) -> QueryParams:
    # Brackets, as the provider's own client sends them; a bare repeated name is not understood everywhere.
    return [("group_by[]", group) for group in groups]


def _bounds(bucket: JsonObject) -> tuple[datetime, datetime]:
    return unix_moment(bucket.get("start_time")), unix_moment(bucket.get("end_time"))


def _refused_dimension(error: ProviderError, groups: Sequence[str]) -> str | None:
    """Return the dispensable dimension that the provider refused to group by, if that is what happened."""
    if error.status != 400:
        return None
    named = (group for group in groups if re.search(rf"\b{group}\b", error.answered_message))
    return next((group for group in named if group in _DISPENSABLE), None)


def _parts(window: Window, days: int) -> list[Window]:
    """Cut a window into windows of at most `days` days, oldest first."""
    starts = list(window.days())[::days]
    return [Window(start, min(start + timedelta(days=days), window.end)) for start in starts]
