"""Anthropic's organisation reports: what the organisation used, and what it is charged.

Belongs here: the usage and cost reports of the Admin API, their parameters, limits and fields. Does not
belong here: HTTP, reading buckets, and what a description or a token class means for the price.

Amounts are cents, given as decimal text, often with fractions of a cent. They are landed as cents, in a
column that says so. The four input classes of usage are disjoint: their sum is the whole input. Usage has no
number of requests, and the cost report no API key; the two meet by day, workspace, model and token type.
Priority Tier is missing from the cost report, code execution from usage. What goes through Bedrock, Vertex or
Foundry is in neither: the cloud bills it.

The account of a person (`account_id`) is neither grouped by nor landed. Buckets of one minute are not
offered: half a year of them is 260,000 buckets.

Field names and limits: Anthropic's Admin API reference, version 2023-06-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.connectors.base import PullSink, SecretResolver, TableSpec, Window
from orchestration.connectors.bucket_report import (
    bucket_table,
    count,
    decimal,
    midnight,
    read_report,
    recent_window,
    report_data,
    rfc3339_moment,
    text,
    us_dollar_currency,
)
from orchestration.connectors.http import ApiKey, BaseUrl, HttpApi, HttpOptions, JsonObject, QueryParams

UsageGroup = Literal[
    "api_key_id",
    "workspace_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
    "service_account_id",
]
CostGroup = Literal["workspace_id", "description"]

_MAX_BUCKETS_PER_PAGE = {"1d": 31, "1h": 168}
_BETA_OF_SPEED = "fast-mode-2026-02-01"

_USAGE_COLUMNS = (
    text("api_key_id"),  # NULL also for usage in the Console
    text("workspace_id"),  # NULL also for the default workspace
    text("model"),
    text("service_tier"),
    text("context_window"),
    text("inference_geo"),
    text("speed"),
    text("service_account_id"),
    count("uncached_input_tokens"),
    count("cache_read_input_tokens"),
    count("cache_creation_ephemeral_5m_input_tokens", "cache_creation", "ephemeral_5m_input_tokens"),
    count("cache_creation_ephemeral_1h_input_tokens", "cache_creation", "ephemeral_1h_input_tokens"),
    count("output_tokens"),
    count("web_search_requests", "server_tool_use", "web_search_requests"),
)
_COST_COLUMNS = (
    text("workspace_id"),
    text("description"),
    text("cost_type"),
    text("token_type"),
    text("model"),
    text("service_tier"),
    text("context_window"),
    text("inference_geo"),
    decimal("amount_cents", "amount", required=True),
    us_dollar_currency("currency"),
)

USAGE_MESSAGES = bucket_table("anthropic_usage_messages", *_USAGE_COLUMNS)
"""One row per bucket and group."""
COST_REPORT = bucket_table("anthropic_cost_report", *_COST_COLUMNS)
"""One row per UTC day and group; `amount_cents` is in hundredths of a US dollar."""


class AnthropicOrganizationConfig(BaseModel):
    """How one Anthropic organisation is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl = "https://api.anthropic.com"
    base_url_env: str | None = None
    """Name of an environment variable that holds the base URL instead, read when the pull runs."""
    api_key_env: str = "ANTHROPIC_ADMIN_KEY"
    """Name of the environment variable that holds the admin key."""
    anthropic_version: str = "2023-06-01"
    bucket_width: Literal["1d", "1h"] = "1d"
    """Width of the usage buckets; costs come by day only."""
    usage_group_by: tuple[UsageGroup, ...] = (
        "api_key_id",
        "workspace_id",
        "model",
        "service_tier",
        "context_window",
        "inference_geo",
    )
    """`speed` is behind a beta header, which is sent when it is asked for."""
    cost_group_by: tuple[CostGroup, ...] = ("workspace_id", "description")
    """Without `description` the model, the tier and the token type of a cost are NULL."""
    usage_page_limit: int | None = Field(default=None, ge=1)
    """Buckets a page; by default the most that the provider allows (31 days, 168 hours)."""
    cost_page_limit: int = Field(default=31, ge=1, le=31)
    """Days a page of costs."""
    restatement_days: int = Field(default=30, ge=1)
    """Days before today that may still change; a pull without a window reads these and today."""
    http: HttpOptions = HttpOptions()

    @model_validator(mode="after")
    def _is_within_the_limits(self) -> AnthropicOrganizationConfig:
        most = _MAX_BUCKETS_PER_PAGE[self.bucket_width]
        if self.usage_page_limit is not None and self.usage_page_limit > most:
            raise ValueError(f"usage_page_limit is at most {most} for buckets of {self.bucket_width}")
        return self

    def buckets_per_page(self) -> int:
        """Return the page limit of the usage report."""
        return self.usage_page_limit or _MAX_BUCKETS_PER_PAGE[self.bucket_width]


