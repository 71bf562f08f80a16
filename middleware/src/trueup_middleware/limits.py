"""Which limits a call meets: the published `limits.json`, and finding a call's rows in it.

Belongs here: the file's format and the choice of rows. Does not belong here: counting (`ledger`) and deciding
(`budgets`).

A row applies to one scope (`tenant`, `acme`), or with the id `*` to each of its kind that has no row of its own
for that period. Its dates are local days of the scope's zone, half-open. Amounts are whole 10⁻⁹ USD.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Literal

from trueup_middleware.gate import CallIntent
from trueup_middleware.windows import billing_window, zone_named

FORMAT = "trueup.limits.v1"

UNATTRIBUTED = "unattributed"
"""Who a call without tenant or feature belongs to: it must not escape the limits of all."""

EACH = "*"

LimitScope = Literal["org", "provider", "model", "tenant", "feature", "user"]
LimitPeriod = Literal["minute", "day", "month"]

SCOPES: tuple[LimitScope, ...] = ("org", "provider", "model", "tenant", "feature", "user")


@dataclass(frozen=True, slots=True)
class Limit:
    """One row.

    Attributes:
        scope: What kind of thing is limited.
        scope_id: Which one; `*` is each; empty for the organisation.
        period: `day` and `month` limit money, `minute` limits requests of the last 60 seconds.
        hard: What may not be exceeded; None only warns.
        soft: Above this a call is admitted with a warning; None never warns.
        valid_from: First local day.
        valid_to: First local day after.
        source: Where it comes from, for people: `plan growth`, `budget`.
    """

    scope: LimitScope
    scope_id: str
    period: LimitPeriod
    hard: int | None
    soft: int | None = None
    valid_from: date = date.min
    valid_to: date = date.max
    source: str = ""


@dataclass(frozen=True)
class Limits:
    """All rows of one version.

    Attributes:
        version: Of the file; empty before there is one.
        zones: Billing time zone of tenants.
        default_zone: Everybody else's.
    """

    version: str = ""
    zones: Mapping[str, tzinfo] = field(default_factory=dict[str, tzinfo])
    default_zone: tzinfo = UTC
    _rows: Mapping[tuple[str, str], Mapping[LimitPeriod, list[Limit]]] = field(
        default_factory=dict[tuple[str, str], Mapping[LimitPeriod, list[Limit]]]
    )

    @classmethod
    def of(
        cls, rows: list[Limit], zones: Mapping[str, str] | None = None, default_zone: str = "UTC", version: str = ""
    ) -> Limits:
        """Arrange rows for `meeting`.

        Raises:
            ValueError, KeyError: A zone is none.
        """
        index: dict[tuple[str, str], dict[LimitPeriod, list[Limit]]] = {}
        for row in rows:
            index.setdefault((row.scope, row.scope_id), {}).setdefault(row.period, []).append(row)
        named = {tenant: zone_named(zone) for tenant, zone in (zones or {}).items()}
        return cls(version, named, zone_named(default_zone), index)

    @classmethod
    def parse(cls, content: bytes) -> Limits:
        """Read the published file.

        Raises:
            ValueError, KeyError, TypeError: It is not of this format.
        """
        document: dict[str, Any] = json.loads(content)
        if document.get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}, found {document.get('format')!r}")
        rows = [_limit(row) for row in document["limits"]]
        return cls.of(rows, document["timezones"], document["default_timezone"], document["version"])

    @property
    def scopes(self) -> tuple[LimitScope, ...]:
        """What kinds of things are limited."""
        named = {scope for scope, _ in self._rows}
        return tuple(scope for scope in SCOPES if scope in named)

    def zone_of(self, tenant_id: str | None) -> tzinfo:
        """Return a tenant's billing time zone."""
        return self.zones.get(tenant_id, self.default_zone) if tenant_id else self.default_zone

    def zone_for(self, scope: str, tenant_id: str | None) -> tzinfo:
        """Return in whose days a scope is limited: the tenant's for it and its users, everybody else's otherwise."""
        return self.zone_of(tenant_id) if scope in ("tenant", "user") else self.default_zone

    def meeting(self, call: CallIntent, now: datetime) -> Iterator[tuple[str, Limit, tzinfo]]:
        """Yield the rows in force that a call meets, as (id, row, zone)."""
        for scope in SCOPES:
            scope_id = scope_id_of(call, scope)
            if scope_id is not None:
                zone = self.zone_for(scope, call.tenant_id)
                today = billing_window("day", zone, now).first_date
                for row in self.of_scope(scope, scope_id, today):
                    yield scope_id, row, zone

    def of_scope(self, scope: str, scope_id: str, today: date) -> list[Limit]:
        """Return the rows that are in force for one scope on a local day."""
        each = self._in_force((scope, EACH), today)
        return [*{**each, **self._in_force((scope, scope_id), today)}.values()]

    def _in_force(self, key: tuple[str, str], today: date) -> dict[LimitPeriod, Limit]:
        return {
            period: row
            for period, rows in self._rows.get(key, {}).items()
            for row in rows
            if row.valid_from <= today < row.valid_to
        }


def scope_id_of(call: CallIntent, scope: str) -> str | None:
    """Return whom a call belongs to in a scope; None when it has none, and the scope does not apply."""
    match scope:
        case "org":
            return ""
        case "tenant":
            return call.tenant_id or UNATTRIBUTED
        case "feature":
            return call.feature or UNATTRIBUTED
        case "user":
            return call.user_hash
        case "provider":
            return call.provider
        case "model":
            return call.model
        case _:
            return None


def account_of(scope: str, scope_id: str, period: LimitPeriod, window: str) -> str:
    """Return the name of the account that counts a scope in a window; the loop back uses it too."""
    return f"{scope}:{scope_id}:{period}:{window}"


def moment(text: str) -> datetime:
    """Read an RFC 3339 moment with a zone.

    Raises:
        ValueError: It is none.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return found


def _limit(row: Mapping[str, Any]) -> Limit:
    if row["scope"] not in SCOPES or row["period"] not in ("minute", "day", "month"):
        raise ValueError(f"unknown scope or period: {row['scope']!r}, {row['period']!r}")
    return Limit(
        scope=row["scope"],
        scope_id=row["id"],
        period=row["period"],
        hard=_whole(row.get("hard")),
        soft=_whole(row.get("soft")),
        valid_from=date.fromisoformat(row["valid_from"]) if row.get("valid_from") else date.min,
        valid_to=date.fromisoformat(row["valid_to"]) if row.get("valid_to") else date.max,
        source=row.get("source", ""),
    )


def _whole(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError(f"amounts are whole numbers, not {value!r}")
