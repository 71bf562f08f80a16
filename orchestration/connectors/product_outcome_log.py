"""What the product says of its answers: `product.outcome`, one JSON object a line.

The shape is ours and is written down in `schemas/product_outcome.v1.json`. Belongs here: its fields and their landed
types. Does not belong here: which operation a verdict belongs to, and what counts; that is dbt's.
"""

from __future__ import annotations

from typing import ClassVar

from orchestration.connectors.base import PullSink, SecretResolver, TableKind, TableSpec, Window
from orchestration.connectors.jsonl import Field, LineFormat, land_json_lines
from orchestration.connectors.llm_request_log import LogConfig, landed_columns

FIELDS = (
    Field("event_id", required=True),
    Field("ts", "moment", column="occurred_at", required=True),
    Field("name", required=True),
    Field("tenant_id"),
    Field("user_id", "user_id", column="user_hash"),
    Field("feature"),
    Field("verdict", required=True, allowed=("accepted", "rejected", "reversed")),
    Field("reverses"),
    Field("operation_id"),
    Field("request_id"),
    Field("trace_id"),
    Field("conversation_id"),
    Field("value_usd", "decimal", type="decimal(38, 12)"),
)

PRODUCT_OUTCOMES = TableSpec("product_outcomes", TableKind.APPEND, landed_columns(FIELDS))
FORMAT = LineFormat(PRODUCT_OUTCOMES, "product.outcome", FIELDS)


class ProductOutcomeLog:
    """Lands `product.outcome` lines."""

    kind: ClassVar[str] = "product_outcome_log"
    tables: ClassVar[tuple[TableSpec, ...]] = (PRODUCT_OUTCOMES,)
    Config = LogConfig

    def __init__(self, source_name: str, config: LogConfig, secrets: SecretResolver) -> None:
        self._source_name = source_name
        self._config = config
        self._secrets = secrets

    def pull(self, sink: PullSink, window: Window | None) -> None:  # noqa: ARG002
        """Land every line that is new.

        Raises:
            ConnectorError: When there is no input.
            MissingSecretError: When a line has a user id and the key is not set.
        """
        land_json_lines(
            sink,
            FORMAT,
            self._config.path,
            allow_empty=self._config.allow_empty,
            user_key=lambda: self._secrets(self._config.user_hash_key_env),
        )
