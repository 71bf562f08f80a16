"""The written ground truth: every planted incident with its size, and what the oracle adds up to.

Belongs here: `ground_truth.json` and the table of who caused which cost. Does not belong here: anything that
the warehouse reads; only tests and people do.

Money is decimal text in US dollars. `list_cost_usd` is at list price; `billed_usd` is what the bills say.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.sample_company.catalog import FEATURE_NAMES, PROVIDER_NAMES, Model, Provider, Tier
from orchestration.sample_company.company import PLAN_IDS, Company, Release
from orchestration.sample_company.incidents import Incident, IncidentKind, IncidentPlan, budget_month
from orchestration.sample_company.ledger import Cost, IncidentSize, Ledger, Usage, UsageKey
from orchestration.sample_company.operations import DAY_MS
from orchestration.sample_company.options import SampleOptions
from orchestration.sample_company.oracle import SLOTS, Bills, CostLine, epoch_day, plain
from orchestration.sample_company.prices import (
    ANTHROPIC_DISCOUNT,
    CUT_MODEL,
    LIST_USD_PER_MTOK,
    PICO,
    RERANK_USD_PER_KSEARCH,
    TokenClass,
    list_usd_per_mtok,
)

Json = dict[str, Any]
CLASS_NAMES = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
OVER_PLAN_USD = Decimal(50)


def usd(pico_usd: int) -> Decimal:
    """Return pico-dollars as dollars, exactly."""
    return Decimal(pico_usd) / PICO


def spend_by_date(bills: Bills, usage: Mapping[UsageKey, Usage], options: SampleOptions) -> dict[date, Decimal]:
    """Return what each day cost: both bills, and the provider without a bill at list price."""
    spend: dict[date, Decimal] = {}
    for number in range(options.days):
        day = options.start_date + timedelta(days=number)
        searches = sum(
            used.requests
            for (key_day, slot, *_), used in usage.items()
            if key_day == epoch_day(day) and SLOTS[slot].provider is Provider.COHERE
        )
        billed = sum((_total(days[day]) for days in bills.lines.values()), Decimal(0))
        spend[day] = billed + searches * RERANK_USD_PER_KSEARCH / 1000
    return spend


def write_cost_table(path: Path, ledger: Ledger, company: Company) -> None:
    """Write who caused which cost at list price, one row per day, tenant and feature.

    What the log does not tag stands here with those who caused it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            (
                "usage_date",
                "tenant_id",
                "feature",
                "attempts",
                "served",
                "input_tokens",
                "output_tokens",
                "list_cost_usd",
            )
        )
        for (day, tenant, feature), cost in sorted(ledger.tenants.items()):
            writer.writerow(
                (
                    (date(1970, 1, 1) + timedelta(days=day)).isoformat(),
                    company.tenants[tenant].tenant_id,
                    FEATURE_NAMES[feature],
                    cost.attempts,
                    cost.served,
                    cost.input_tokens,
                    cost.output_tokens,
                    plain(usd(cost.pico_usd)),
                )
            )


