"""Who is right where the price book and LiteLLM differ, and by which source, as one page.

Belongs here: the verdicts of `litellm_verdicts.csv`, and the page. Does not belong here: finding differences
(`against_litellm`).

A model that both sides could price is judged by name; one that nobody has judged is a finding. What only one side's
list states, and what neither does, needs no judge: it is counted.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from orchestration.pricebook.against_litellm import Comparison, Difference
from orchestration.pricebook.book import format_decimal

VERDICTS_FILE: Final = Path(__file__).with_name("litellm_verdicts.csv")
PAGE: Final = "LITELLM.md"

#: Kinds that are judged model by model.
_JUDGED: Final = ("sources_differ", "only_theirs", "function")
_COUNTED: Final = {
    "only_ours": (
        "Only the book has a price",
        "LiteLLM's map has none, and its function charges another tier's, the shorter context's or the input's. The "
        "book is right, by the source of its row.",
    ),
    "nobodys": (
        "Nobody has a price",
        "Neither list states one. LiteLLM's function halves what it calls a batch; the book charges the standard price "
        "and says so (`is_tier_inherited`), and the true-up puts the provider's own price in its place.",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """Who is right about some models; `*` matches anything.

    Attributes:
        provider: The book's provider.
        model: Name in LiteLLM's map, without its prefix.
        right: `book`, `litellm`, `neither`, or `unsettled`.
        source: What says so.
        reason: Why, in a sentence.
    """

    provider: str
    model: str
    right: str
    source: str
    reason: str

    def is_of(self, provider: str, name: str) -> bool:
        """Whether it is about this model."""
        return fnmatchcase(provider, self.provider) and fnmatchcase(name, self.model)


def read_verdicts(path: Path = VERDICTS_FILE) -> list[Verdict]:
    """Read the verdicts; the first that is of a model counts."""
    with path.open(encoding="utf-8", newline="") as handle:
        return [Verdict(**row) for row in csv.DictReader(handle)]


@dataclass(frozen=True)
class Judgement:
    """The page, and what is wrong with it.

    Attributes:
        page: Markdown.
        unjudged: `provider/model` that differ and that no verdict is of.
        unused: Verdicts of which no difference is left.
    """

    page: str
    unjudged: Sequence[str]
    unused: Sequence[Verdict]


def judge(comparison: Comparison, verdicts: Sequence[Verdict], version: str, day: str) -> Judgement:
    """Return the page about a comparison.

    Args:
        comparison: What was found.
        verdicts: Who is right.
        version: LiteLLM's release.
        day: The day whose prices were compared.
    """
    models: dict[tuple[str, str], list[tuple[Difference, int]]] = defaultdict(list)
    for difference, requests in comparison.differences:
        entry = difference.case.entry
        if difference.kind in _JUDGED:
            models[entry.provider, f"{entry.region}/{entry.name}".lstrip("/")].append((difference, requests))
    lines = _head(comparison, version, day)
    unjudged: list[str] = []
    used: set[Verdict] = set()
    for (provider, name), found in sorted(models.items()):
        verdict = next((each for each in verdicts if each.is_of(provider, name)), None)
        if verdict is None:
            unjudged.append(f"{provider}/{name}: {_prices(found)}")
            continue
        used.add(verdict)
        requests = sum(count for _, count in found)
        cells = (
            provider,
            f"`{name}`",
            _prices(found),
            str(requests),
            verdict.right,
            f"{verdict.reason} {verdict.source}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    for kind, (title, text) in _COUNTED.items():
        lines += [
            "",
            f"## {title}",
            "",
            text,
            "",
            "| Provider | Tier | Models | Prices | Example |",
            "|---|---|---|---|---|",
        ]
        lines += _counted([difference for difference, _ in comparison.differences if difference.kind == kind])
    unused = [verdict for verdict in verdicts if verdict not in used]
    return Judgement("\n".join(lines) + "\n", unjudged, unused)


def _head(comparison: Comparison, version: str, day: str) -> list[str]:
    found = comparison
    return f"""# The price book against LiteLLM {version}

Written by `python -m orchestration.pricebook against-litellm --write`; `make check-litellm` fails when that would write
something else. Random requests over every model of LiteLLM's map at twelve providers, in four tiers and all context
sizes, are priced by the book and by LiteLLM's own `cost_per_token`, at noon UTC of {day}, when the book took that map.

Of {found.requests_count:,} requests {found.agreeing_count:,} cost the same and {found.differing_count:,} do not; of
{found.unknown_to_it_count:,} LiteLLM's function does not know the model although its map has it. Each difference in
cost is traced to prices.

## Who is right

USD per million tokens, book / LiteLLM. What is wrong in the book and verified gets a row in `price_overrides.csv`.

| Provider | Model | Prices | Requests | Right | By |
|---|---|---|---|---|---|""".splitlines()


def _prices(found: Iterable[tuple[Difference, int]]) -> str:
    by_tier: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for difference, _ in found:
        tier = difference.case.service_tier
        if difference.row.key.context_from_tokens:
            tier += f" above {difference.row.key.context_from_tokens:,}"
        pair = f"{_plain(difference.price)} / {_plain(difference.other_price)}"
        by_tier[tier][difference.usage_class].add(pair)
    return "; ".join(
        f"{tier}: " + ", ".join(f"{name} {' or '.join(sorted(pairs))}" for name, pairs in sorted(classes.items()))
        for tier, classes in sorted(by_tier.items())
    )


def _counted(found: Sequence[Difference]) -> list[str]:
    groups: dict[tuple[str, str], list[Difference]] = defaultdict(list)
    for difference in found:
        groups[difference.case.entry.provider, difference.case.service_tier].append(difference)
    lines: list[str] = []
    for (provider, tier), group in sorted(groups.items()):
        example = min(group, key=lambda each: (each.case.entry.key, each.usage_class))
        models = {difference.case.model for difference in group}
        text = (
            f"`{example.case.entry.key}` {example.usage_class} "
            f"{_plain(example.price)} / {_plain(example.other_price)}, by {example.row.source}"
        )
        lines.append(f"| {provider} | {tier} | {len(models)} | {len(group)} | {text} |")
    return lines


def _plain(price: Decimal) -> str:
    return format_decimal(round(price, 6)) if price else "0"
