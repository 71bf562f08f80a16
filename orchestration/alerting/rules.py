"""The alert rules as reviewed CSV: what may stand in a row, and what is wrong with one.

Belongs here: reading and judging `alert_rules.csv`, `alert_rule_overrides.csv` and the channels that they name. Does
not belong here: measuring (`alert_*` models of the dbt project read the same files), and lifecycle.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from orchestration.alerting.routing import CHANNELS_FILE, Channel

RULES_FILE = "alert_rules.csv"
OVERRIDES_FILE = "alert_rule_overrides.csv"


class Comparator(StrEnum):
    """How `observed` is compared with the threshold and, where it is relative, with a baseline."""

    ABOVE = "above"
    BELOW = "below"
    ABOVE_TIMES = "above_times"
    BELOW_TIMES = "below_times"
    ABOVE_BY = "above_by"
    BELOW_BY = "below_by"


class Action(StrEnum):
    """The switch that the request path can pull."""

    NONE = "none"
    THROTTLE = "throttle"
    DISABLE_FEATURE = "disable_feature"
    DEGRADE_MODEL = "degrade_model"


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


Blank = BeforeValidator(_empty_is_none)
"""An empty cell is NULL."""

_Number = Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, Blank]
_Days = Annotated[Annotated[int, Field(ge=0, le=60)] | None, Blank]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AlertRule(_Row):
    """One row of `alert_rules.csv`.

    Attributes:
        rule: Its name: that of a model's `meta.alert.rule` and of the runbook.
        metric, unit: What is measured, in words, and its unit.
        grain: What one breach is about.
        comparator: See `Comparator`.
        threshold: A number in `unit`, or a factor or a distance to the baseline, as the comparator says.
        floor, floor_unit: Below it nothing fires, so that three cents instead of one wake nobody.
        window_days: Days before the evaluated one that make the baseline, at most 60.
        min_history_days: Days with data that a baseline needs.
        noise_days, noise_deviations: Days before the evaluated one whose spread makes a band of noise, and how many
            deviations wide it is: what lies within it breaks no rule. None where a rule has no band.
        explained_by: What the drivers of a breach are taken from: its cost, the cost of a unit whatever its volume
            (`rate`), cost against budget, what a bill holds beyond the requests, or use without a price; empty when
            spend has no part in it.
        escalate_after_days: A warning that still fires then, unacknowledged, becomes an error; None never.
        channel: A row of `alert_channels.csv`.
        action, automatic: The switch, and whether it is pulled without a human.
        runbook: Page below `dbt_project`.
    """

    rule: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    metric: Annotated[str, Field(min_length=1)]
    unit: Annotated[str, Field(min_length=1)]
    grain: Literal["tenant", "tenant_hour", "feature", "provider", "model", "sku", "org", "source", "scope"]
    comparator: Comparator
    threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    floor: _Number = None
    floor_unit: str = ""
    window_days: _Days = None
    min_history_days: _Days = None
    noise_days: _Days = None
    noise_deviations: _Number = None
    explained_by: Literal["cost", "rate", "budget", "bill", "usage", ""] = ""
    severity: Literal["warn", "error"]
    escalate_after_days: _Days = None
    owner: Annotated[str, Field(min_length=1)]
    channel: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    action: Action
    automatic: Literal["true", "false"]
    runbook: str

    @model_validator(mode="after")
    def _fits_together(self) -> AlertRule:
        if self.runbook != f"docs/alerts/{self.rule}.md":
            raise ValueError(f"the runbook must be docs/alerts/{self.rule}.md")
        if (self.floor is None) != (self.floor_unit == ""):
            raise ValueError("floor and floor_unit go together")
        if (self.noise_days is None) != (self.noise_deviations is None):
            raise ValueError("noise_days and noise_deviations go together")
        if self.comparator is Comparator.BELOW_TIMES and self.threshold >= 1:
            raise ValueError("below_times needs a threshold under 1: what is not above its baseline is no breach")
        if self.automatic == "true" and self.action is Action.NONE:
            raise ValueError("automatic needs an action")
        if (self.min_history_days or 0) > (self.window_days or 0):
            raise ValueError("min_history_days cannot be more than window_days")
        return self


class RuleOverride(_Row):
    """One row of `alert_rule_overrides.csv`: a threshold or a floor for one scope, or an exemption.

    Attributes:
        scope_kind, scope_id: Of the alert, or `plan` and a plan's id.
        exempt: The rule is silent; such a row needs an end.
        valid_from, valid_to: UTC days, half-open.
        reason: Why, in a sentence.
    """

    rule: str
    scope_kind: Literal["tenant", "plan", "feature", "provider", "model", "sku", "org", "source"]
    scope_id: str
    threshold: _Number = None
    floor: _Number = None
    exempt: Literal["true", "false", ""] = ""
    valid_from: date
    valid_to: Annotated[date | None, Blank] = None
    reason: Annotated[str, Field(min_length=3)]

    @model_validator(mode="after")
    def _fits_together(self) -> RuleOverride:
        is_exempt = self.exempt == "true"
        if is_exempt and self.valid_to is None:
            raise ValueError("an exemption needs an end: valid_to")
        if is_exempt == (self.threshold is not None or self.floor is not None):
            raise ValueError("a row is either an exemption or another threshold or floor")
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to must lie after valid_from")
        return self


@dataclass(frozen=True)
class RuleBook:
    """Both files, and what is wrong with them.

    Attributes:
        rules: By name.
        overrides: In the file's order.
        problems: Each names file, line, column and what was expected; empty when the files are sound.
        notices: What a human should look at and nobody must mend: exemptions that are over.
    """

    rules: Mapping[str, AlertRule]
    overrides: Sequence[RuleOverride]
    problems: Sequence[str]
    notices: Sequence[str]


def read_rule_book(folder: Path, today: date) -> RuleBook:
    """Read the files of a folder.

    Args:
        folder: `Settings.pricing`.
        today: Exemptions that ended on it or before are reported.
    """
    problems: list[str] = []
    rules = _read(folder / RULES_FILE, AlertRule, problems)
    overrides = _read(folder / OVERRIDES_FILE, RuleOverride, problems)
    names = [rule.rule for _, rule in rules]
    problems += [f"{RULES_FILE}: rule {name} has {count} rows" for name, count in Counter(names).items() if count > 1]
    problems += [
        f"{OVERRIDES_FILE}, line {line}: rule: unknown rule {row.rule!r}; {RULES_FILE} has {', '.join(sorted(names))}"
        for line, row in overrides
        if row.rule not in names
    ]
    by_tenant = {rule.rule for _, rule in rules if rule.grain in ("tenant", "tenant_hour")}
    problems += [
        f"{OVERRIDES_FILE}, line {line}: scope_kind: {row.rule} does not know plans; {', '.join(sorted(by_tenant))} do"
        for line, row in overrides
        if row.scope_kind == "plan" and row.rule in names and row.rule not in by_tenant
    ]
    problems += _overlaps(overrides)
    channels = [channel.channel for _, channel in _read(folder / CHANNELS_FILE, Channel, problems)]
    problems += [
        f"{RULES_FILE}, line {line}: channel: unknown channel {rule.channel!r}; "
        f"{CHANNELS_FILE} has {', '.join(channels)}"
        for line, rule in rules
        if rule.channel not in channels
    ]
    notices = [
        f"{OVERRIDES_FILE}, line {line}: the exemption of {row.scope_kind} {row.scope_id} from {row.rule} ended on "
        f"{row.valid_to} ({row.reason}); remove the row or give it a new end"
        for line, row in overrides
        if row.exempt == "true" and row.valid_to is not None and row.valid_to <= today
    ]
    return RuleBook({rule.rule: rule for _, rule in rules}, [row for _, row in overrides], problems, notices)


def _overlaps(overrides: Iterable[tuple[int, RuleOverride]]) -> list[str]:
    by_scope: dict[tuple[str, str, str], list[tuple[date, date, int]]] = defaultdict(list)
    for line, row in overrides:
        span = (row.valid_from, row.valid_to or date.max, line)
        by_scope[row.rule, row.scope_kind, row.scope_id].append(span)
    return [
        f"{OVERRIDES_FILE}: lines {min(one, other)} and {max(one, other)} both hold on {later_start} "
        f"for {rule} of {kind} {scope}"
        for (rule, kind, scope), spans in by_scope.items()
        for (_, end, one), (later_start, _, other) in pairwise(sorted(spans))
        if later_start < end
    ]


RowT = TypeVar("RowT", bound=BaseModel)


def _read(path: Path, row_type: type[RowT], problems: list[str]) -> list[tuple[int, RowT]]:
    """Return (line, row) of a file; what cannot be read goes to `problems`."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle, restkey="more cells than columns")
            wanted = list(row_type.model_fields)
            if list(reader.fieldnames or []) != wanted:
                problems.append(f"{path.name}: the columns must be {','.join(wanted)}")
                return []
            raw = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{path.name}: {error}")
        return []
    rows: list[tuple[int, RowT]] = []
    for line, cells in raw:
        try:
            rows.append((line, row_type.model_validate(cells)))
        except ValidationError as error:
            problems += [f"{path.name}, line {line}: {_words(detail)}" for detail in error.errors()]
    return rows


def _words(detail: Any) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    told = str(detail["msg"]).removeprefix("Value error, ")
    return f"{where}: {told}, got {detail['input']!r}" if where else told
