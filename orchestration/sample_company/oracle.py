"""The providers' side of the story: what their usage reports and bills say.

Belongs here: usage buckets and cost lines, computed from the provider-side truth with the price table of
`prices`, in decimals, in the providers' own fields, in two revisions. Does not belong here: HTTP
(`providers`) and any code or data that the warehouse uses.

Revision 1 is what the restated day looked like at first; revision 2 is what it looks like now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np

from orchestration.sample_company.catalog import (
    BILLED_MODEL_NAMES,
    BILLING_SLOTS,
    MODEL_IDS,
    UNINSTRUMENTED_SLOT,
    BillingSlot,
    Model,
    Provider,
    Tier,
)
from orchestration.sample_company.incidents import IncidentKind, IncidentPlan
from orchestration.sample_company.ledger import Usage, UsageKey
from orchestration.sample_company.options import SampleOptions
from orchestration.sample_company.prices import ANTHROPIC_DISCOUNT, TokenClass, list_usd_per_mtok

SLOTS = (*BILLING_SLOTS, UNINSTRUMENTED_SLOT)
"""By the slot number of a `UsageKey`; the last one is the uninstrumented service."""
CREDIT_LINE = "Service credit"
CREDIT_SHARE = Decimal("0.25")

_EPOCH = date(1970, 1, 1)
_MTOK = Decimal(1_000_000)
_OPENAI_METERS = {
    TokenClass.INPUT: "input_tokens",
    TokenClass.CACHE_READ: "cached_input_tokens",
    TokenClass.OUTPUT: "output_tokens",
}
_ANTHROPIC_TOKENS = {
    TokenClass.INPUT: ("uncached_input_tokens", "Input Tokens"),
    TokenClass.CACHE_READ: ("cache_read_input_tokens", "Input Tokens, Cache Read"),
    TokenClass.CACHE_WRITE_5M: ("cache_creation.ephemeral_5m_input_tokens", "Input Tokens, Cache Write 5m"),
    TokenClass.CACHE_WRITE_1H: ("cache_creation.ephemeral_1h_input_tokens", "Input Tokens, Cache Write 1h"),
    TokenClass.OUTPUT: ("output_tokens", "Output Tokens"),
}

Row = dict[str, Any]


def epoch_day(day: date) -> int:
    """Return days since 1970-01-01."""
    return (day - _EPOCH).days


def uninstrumented_usage(options: SampleOptions, plan: IncidentPlan) -> dict[UsageKey, Usage]:
    """Return what the service that nobody logs used, by day; scaled with the size of the company."""
    incident = plan.of(IncidentKind.UNINSTRUMENTED_SERVICE)
    if incident is None:
        return {}
    rng = np.random.default_rng([options.seed, 5])
    scale = options.requests / options.days / 4_000
    usage: dict[UsageKey, Usage] = {}
    for day in range(incident.first_day, incident.last_day + 1):
        today = options.start_date + timedelta(days=day)
        weight = scale * (0.25 if today.weekday() >= 5 else 1.0) * rng.uniform(0.85, 1.15)
        for model, millions in (
            (Model.GPT_41, (46.0, 12.0, 0.0, 0.0, 4.8)),
            (Model.GPT_5_MINI, (6.0, 1.0, 0.0, 0.0, 1.1)),
        ):
            tokens = [int(weight * one * 1_000_000) for one in millions]
            # A sixth of the day's work falls into its last three hours.
            late = [one // 6 for one in tokens]
            early = [one - rest for one, rest in zip(tokens, late, strict=True)]
            requests = max(2, int(weight * 400))
            for is_late, part, count in (
                (False, early, requests - requests // 6),
                (True, late, requests // 6),
            ):
                key = (epoch_day(today), len(BILLING_SLOTS), int(model), int(Tier.STANDARD), is_late)
                usage[key] = Usage(part, count)
    return usage


@dataclass(frozen=True)
class CostLine:
    """One line of a bill, exact, before it takes a provider's form.

    Attributes:
        billed_usd: What the provider charges, rounded as it does.
        list_usd: The same at list price, not rounded.
        tokens: The quantity behind it; None for a credit.
    """

    slot: BillingSlot | None
    model: Model | None
    tier: Tier
    token_class: TokenClass | None
    description: str
    tokens: int | None
    billed_usd: Decimal
    list_usd: Decimal


def openai_cost_lines(usage: Mapping[UsageKey, Usage], day: date, cut_from: date | None) -> list[CostLine]:
    """Return OpenAI's charges of one day: dollars with ten decimals, which no price in use exceeds."""
    lines: list[CostLine] = []
    for (slot, model, tier), used in _merged(usage, day, Provider.OPENAI).items():
        for token_class, meter in _OPENAI_METERS.items():
            price = list_usd_per_mtok(model, token_class, tier, day, cut_from)
            tokens = used.tokens[token_class]
            if price is None or not tokens:
                continue
            amount = tokens * price / _MTOK
            suffix = "" if tier is Tier.STANDARD else f", {tier.name.lower()}"
            lines.append(
                CostLine(
                    SLOTS[slot],
                    model,
                    tier,
                    token_class,
                    f"{MODEL_IDS[model]}, {meter}{suffix}",
                    tokens,
                    amount.quantize(Decimal("1e-10"), ROUND_HALF_UP),
                    amount,
                )
            )
    return lines