class GroundTruth:
    """Puts the ground truth together."""

    def __init__(
        self,
        *,
        options: SampleOptions,
        company: Company,
        plan: IncidentPlan,
        releases: tuple[Release, ...],
        ledger: Ledger,
        bills: Bills,
    ) -> None:
        self._options = options
        self._company = company
        self._plan = plan
        self._releases = releases
        self._ledger = ledger
        self._bills = bills

    def as_json(self, spend: Mapping[date, Decimal], budgets: list[dict[str, object]], counts: Json) -> Json:
        """Return the whole ground truth, JSON-ready."""
        return {
            "options": self._options.as_json(),
            "start_date": self._options.start_date.isoformat(),
            "end_date": self._options.end_date.isoformat(),
            "counts": counts,
            "attempts_by_outcome": self._ledger.outcomes,
            "total_spend_usd": plain(sum(spend.values(), Decimal(0))),
            "spend_by_date_usd": {day.isoformat(): plain(amount) for day, amount in spend.items()},
            "providers": self._providers(),
            "incidents": [self._incident(one, spend, budgets) for one in self._plan.incidents],
            "planned_changes": self._planned_changes(),
        }

    def _providers(self) -> Json:
        """Return requests, tokens by class, list cost and bill by provider and date."""
        result: Json = {name: {} for name in PROVIDER_NAMES}
        cut_from = self._plan.price_cut_date(self._options)
        for (key_day, slot, model, tier, _), used in sorted(self._ledger.usage.items()):
            provider = SLOTS[slot].provider
            day = date(1970, 1, 1) + timedelta(days=key_day)
            entry = result[PROVIDER_NAMES[provider]].setdefault(
                day.isoformat(),
                {"requests": 0, "tokens": dict.fromkeys(CLASS_NAMES, 0), "list_cost_usd": Decimal(0)},
            )
            entry["requests"] += used.requests
            for name, tokens in zip(CLASS_NAMES, used.tokens, strict=True):
                entry["tokens"][name] += tokens
            if provider is Provider.COHERE:
                entry["list_cost_usd"] += used.requests * RERANK_USD_PER_KSEARCH / 1000
            elif Model(model) in LIST_USD_PER_MTOK:
                entry["list_cost_usd"] += _list_usd(used, Model(model), Tier(tier), day, cut_from)
            else:
                entry["list_cost_usd"] = None
        for provider, days in self._bills.lines.items():
            for day, lines in days.items():
                entry = result[PROVIDER_NAMES[provider]].setdefault(
                    day.isoformat(),
                    {"requests": 0, "tokens": dict.fromkeys(CLASS_NAMES, 0), "list_cost_usd": Decimal(0)},
                )
                entry["billed_usd"] = plain(_total(lines))
                if provider is Provider.OPENAI and day == self._bills.restated:
                    entry["first_billed_usd"] = plain(_total(self._bills.first_lines))
        for days in result.values():
            for entry in days.values():
                if entry["list_cost_usd"] is not None:
                    entry["list_cost_usd"] = plain(entry["list_cost_usd"])
        return result

    def _planned_changes(self) -> list[Json]:
        moved = self._options.start_date + timedelta(days=self._plan.tier_move_day)
        changes: list[Json] = [
            {
                "kind": "service_tier_move",
                "date": moved.isoformat(),
                "note": "part of ticket_classifier moves to batch and flex, part of draft_writer to batch",
            }
        ]
        for tenant in self._company.tenants:
            if tenant.first_day > 0:
                joined = self._options.start_date + timedelta(days=tenant.first_day)
                changes.append({"kind": "new_tenant", "date": joined.isoformat(), "tenant_id": tenant.tenant_id})
            if tenant.last_day < self._options.days - 1:
                left = self._options.start_date + timedelta(days=tenant.last_day + 1)
                changes.append({"kind": "churned_tenant", "date": left.isoformat(), "tenant_id": tenant.tenant_id})
            if tenant.new_plan is not None and tenant.new_plan_day is not None:
                when = self._options.start_date + timedelta(days=tenant.new_plan_day)
                note = f"{PLAN_IDS[tenant.plan]} to {PLAN_IDS[tenant.new_plan]}"
                changes.append(
                    {
                        "kind": "plan_change",
                        "date": when.isoformat(),
                        "tenant_id": tenant.tenant_id,
                        "note": note,
                    }
                )
        changes += [
            {
                "kind": "release",
                "date": one.deployed_at.date().isoformat(),
                "release_id": one.release_id,
                "note": one.note,
            }
            for one in self._releases
        ]
        return changes

    def _incident(self, incident: Incident, spend: Mapping[date, Decimal], budgets: list[dict[str, object]]) -> Json:
        first, last = incident.dates(self._options)
        size = self._ledger.incidents.get(incident.kind)
        details: Json = {}
        match incident.kind:
            case IncidentKind.UNINSTRUMENTED_SERVICE:
                details = self._uninstrumented()
            case IncidentKind.RESTATED_BILL:
                details = self._restated()
            case IncidentKind.VOLUME_DISCOUNT:
                details = self._discount()
            case IncidentKind.PRICE_CUT:
                details = self._price_cut()
            case IncidentKind.BUDGET_BURN:
                details = self._budget_burn(spend, budgets)
            case IncidentKind.OUTGROWN_PLAN:
                details = self._outgrown(incident)
            case IncidentKind.UNPRICED_MODEL:
                details = {
                    "list_cost_usd": None,
                    "note": "the model has no price: its cost is unknown, not zero",
                }
            case _:
                pass
        return {
            "id": incident.incident_id,
            "rule": incident.rule,
            "cause": incident.cause,
            "first_date": first.isoformat(),
            "last_date": last.isoformat(),
            **incident.scope(self._company),
            **({} if size is None else _size_json(size)),
            **details,
        }

    def _uninstrumented(self) -> Json:
        slot = SLOTS[-1]
        mine = [used for (_, number, *_), used in self._ledger.usage.items() if number == len(SLOTS) - 1]
        lines = [
            line
            for days in self._bills.lines.values()
            for of_day in days.values()
            for line in of_day
            if line.slot is slot
        ]
        return {
            "provider_project": slot.project_id,
            "requests": sum(used.requests for used in mine),
            "tokens": {name: sum(used.tokens[index] for used in mine) for index, name in enumerate(CLASS_NAMES)},
            "billed_usd": plain(_total(lines)),
        }

    def _restated(self) -> Json:
        first = _total(self._bills.first_lines)
        lines = self._bills.lines[Provider.OPENAI][self._bills.restated]
        credit = _total([line for line in lines if line.tokens is None])
        tokens = sum(line.tokens or 0 for line in lines) - sum(line.tokens or 0 for line in self._bills.first_lines)
        return {
            "first_billed_usd": plain(first),
            "billed_usd": plain(_total(lines)),
            "late_usage_usd": plain(_total(lines) - credit - first),
            "late_usage_tokens": tokens,
            "credit_usd": plain(credit),
        }

    def _discount(self) -> Json:
        lines = [line for of_day in self._bills.lines[Provider.ANTHROPIC].values() for line in of_day]
        at_list = sum((line.list_usd for line in lines), Decimal(0))
        return {
            "discount_pct": plain(ANTHROPIC_DISCOUNT * 100),
            "list_cost_usd": plain(at_list),
            "billed_usd": plain(_total(lines)),
            "discount_usd": plain(at_list - _total(lines)),
        }

    def _price_cut(self) -> Json:
        cut_from = self._plan.price_cut_date(self._options)
        old = new = Decimal(0)
        for (key_day, _, model, tier, _), used in self._ledger.usage.items():
            day = date(1970, 1, 1) + timedelta(days=key_day)
            if Model(model) is CUT_MODEL and cut_from is not None and day >= cut_from:
                old += _list_usd(used, CUT_MODEL, Tier(tier), day, None)
                new += _list_usd(used, CUT_MODEL, Tier(tier), day, cut_from)
        return {
            "list_cost_usd": plain(new),
            "list_cost_at_old_price_usd": plain(old),
            "saved_usd": plain(old - new),
        }

    def _budget_burn(self, spend: Mapping[date, Decimal], budgets: list[dict[str, object]]) -> Json:
        month = budget_month(self._options)
        if month is None:
            return {}
        amount = next(
            Decimal(str(row["amount_usd"]))
            for row in budgets
            if row["scope"] == "org" and row["valid_from"] == month.isoformat()
        )
        spent, crossed = Decimal(0), None
        for number in range(7):
            day = month + timedelta(days=number)
            spent += spend.get(day, Decimal(0))
            if crossed is None and spent >= amount * Decimal("0.8"):
                crossed = day.isoformat()
        return {
            "budget_usd": plain(amount),
            "spent_in_first_week_usd": plain(spent),
            "crossed_80_pct_on": crossed,
        }

    def _outgrown(self, incident: Incident) -> Json:
        costs: dict[int, int] = {}
        for (day, tenant, _), cost in self._ledger.tenants.items():
            if tenant == incident.tenant:
                costs[day] = costs.get(day, 0) + cost.pico_usd
        # Even after the discount, so that the day counts at list price and as billed.
        over = [day for day, pico in sorted(costs.items()) if usd(pico) * (1 - ANTHROPIC_DISCOUNT) > OVER_PLAN_USD]
        return {"dates_over_50_usd": [(date(1970, 1, 1) + timedelta(days=day)).isoformat() for day in over]}


def cut_ms(plan: IncidentPlan, options: SampleOptions) -> int | None:
    """Return the moment of the price cut in UTC epoch milliseconds, None when there is none."""
    day = plan.price_cut_date(options)
    return None if day is None else epoch_day(day) * DAY_MS


def _list_usd(used: Usage, model: Model, tier: Tier, day: date, cut_from: date | None) -> Decimal:
    total = Decimal(0)
    for token_class in TokenClass:
        price = list_usd_per_mtok(model, token_class, tier, day, cut_from)
        if price is not None:
            total += used.tokens[token_class] * price / 1_000_000
    return total


def _total(lines: list[CostLine]) -> Decimal:
    return sum((line.billed_usd for line in lines), Decimal(0))


def _size_json(size: IncidentSize) -> Json:
    return {"affected": _cost_json(size.affected), "excess": _cost_json(size.excess)}


def _cost_json(cost: Cost) -> Json:
    return {
        "attempts": cost.attempts,
        "input_tokens": cost.input_tokens,
        "output_tokens": cost.output_tokens,
        "list_cost_usd": plain(usd(cost.pico_usd)),
    }