class AnthropicOrganization:
    """Reads usage and costs of one Anthropic organisation."""

    kind: ClassVar[str] = "anthropic_organization"
    tables: ClassVar[tuple[TableSpec, ...]] = (USAGE_MESSAGES, COST_REPORT)
    Config: ClassVar[type[AnthropicOrganizationConfig]] = AnthropicOrganizationConfig

    def __init__(self, source_name: str, config: AnthropicOrganizationConfig, secrets: SecretResolver) -> None:
        self.source_name = source_name
        self.config = config
        self._secrets = secrets

    def pull(self, sink: PullSink, window: Window | None) -> None:
        """Replace the days of `window` (None: today and the restatement days) in both tables.

        Raises:
            ConnectorError: When a key is missing or any page of either report cannot be read.
        """
        config = self.config
        window = window or recent_window(sink.pulled_at, config.restatement_days)
        with self._api() as api:
            usage = read_report(
                api,
                "/v1/organizations/usage_report/messages",
                _query(window, config.bucket_width, config.buckets_per_page(), config.usage_group_by),
                window=window,
                bounds=_bounds,
                columns=_USAGE_COLUMNS,
            )
            costs = read_report(
                api,
                "/v1/organizations/cost_report",
                _query(window, "1d", config.cost_page_limit, config.cost_group_by),
                window=window,
                bounds=_bounds,
                columns=_COST_COLUMNS,
            )
        for table, rows in ((USAGE_MESSAGES, usage), (COST_REPORT, costs)):
            sink.count_read(table, len(rows))
            sink.replace_window(table, window, report_data(table, rows))

    def _api(self) -> HttpApi:
        config = self.config
        key = ApiKey(
            variable=config.api_key_env,
            expected="an Admin API key of the organisation (an ordinary API key is refused)",
            value=self._secrets(config.api_key_env).strip(),
            header="x-api-key",
        )
        headers = {"anthropic-version": config.anthropic_version}
        if "speed" in config.usage_group_by:
            headers["anthropic-beta"] = _BETA_OF_SPEED
        base_url = self._secrets(config.base_url_env) if config.base_url_env else config.base_url
        return HttpApi(self.source_name, base_url, key, config.http, headers)


def _query(window: Window, width: str, limit: int, groups: Sequence[str]) -> QueryParams:
    return [
        ("starting_at", f"{midnight(window.start):%Y-%m-%dT%H:%M:%SZ}"),
        ("ending_at", f"{midnight(window.end):%Y-%m-%dT%H:%M:%SZ}"),
        ("bucket_width", width),
        ("limit", str(limit)),
        # Brackets: the Admin API answers 400 to a bare repeated name.
        *(("group_by[]", group) for group in groups),
    ]


def _bounds(bucket: JsonObject) -> tuple[datetime, datetime]:
    return rfc3339_moment(bucket.get("starting_at")), rfc3339_moment(bucket.get("ending_at"))
