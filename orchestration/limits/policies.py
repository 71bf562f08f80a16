"""The reviewed rows that say how budgets become limits and alerts become switches.

Belongs here: `limit_policies.csv`, `switch_settings.csv`, `model_fallbacks.csv` of the price book's folder, and what
may stand in a row. Does not belong here: budgets themselves, which are the company's tables.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from orchestration.settings import PROJECT_ROOT

POLICIES_FILE = "limit_policies.csv"
SETTINGS_FILE = "switch_settings.csv"
FALLBACKS_FILE = "model_fallbacks.csv"


class PolicyError(ValueError):
    """A row cannot be used; the message names file, line and field."""


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


_Blank = BeforeValidator(_empty_is_none)
_Percent = Annotated[Annotated[int, Field(gt=0, le=1000)] | None, _Blank]
_Count = Annotated[Annotated[int, Field(gt=0)] | None, _Blank]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitPolicy(_Row):
    """How a scope's budget is enforced.

    Attributes:
        scope: What kind of thing is limited.
        scope_id: Which one; `*` each; empty for the organisation.
        period: `minute` limits requests, `day` and `month` limit money.
        requests: With `minute`: how many.
        amount_usd: The budget; empty takes it from the plan and from the table of budgets.
        soft_percent, hard_percent: Of the budget, or of `requests`; empty is no such limit.
        note: Why.
    """

    scope: Literal["org", "provider", "model", "tenant", "feature", "user"]
    scope_id: str
    period: Literal["minute", "day", "month"]
    requests: _Count = None
    amount_usd: Annotated[Annotated[Decimal, Field(ge=0, decimal_places=12)] | None, _Blank] = None
    soft_percent: _Percent = None
    hard_percent: _Percent = None
    note: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> LimitPolicy:
        if (self.period == "minute") != (self.requests is not None):
            raise ValueError("requests go with the period `minute`, and with no other")
        if self.requests is not None and self.amount_usd is not None:
            raise ValueError("a row limits requests or money")
        return self


class SwitchSetting(_Row):
    """How long a switch that a rule asks for lasts, and how far it goes.

    Attributes:
        action: The rule's action.
        scope_id: For which scope; `*` each.
        ends_after_hours: When it ends by itself.
        requests_per_minute: With `throttle`.
    """

    action: Literal["throttle", "disable_feature", "degrade_model"]
    scope_id: Annotated[str, Field(min_length=1)]
    ends_after_hours: Annotated[int, Field(gt=0, le=31 * 24)]
    requests_per_minute: _Count = None

    @model_validator(mode="after")
    def _fits_together(self) -> SwitchSetting:
        if (self.action == "throttle") != (self.requests_per_minute is not None):
            raise ValueError("requests_per_minute goes with throttle, and with no other")
        return self


class _Fallback(_Row):
    model: Annotated[str, Field(min_length=1)]
    cheaper_model: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class Policies:
    """All of them."""

    limits: tuple[LimitPolicy, ...]
    settings: tuple[SwitchSetting, ...]
    fallbacks: Mapping[str, str]

    def setting(self, action: str, scope_id: str) -> SwitchSetting | None:
        """Return the settings of an action on a scope: its own row, else the one of each."""
        found = {row.scope_id: row for row in self.settings if row.action == action}
        return found.get(scope_id) or found.get("*")


RowT = TypeVar("RowT", bound=_Row)


def read_policies(folder: Path) -> Policies:
    """Read the three files; one that the folder does not have is taken from this project.

    Raises:
        PolicyError: A row cannot be used.
    """
    return Policies(
        limits=tuple(_rows(folder, POLICIES_FILE, LimitPolicy)),
        settings=tuple(_rows(folder, SETTINGS_FILE, SwitchSetting)),
        fallbacks={row.model: row.cheaper_model for row in _rows(folder, FALLBACKS_FILE, _Fallback)},
    )


def _rows(folder: Path, name: str, row_type: type[RowT]) -> Iterator[RowT]:
    path = folder / name
    if not path.exists():
        path = PROJECT_ROOT / "pricing_seeds" / name
    with path.open(newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                yield row_type.model_validate(row)
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(str(part) for part in first["loc"]) or "row"
                raise PolicyError(f"{path}, line {line}, {place}: {first['msg']}") from None