def anthropic_cost_lines(usage: Mapping[UsageKey, Usage], day: date) -> list[CostLine]:
    """Return Anthropic's charges of one day, after the volume discount: cents with five decimals, half up."""
    lines: list[CostLine] = []
    for (slot, model, tier), used in _merged(usage, day, Provider.ANTHROPIC).items():
        for token_class, (_, label) in _ANTHROPIC_TOKENS.items():
            price = list_usd_per_mtok(model, token_class, tier, day, None)
            tokens = used.tokens[token_class]
            if price is None or not tokens:
                continue
            amount = tokens * price / _MTOK
            cents = (amount * (1 - ANTHROPIC_DISCOUNT) * 100).quantize(Decimal("1e-5"), ROUND_HALF_UP)
            suffix = " - Batch" if tier is Tier.BATCH else ""
            lines.append(
                CostLine(
                    SLOTS[slot],
                    model,
                    tier,
                    token_class,
                    f"{BILLED_MODEL_NAMES[model]} - {label}{suffix}",
                    tokens,
                    cents / 100,
                    amount,
                )
            )
    return lines


def _merged(usage: Mapping[UsageKey, Usage], day: date, provider: Provider) -> dict[tuple[int, Model, Tier], Usage]:
    """Return one day's usage of a provider by slot, model and tier, in a stable order."""
    merged: dict[tuple[int, Model, Tier], Usage] = {}
    number = epoch_day(day)
    for (key_day, slot, model, tier, _), used in usage.items():
        if key_day == number and SLOTS[slot].provider is provider:
            merged.setdefault((slot, Model(model), Tier(tier)), Usage()).add(used)
    return dict(sorted(merged.items()))


def _by_day(usage: Mapping[UsageKey, Usage]) -> dict[int, dict[UsageKey, Usage]]:
    days: dict[int, dict[UsageKey, Usage]] = defaultdict(dict)
    for key, used in usage.items():
        days[key[0]][key] = used
    return days


@dataclass(frozen=True)
class Bills:
    """Everything the providers would answer.

    Attributes:
        openai, anthropic: The documents that `providers` serves, JSON-ready; amounts are decimal text.
        lines: Cost lines of the newest revision by provider and date.
        first_lines: Cost lines of the restated date as they were at first.
        restated: The restated date.
    """

    openai: Row
    anthropic: Row
    lines: dict[Provider, dict[date, list[CostLine]]]
    first_lines: list[CostLine]
    restated: date


def build_bills(usage: Mapping[UsageKey, Usage], options: SampleOptions, plan: IncidentPlan) -> Bills:
    """Write the providers' reports of every day of the sample."""
    cut_from = plan.price_cut_date(options)
    incident = plan.of(IncidentKind.RESTATED_BILL)
    restated = options.start_date + timedelta(days=0 if incident is None else incident.first_day)
    by_day = _by_day(usage)
    lines: dict[Provider, dict[date, list[CostLine]]] = {Provider.OPENAI: {}, Provider.ANTHROPIC: {}}
    openai_days: dict[str, Row] = {}
    anthropic_days: dict[str, Row] = {}
    first_lines: list[CostLine] = []
    first_answer: Row = {}
    for number in range(options.days):
        day = options.start_date + timedelta(days=number)
        today = by_day.get(epoch_day(day), {})
        costs = openai_cost_lines(today, day, cut_from)
        if day == restated:
            early = {key: used for key, used in today.items() if not key[4]}
            first_lines = openai_cost_lines(early, day, cut_from)
            first_answer = _openai_day(early, day, first_lines)
            costs.append(_credit(costs, day))
        lines[Provider.OPENAI][day] = costs
        openai_days[day.isoformat()] = _openai_day(today, day, costs)
        charges = anthropic_cost_lines(today, day)
        lines[Provider.ANTHROPIC][day] = charges
        anthropic_days[day.isoformat()] = _anthropic_day(today, day, charges)
    return Bills(
        openai={"days": openai_days, "revisions": {"1": {restated.isoformat(): first_answer}}},
        anthropic={"days": anthropic_days, "revisions": {}},
        lines=lines,
        first_lines=first_lines,
        restated=restated,
    )


