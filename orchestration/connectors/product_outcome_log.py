"""What the product says of its answers: `product.outcome`, one JSON object a line.

The shape is ours and is written down in `schemas/product_outcome.v1.json`. Belongs here: its fields and their landed
types. Does not belong here: which operation a verdict belongs to, and what counts; that is dbt's.
"""

from __future__ import annotations

from typing import ClassVar

from orchestration.connectors.base import TableSpec
from orchestration.connectors.jsonl import JsonLinesLog
from orchestration.connectors.line_format import Field, FieldKind, LineFormat

VERDICTS = ("accepted", "rejected", "reversed")

FIELDS = (
    Field("event_id", required=True),
    Field("ts", FieldKind.MOMENT, column="occurred_at", required=True),
    Field("name", required=True),
    Field("tenant_id"),
    Field("user_id", FieldKind.USER_ID, column="user_hash"),
    Field("feature"),
    Field("verdict", required=True, allowed=VERDICTS),
    Field("reverses", required_when=("verdict", "reversed")),
    Field("operation_id"),
    Field("request_id"),
    Field("trace_id"),
    Field("conversation_id"),
    Field("value_usd", FieldKind.USD, can_be_negative=True),
)

FORMAT = LineFormat(
    "product_outcomes",
    "product.outcome",
    FIELDS,
    any_of=("operation_id", "request_id", "trace_id", "conversation_id"),
)
PRODUCT_OUTCOMES = FORMAT.table


class ProductOutcomeLog(JsonLinesLog):
    """Lands `product.outcome` lines."""

    kind: ClassVar[str] = "product_outcome_log"
    tables: ClassVar[tuple[TableSpec, ...]] = (PRODUCT_OUTCOMES,)
    line_format: ClassVar[LineFormat] = FORMAT
