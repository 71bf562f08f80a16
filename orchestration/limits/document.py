"""From plans, subscriptions and budgets to `limits.json`.

Belongs here: which rows a limit is made of, and its amount. Does not belong here: reading marts (`marts`), and
what a limit does to a call (the library).

A budget of 15 USD at 80 % is 15 × 80 × 10⁷ units of 10⁻⁹ USD: multiplied, never divided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from trueup_middleware.limits import EACH, FORMAT

from orchestration.limits.policies import LimitPolicy

_NANO_USD_A_PERCENT = 7
"""Decimal places from USD × percent to 10⁻⁹ USD."""


@dataclass(frozen=True)
class Budget:
    """What somebody may spend in a period.

    Attributes:
        scope: `org`, `provider`, `feature` or `tenant`.
        scope_id: Which one; empty for the organisation.
        period: `day` or `month`.
        amount_usd: How much.
        valid_from: First day.
        valid_to: First day after.
        source: Where it comes from, for people.
    """

    scope: str
    scope_id: str
    period: str
    amount_usd: Decimal
    valid_from: date
    valid_to: date
    source: str


def limits_document(
    plans: Iterable[Budget],
    budgets: Iterable[Budget],
    timezones: Mapping[str, str],
    policies: Iterable[LimitPolicy],
    today: date,
) -> dict[str, Any]:
    """Return the document for the library.

    Args:
        plans: What tenants' plans include.
        budgets: The company's own budgets; where one is in force it replaces the plan's, because it stands later.
        timezones: Billing time zone by tenant; UTC ones may be left out.
        policies: How each is enforced.
        today: What has ended before is left out. Yesterday still counts: it may be it somewhere.
    """
    rules = {(policy.scope, policy.scope_id, policy.period): policy for policy in policies}
    rows = [*_of_policies(rules.values())]
    for budget in (*plans, *budgets):
        policy = rules.get((budget.scope, budget.scope_id, budget.period)) or rules.get(  # pyright: ignore[reportArgumentType, reportCallIssue]
            (budget.scope, EACH, budget.period)
        )
        if policy is None or policy.amount_usd is not None or budget.valid_to < today:
            continue
        hard, soft = (_share(budget.amount_usd, percent) for percent in (policy.hard_percent, policy.soft_percent))
        if hard is not None or soft is not None:
            rows.append(
                _row(
                    budget.scope,
                    budget.scope_id,
                    budget.period,
                    hard=hard,
                    soft=soft,
                    source=budget.source,
                    valid_from=budget.valid_from.isoformat(),
                    valid_to=budget.valid_to.isoformat(),
                )
            )
    zones = {tenant: zone for tenant, zone in sorted(timezones.items()) if zone != "UTC"}
    return {"format": FORMAT, "default_timezone": "UTC", "timezones": zones, "limits": rows}


def _of_policies(policies: Iterable[LimitPolicy]) -> Iterator[dict[str, Any]]:
    """Yield the limits whose amount stands in the policy itself."""
    for policy in policies:
        percents = (policy.hard_percent, policy.soft_percent)
        if policy.amount_usd is not None:
            hard, soft = (_share(policy.amount_usd, percent) for percent in percents)
        elif policy.requests is not None:
            hard, soft = (
                _floor(Decimal(policy.requests * percent).scaleb(-2)) if percent else None for percent in percents
            )
        else:
            continue
        yield _row(policy.scope, policy.scope_id, policy.period, hard=hard, soft=soft, source="policy")


def _share(amount_usd: Decimal, percent: int | None) -> int | None:
    return None if percent is None else _floor((amount_usd * percent).scaleb(_NANO_USD_A_PERCENT))


def _floor(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_FLOOR))


def _row(
    scope: str, scope_id: str, period: str, *, hard: int | None, soft: int | None, source: str, **valid: str
) -> dict[str, Any]:
    return {"scope": scope, "id": scope_id, "period": period, "hard": hard, "soft": soft, **valid, "source": source}
