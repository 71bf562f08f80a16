"""Every check of the files under `pricing_seeds` in one call, for `make check` and for whoever loads them.

Belongs here: which file is checked with what. Does not belong here: the checks, nor anything that needs the
sources of the book, so that a running installation can call it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestration.pricebook.book import (
    ALIASES_FILE,
    MULTIPLIERS_FILE,
    OVERRIDES_GLOB,
    PRICES_FILE,
    TERMS_FILE,
    PriceRow,
    read_aliases,
    read_prices,
)
from orchestration.pricebook.terms import check_multipliers, check_terms
from orchestration.pricebook.validate import Problem, check_aliases, check_prices


def check_files(seeds: Path, extra_overrides: Sequence[Path] = ()) -> list[Problem]:
    """Return what is wrong with the book under `seeds` and with further files of overrides.

    Raises:
        BookError: When a file cannot be read.
    """
    rows = [
        *read_prices(seeds / PRICES_FILE),
        *read_overrides(seeds),
        *(row for path in extra_overrides for row in read_prices(path)),
    ]
    problems = check_prices(rows) + check_aliases(read_aliases(seeds / ALIASES_FILE), rows)
    if (seeds / MULTIPLIERS_FILE).exists():
        problems += check_multipliers(seeds / MULTIPLIERS_FILE)
    if (seeds / TERMS_FILE).exists():
        problems += check_terms(seeds / TERMS_FILE)
    return problems


def read_overrides(seeds: Path) -> list[PriceRow]:
    """Read every file of overrides beside the book."""
    return [row for path in sorted(seeds.glob(OVERRIDES_GLOB)) for row in read_prices(path)]
