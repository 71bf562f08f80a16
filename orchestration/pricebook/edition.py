"""One refresh of the files under `pricing_seeds`: read the sources, restate the book, check it, write it.

Belongs here: the order of the steps and which file holds what. Does not belong here: the steps.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from orchestration.pricebook import fallback, genai_source, litellm_source, names, refresh
from orchestration.pricebook.book import (
    ALIASES_FILE,
    EVER,
    MULTIPLIERS_FILE,
    PRICES_FILE,
    AliasRow,
    PriceRow,
    format_decimal,
    format_moment,
    read_aliases,
    read_prices,
    write_aliases,
    write_csv,
    write_prices,
)
from orchestration.pricebook.checking import read_overrides
from orchestration.pricebook.fallback import Disagreement, Multiplier
from orchestration.pricebook.refresh import Change
from orchestration.pricebook.terms import MULTIPLIER_COLUMNS
from orchestration.pricebook.validate import Problem, Suspicion, check_aliases, check_prices, suspicions
from orchestration.pricebook.vocabulary import STANDARD_TIER


@dataclass
class Edition:
    """What a refresh found and did.

    Attributes:
        changes: Per source what was appended and closed.
        new_models: (provider, model) that the book did not have before.
        new_aliases: Names that the book did not have before, or that name another model now.
        disagreements: Where two sources state different prices of one thing; the book follows the precedence.
        suspicions: New rows that a human should look at.
        problems: What makes the book unusable; nothing was written when there is any.
    """

    changes: list[Change] = field(default_factory=list[Change])
    new_models: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    new_aliases: list[AliasRow] = field(default_factory=list[AliasRow])
    disagreements: list[Disagreement] = field(default_factory=list[Disagreement])
    suspicions: list[Suspicion] = field(default_factory=list[Suspicion])
    problems: list[Problem] = field(default_factory=list[Problem])


def publish(seeds: Path, now: datetime, litellm_map: Path | None = None, litellm_version: str | None = None) -> Edition:
    """Refresh the files under `seeds` from the installed genai-prices.

    With a map, from LiteLLM too; without it the rows that came from it stay as they are.

    Raises:
        BookError: When the present book cannot be read.
        ValueError: When the map is not one.
    """
    seeds.mkdir(parents=True, exist_ok=True)
    edition = Edition()
    before = read_prices(seeds / PRICES_FILE) if (seeds / PRICES_FILE).exists() else []
    aliases = read_aliases(seeds / ALIASES_FILE) if (seeds / ALIASES_FILE).exists() else []

    dated = genai_source.read()
    listings = [dated]
    generated = [*names.spelled_out(), *names.documented()]
    multipliers: list[Multiplier] | None = None
    displaced = dated.borrowed & _priced_by_the_map(before)
    if litellm_map is not None:
        added = fallback.choose(litellm_source.read(litellm_map, litellm_version), dated, now)
        displaced = added.displaced | (displaced - added.stated)
        listings.append(added.listing)
        edition.disagreements = added.disagreements
        generated = [*added.aliases, *generated]
        multipliers = added.multipliers
    dated.withdraw(displaced)
    rows = before
    for listing in listings:
        rows, change = refresh.apply(rows, listing, now)
        edition.changes.append(change)

    models = {(row.key.provider, row.key.model) for row in rows}
    merged = _usable(names.merge(aliases, generated), models)
    merged = _usable(names.merge(merged, names.prefixed(models, merged)), models)

    edition.new_models = sorted(models - {(row.key.provider, row.key.model) for row in before})
    edition.new_aliases = sorted(set(merged) - set(aliases), key=lambda row: (row.provider, row.alias))
    added_ids = {row.price_id for change in edition.changes for row in change.added}
    edition.suspicions = [found for found in suspicions(rows) if found.row.price_id in added_ids]
    edition.problems = check_prices([*rows, *read_overrides(seeds)]) + check_aliases(merged, rows)
    if not edition.problems:
        write_prices(seeds / PRICES_FILE, rows)
        write_aliases(seeds / ALIASES_FILE, merged)
        if multipliers is not None:
            _write_multipliers(seeds / MULTIPLIERS_FILE, multipliers)
    return edition


def _priced_by_the_map(rows: list[PriceRow]) -> set[tuple[str, str]]:
    """Return the models whose input the book believes LiteLLM's map on: what it only completes has none."""
    wanted = ("input", STANDARD_TIER, "")
    return {
        (row.key.provider, row.key.model)
        for row in rows
        if row.source == litellm_source.SOURCE
        and row.known_to is None
        and (row.key.usage_class, row.key.service_tier, row.key.region) == wanted
    }


def _usable(aliases: list[AliasRow], models: set[tuple[str, str]]) -> list[AliasRow]:
    """Leave out a name that is a model by itself, and a name of a model without a price."""
    return [row for row in aliases if (row.provider, row.alias) not in models and (row.provider, row.model) in models]


def _write_multipliers(path: Path, multipliers: list[Multiplier]) -> None:
    """Renew the rows that come from the map; what a human added stays."""
    held: list[list[str]] = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as handle:
            held = [
                [row[column] for column in MULTIPLIER_COLUMNS]
                for row in csv.DictReader(handle)
                if row["source"] != litellm_source.SOURCE
            ]
    generated = {
        (m.provider, m.dimension, m.value, m.model): [
            m.provider,
            m.dimension,
            m.value,
            m.model,
            format_decimal(m.multiplier),
            format_moment(EVER),
            "",
            litellm_source.SOURCE,
            m.source_url,
            "undated",
        ]
        for m in multipliers
    }
    write_csv(path, MULTIPLIER_COLUMNS, [*held, *(generated[key] for key in sorted(generated))])
