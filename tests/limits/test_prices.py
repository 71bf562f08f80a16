"""The price file is published when the book has changed, and is the book."""

from __future__ import annotations

import shutil
from pathlib import Path

from trueup_middleware.prices import PriceFile

from orchestration.limits.prices import publish_prices
from orchestration.settings import PROJECT_ROOT


def test_a_changed_book_is_a_new_version_and_an_unchanged_one_is_none(tmp_path: Path) -> None:
    book = tmp_path / "book"
    shutil.copytree(PROJECT_ROOT / "pricing_seeds", book)
    header, *rows = (book / "model_prices.csv").read_text().splitlines(keepends=True)
    (book / "model_prices.csv").write_text(header + "".join(row for row in rows if "gpt-4.1" in row))
    first, is_new = publish_prices(tmp_path / "limits", book, [])
    assert is_new
    assert publish_prices(tmp_path / "limits", book, []) == (first, False)
    with (book / "model_prices.csv").open("a") as file:
        file.write(next(row for row in rows if ",claude-haiku-4-5," in row))
    second, is_new = publish_prices(tmp_path / "limits", book, [])
    assert is_new
    assert second != first
    assert (tmp_path / "limits" / "prices.json.gz").resolve().name == f"prices-{second}.json.gz"
    assert PriceFile.load(tmp_path / "limits" / "prices.json.gz")