def _credit(costs: list[CostLine], day: date) -> CostLine:
    total = sum((line.billed_usd for line in costs), Decimal(0))
    amount = -(total * CREDIT_SHARE).quantize(Decimal("0.01"), ROUND_HALF_UP)
    description = f"{CREDIT_LINE}: degraded performance on {day.isoformat()}"
    return CostLine(None, None, Tier.STANDARD, None, description, None, amount, Decimal(0))


def plain(amount: Decimal) -> str:
    """Return a decimal as text without an exponent and without trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _openai_day(usage: Mapping[UsageKey, Usage], day: date, costs: list[CostLine]) -> Row:
    completions: list[Row] = []
    embeddings: list[Row] = []
    for (slot, model, tier), used in _merged(usage, day, Provider.OPENAI).items():
        fresh, cached, _, _, output = used.tokens
        where = {"project_id": SLOTS[slot].project_id, "api_key_id": SLOTS[slot].api_key_id, "user_id": None}
        if model is Model.EMBEDDING_3_SMALL:
            embeddings.append(
                {
                    "input_tokens": fresh,
                    "num_model_requests": used.requests,
                    **where,
                    "model": MODEL_IDS[model],
                }
            )
            continue
        completions.append(
            {
                "input_tokens": fresh + cached,
                "input_uncached_tokens": fresh,
                "input_cached_tokens": cached,
                "input_cache_write_tokens": 0,
                "input_text_tokens": fresh,
                "input_audio_tokens": 0,
                "input_image_tokens": 0,
                "input_cached_text_tokens": cached,
                "input_cached_audio_tokens": 0,
                "input_cached_image_tokens": 0,
                "output_tokens": output,
                "output_text_tokens": output,
                "output_audio_tokens": 0,
                "output_image_tokens": 0,
                "num_model_requests": used.requests,
                **where,
                "model": MODEL_IDS[model],
                # A batch call is served in the default tier and marked as batch.
                "batch": tier is Tier.BATCH,
                "service_tier": "flex" if tier is Tier.FLEX else "default",
            }
        )
    return {
        "completions": completions,
        "embeddings": embeddings,
        "costs": [
            {
                "amount": plain(line.billed_usd),
                "line_item": line.description,
                "project_id": None if line.slot is None else line.slot.project_id,
                "api_key_id": None if line.slot is None else line.slot.api_key_id,
                "quantity": line.tokens,
                "quantity_unit": None if line.tokens is None else "tokens",
            }
            for line in costs
        ],
    }


def _anthropic_day(usage: Mapping[UsageKey, Usage], day: date, charges: list[CostLine]) -> Row:
    messages: list[Row] = []
    for (slot, model, tier), used in _merged(usage, day, Provider.ANTHROPIC).items():
        fresh, cached, written_5m, written_1h, output = used.tokens
        messages.append(
            {
                "uncached_input_tokens": fresh,
                "cache_read_input_tokens": cached,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": written_5m,
                    "ephemeral_1h_input_tokens": written_1h,
                },
                "output_tokens": output,
                "server_tool_use": {"web_search_requests": 0},
                "api_key_id": SLOTS[slot].api_key_id,
                "workspace_id": SLOTS[slot].project_id,
                "model": MODEL_IDS[model],
                "service_tier": tier.name.lower(),
                "context_window": "0-200k",
                "inference_geo": "not_available",
                "account_id": None,
                "service_account_id": None,
            }
        )
    return {
        "messages": messages,
        "costs": [
            {
                "amount": plain(line.billed_usd * 100),
                "currency": "USD",
                "description": line.description,
                "cost_type": "tokens",
                "token_type": None if line.token_class is None else _ANTHROPIC_TOKENS[line.token_class][0],
                "model": None if line.model is None else MODEL_IDS[line.model],
                "service_tier": line.tier.name.lower(),
                "context_window": "0-200k",
                "inference_geo": "not_available",
                "workspace_id": None if line.slot is None else line.slot.project_id,
            }
            for line in charges
        ],
    }
