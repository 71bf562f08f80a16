"""The price book as one file for the request path, where no warehouse is at hand.

Belongs here: the file's content, and the semantics of usage that go with it. Does not belong here: applying either
(`middleware/`, which reads what is written here), and choosing where the file is published.

The file holds what the book believes now: prices, names, multipliers and terms, in whole 10⁻¹² USD. The same book is
the same bytes, and the version is a hash of them.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final

import jinja2

from orchestration.pricebook.book import MULTIPLIERS_FILE, TERMS_FILE, PriceBook, PriceRow, load_book
from orchestration.settings import PROJECT_ROOT

FORMAT: Final = "trueup.prices.v1"
FILE_NAME: Final = "prices.json.gz"

_PICO: Final = Decimal(10**12)
_SEMANTICS: Final = {
    "usage.sql": ("usage_apis",),
    "request_columns.sql": ("token_classes", "part_classes", "extra_classes", "apiece_classes", "fallback_classes"),
}


def write_price_file(seeds: Path, target: Path, extra_overrides: tuple[Path, ...] = ()) -> str:
    """Write the book under `seeds` to `target`, whole or not at all, and return its version.

    Args:
        seeds: Folder of the price book.
        target: The file; its folder exists.
        extra_overrides: Further files of overrides, as an installation may have.

    Raises:
        BookError: A row cannot be read.
    """
    content = price_file_content(seeds, extra_overrides)
    packed = gzip.compress(json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode(), mtime=0)
    partial = target.with_name(target.name + ".partial")
    partial.write_bytes(packed)
    partial.replace(target)
    return str(content["version"])


def price_file_content(seeds: Path, extra_overrides: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return what the file holds; `version` is a hash of the rest."""
    book = load_book(seeds, extra_overrides)
    content: dict[str, Any] = {
        "format": FORMAT,
        "models": _models(book),
        "aliases": _aliases(book),
        "multipliers": list(_multipliers(seeds / MULTIPLIERS_FILE)),
        "terms": list(_terms(seeds / TERMS_FILE)),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {"format": FORMAT, "version": hashlib.sha256(text.encode()).hexdigest()[:16], **content}


def write_usage_semantics(target: Path) -> None:
    """Write what usage objects mean, for the package that ships it."""
    target.write_text(json.dumps(usage_semantics(), indent=1) + "\n")


def usage_semantics() -> dict[str, Any]:
    """Return what usage objects mean and what the classes are, out of the macros that the warehouse reads them with."""
    macros = PROJECT_ROOT / "dbt_project" / "macros"
    found: dict[str, Any] = {}
    for file, names in _SEMANTICS.items():
        given: list[Any] = []
        environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)  # noqa: S701 - data, not HTML
        # A macro hands a value on by dbt's `return`; Jinja's own macros can only give text.
        module: Any = environment.from_string((macros / file).read_text(), globals={"return": given.append}).module
        for name in names:
            getattr(module, name)()
            found[name] = given.pop()
    return found


def _models(book: PriceBook) -> dict[str, dict[str, list[list[Any]]]]:
    models: dict[str, dict[str, list[list[Any]]]] = defaultdict(dict)
    for row in book.rows:
        if row.is_believed_at(None):
            models[row.key.provider].setdefault(row.key.model.lower(), []).append(_price(row))
    return models


def _price(row: PriceRow) -> list[Any]:
    key = row.key
    return [
        key.usage_class,
        key.service_tier or "standard",
        key.context_from_tokens,
        key.region.lower(),
        _minute(key.utc_time_from),
        _minute(key.utc_time_to),
        int(row.valid_from.timestamp()),
        None if row.valid_to is None else int(row.valid_to.timestamp()),
        _pico(row.usd_per_unit),
        row.precedence,
    ]


def _aliases(book: PriceBook) -> dict[str, dict[str, str]]:
    aliases: dict[str, dict[str, str]] = defaultdict(dict)
    for row in book.aliases:
        aliases[row.provider][row.alias.lower()] = row.model.lower()
    return aliases


def _multipliers(path: Path) -> Iterator[list[Any]]:
    for row in _records(path):
        micro = int((Decimal(row["multiplier"]) * 10**6).to_integral_value(ROUND_HALF_UP))
        yield [row["provider"], row["dimension"], row["value"].lower(), row["model"].lower(), micro, *_span(row)]


def _terms(path: Path) -> Iterator[list[Any]]:
    for row in _records(path):
        yield [
            *(row["provider"], row["provider_account"], row["model"].lower(), row["usage_class"], row["service_tier"]),
            int(Decimal(row["discount_pct"]) * 10**4) if row["discount_pct"] else None,
            _pico(Decimal(row["price_usd_per_mtok"]) * Decimal("0.000001")) if row["price_usd_per_mtok"] else None,
            *_span(row),
        ]


def _records(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        with path.open(encoding="utf-8", newline="") as handle:
            yield from csv.DictReader(handle)


def _span(row: dict[str, str]) -> tuple[int, int | None]:
    return _second(row["valid_from"]) or 0, _second(row["valid_to"])


def _second(moment: str) -> int | None:
    return int(datetime.fromisoformat(moment).timestamp()) if moment else None


def _minute(text: str) -> int | None:
    return int(text[:2]) * 60 + int(text[3:5]) if text else None


def _pico(usd: Decimal) -> int:
    """Return USD as a whole number of 10⁻¹² USD; the book keeps no more digits."""
    return int((usd * _PICO).to_integral_value(ROUND_HALF_UP))
