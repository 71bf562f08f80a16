"""Random provider-days: what was billed, what the provider counted, what was logged, in every combination of gaps.

Belongs here: drawing them, and writing them down as the providers and the application would. Does not belong here: what
must hold for them.

A case is drawn with any object that has the interface of `random.Random`: a seeded one for many cases in one build, and
hypothesis' own where a failing case shall be made small.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from harness import anthropic_cost, anthropic_usage, moment, openai_cost, openai_usage, request

TOKEN_CLASSES = ("input", "cache_read", "cache_write", "output")
PROVIDERS = {"openai": ("gpt-test", "gpt-unpriced"), "anthropic": ("claude-test", "claude-unpriced")}
TIERS = ("standard", "batch")
PROJECTS = (None, "proj_a", "proj_b")
KEYS = {None: (None,), "proj_a": (None, "key_1", "key_2"), "proj_b": (None, "key_3")}
OTHER_LINES = ("Service credit", "Refund of last month", "Sales tax", "File storage", "Something new")


@dataclass(frozen=True)
class Cell:
    """What a charge or a count is for; searches are billed by project alone."""

    project: str | None
    model: str
    tier: str
    key: str | None = None
    account: str | None = "org"


@dataclass(frozen=True)
class Logged:
    """One logged request: tokens by class, or None where nobody counted them."""

    cell: Cell
    tokens: dict[str, int] | None
    searches: int = 0
    outcome: str = "success"
    is_from_own_cache: bool = False


@dataclass
class ProviderDay:
    """One provider's day: what was billed, counted and logged.

    Attributes:
        charges, counts: By cell and class.
        lumps: Charges for a cell without a class, or for the whole account without a cell.
        other_charges: Lines of the bill that are no usage.
    """

    provider: str
    charges: list[tuple[Cell, str, Decimal]] = field(default_factory=list)
    lumps: list[tuple[Cell | None, Decimal]] = field(default_factory=list)
    other_charges: list[tuple[str, Decimal]] = field(default_factory=list)
    counts: dict[tuple[Cell, str], int] = field(default_factory=dict)
    requests: list[Logged] = field(default_factory=list)

    @property
    def billed_usd(self) -> Decimal:
        """The bill."""
        return sum((amount for *_, amount in [*self.charges, *self.lumps, *self.other_charges]), Decimal(0))


def random_provider_day(
    rng: Random, provider: str, *, has_lumps: bool = False, has_accounts: bool = False
) -> ProviderDay:
    """Draw a provider-day: with charges that name no class, and with a second account, where these are wanted."""
    day = ProviderDay(provider)
    models = PROVIDERS[provider]
    accounts = ("org", "org_2") if has_accounts and rng.random() < 0.5 else ("org",)
    cells = [_cell(rng, models, accounts) for _ in range(rng.randint(1, 3))]
    for _ in range(rng.randint(0, 6)):
        day.requests.append(_logged(rng, models, rng.choice(cells)))
    for cell in dict.fromkeys(cells):
        for usage_class in (*TOKEN_CLASSES, "web_search"):
            for _ in range(rng.choice((0, 1, 1, 2))):
                day.charges.append((cell, usage_class, _amount(rng)))
            logged = sum(_used(each, usage_class) for each in day.requests if each.cell == cell)
            counted = rng.choice((None, 0, logged, logged, logged // 2, logged + rng.randint(1, 1000), logged * 5 // 3))
            if counted is not None:
                # The provider does not always count by the key that it bills.
                counted_cell = cell if rng.random() < 0.8 else replace(cell, key=None)
                day.counts[counted_cell, usage_class] = counted
    if has_lumps and rng.random() < 0.3:
        day.lumps.append((rng.choice([None, *cells]), _amount(rng)))
    for line in OTHER_LINES:
        if rng.random() < 0.3:
            day.other_charges.append((line, _amount(rng)))
    return day


def landed_rows(provider_day: ProviderDay, day: date, number: int) -> dict[str, list[dict[str, Any]]]:
    """Write a provider-day down as rows of the landed tables."""
    openai = provider_day.provider == "openai"
    rows: dict[str, list[dict[str, Any]]] = {
        "llm_requests": [_request_row(each, provider_day.provider, day, number) for each in provider_day.requests]
    }
    if openai:
        rows["openai_costs"] = [_openai_cost_row(day, *charge) for charge in provider_day.charges] + [
            openai_cost(day, line, str(amount)) for line, amount in provider_day.other_charges
        ]
        rows["openai_usage_completions"] = [
            openai_usage(
                day,
                cell.model,
                project_id=cell.project,
                api_key_id=cell.key,
                batch=cell.tier == "batch",
                **_openai_counts(counts),
            )
            for cell, counts in _counts_by_cell(provider_day).items()
        ]
        rows["openai_usage_other"] = [
            {
                **openai_cost(day, "", "0"),
                "endpoint": "web_search_calls",
                "project_id": cell.project,
                "quantity": Decimal(count),
                "quantity_unit": "requests",
            }
            for (cell, usage_class), count in provider_day.counts.items()
            if usage_class == "web_search"
        ]
        for row in rows["openai_usage_other"]:
            for column in ("line_item", "amount_usd", "currency"):
                del row[column]
    else:
        rows["anthropic_cost_report"] = [_anthropic_cost_row(day, *charge) for charge in provider_day.charges] + [
            anthropic_cost(day, None, str(amount * 100), cost_type=None, description=line)
            for line, amount in provider_day.other_charges
        ]
        rows["anthropic_usage_messages"] = [
            anthropic_usage(
                day,
                cell.model,
                workspace_id=cell.project,
                api_key_id=cell.key,
                service_tier=cell.tier,
                **_anthropic_counts(counts),
            )
            for cell, counts in _counts_by_cell(provider_day, with_searches=True).items()
        ]
    return {table: found for table, found in rows.items() if found}


def class_in_warehouse(provider: str, usage_class: str) -> str:
    """A cache write is kept for thirty minutes at OpenAI and for five at Anthropic, by their defaults."""
    if usage_class != "cache_write":
        return usage_class
    return "cache_write_30m" if provider == "openai" else "cache_write_5m"


def _cell(rng: Random, models: tuple[str, ...], accounts: tuple[str, ...]) -> Cell:
    account = rng.choice(accounts)
    # A project belongs to one account, and a key to one project.
    project = rng.choice(PROJECTS if account == "org" else (None, "proj_c"))
    return Cell(project, rng.choice(models), rng.choice(TIERS), rng.choice(KEYS.get(project, (None,))), account)


def _logged(rng: Random, models: tuple[str, ...], usual: Cell) -> Logged:
    # Some requests name no project, some one that the provider does not know, some a model that is not in the bill; few
    # name the account.
    cell = rng.choice(
        (
            usual,
            replace(usual, account=None),
            replace(usual, account=None, key=None),
            Cell(None, usual.model, usual.tier, account=None),
            Cell("By name", usual.model, usual.tier, account="Our account"),
            _cell(rng, models, ("org",)),
        )
    )
    kind = rng.choice(("counted", "counted", "counted", "uncounted", "refused", "own cache", "searches only"))
    tokens = {name: rng.choice((0, 1, 3, rng.randint(0, 1_000_000))) for name in TOKEN_CLASSES}
    searches = rng.choice((0, 0, 1, 5))
    if kind == "refused":
        return Logged(cell, None, outcome="rate_limited")
    if kind == "uncounted":
        return Logged(cell, None)
    if kind == "searches only":
        return Logged(cell, None, searches=2)
    return Logged(cell, tokens, searches=searches, is_from_own_cache=kind == "own cache")


def _amount(rng: Random) -> Decimal:
    """Zero, the smallest unit, everyday money to ten places, a fortune; one in five is money back."""
    units = rng.choice((0, 1, 7, rng.randint(1, 10**12), rng.randint(1, 10**15), rng.randint(1, 10**18)))
    return Decimal(units * rng.choice((1, 1, 1, 1, -1))) * Decimal("1e-12")


def _used(logged: Logged, usage_class: str) -> int:
    if logged.is_from_own_cache or logged.outcome != "success":
        return 0
    if usage_class == "web_search":
        return logged.searches
    return (logged.tokens or {}).get(usage_class, 0)


def _request_row(logged: Logged, provider: str, day: date, number: int) -> dict[str, Any]:
    tokens = logged.tokens
    return request(
        moment(day),
        provider=provider,
        model=logged.cell.model,
        provider_account=logged.cell.account,
        provider_project=logged.cell.project,
        provider_api_key_id=logged.cell.key,
        service_tier=logged.cell.tier,
        outcome=logged.outcome,
        response_cache_hit=logged.is_from_own_cache,
        tenant_id=(None, "acme", "globex")[number % 3],
        feature=("draft", "search")[number % 2],
        input_tokens=None if tokens is None else tokens["input"] + tokens["cache_read"] + tokens["cache_write"],
        cache_read_tokens=None if tokens is None else tokens["cache_read"],
        cache_write_tokens=None if tokens is None else tokens["cache_write"],
        output_tokens=None if tokens is None else tokens["output"],
        web_search_requests=Decimal(logged.searches) if logged.searches else None,
    )


def _counts_by_cell(provider_day: ProviderDay, *, with_searches: bool = False) -> dict[Cell, dict[str, int]]:
    counts: dict[Cell, dict[str, int]] = {}
    for (cell, usage_class), count in provider_day.counts.items():
        if with_searches or usage_class != "web_search":
            counts.setdefault(cell, {})[usage_class] = count
    return counts


def _openai_counts(counts: dict[str, int]) -> dict[str, int | None]:
    columns = {
        "input": "input_uncached_tokens",
        "cache_read": "input_cached_tokens",
        "cache_write": "input_cache_write_tokens",
        "output": "output_tokens",
    }
    return {column: counts.get(name) for name, column in columns.items()}


def _anthropic_counts(counts: dict[str, int]) -> dict[str, int]:
    columns = {
        "input": "uncached_input_tokens",
        "cache_read": "cache_read_input_tokens",
        "cache_write": "cache_creation_ephemeral_5m_input_tokens",
        "output": "output_tokens",
        "web_search": "web_search_requests",
    }
    return {columns[name]: count for name, count in counts.items()}


def _openai_cost_row(day: date, cell: Cell, usage_class: str, amount: Decimal) -> dict[str, Any]:
    meters = {
        "input": "input_tokens",
        "cache_read": "cached_input_tokens",
        "cache_write": "input_cache_write_tokens",
        "output": "output_tokens",
        "web_search": "web_search_calls",
    }
    tier = ", batch" if cell.tier == "batch" else ""
    return openai_cost(
        day, f"{cell.model}, {meters[usage_class]}{tier}", str(amount), project_id=cell.project, api_key_id=cell.key
    )


def _anthropic_cost_row(day: date, cell: Cell, usage_class: str, amount: Decimal) -> dict[str, Any]:
    token_types = {
        "input": "uncached_input_tokens",
        "cache_read": "cache_read_input_tokens",
        "cache_write": "cache_creation.ephemeral_5m_input_tokens",
        "output": "output_tokens",
        "web_search": None,
    }
    return anthropic_cost(
        day,
        token_types[usage_class],
        str(amount * 100),
        cost_type="web_search" if usage_class == "web_search" else "tokens",
        model=None if usage_class == "web_search" else cell.model,
        service_tier=cell.tier,
        workspace_id=cell.project,
    )
