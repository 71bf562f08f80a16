"""The table of published mistakes names tests that exist, and every id of the sections that it is about."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "dbt_project" / "docs" / "pitfalls.md").read_text()

#: How many cases each section has.
SECTIONS = {"C": 21, "R": 4, "T": 7, "V": 7, "G": 7, "F": 14, "M": 14, "H": 7, "X": 9, "D": 16, "Q": 14}

#: Mistakes of published guides; those that are not here are about the request path or a provider's fields.
SEED = {"S1", "S2", "S9", "S10", "O1", "O2", "O3", "O4", "O5", "O6"}

#: Of bills, attribution, time and precision: those that a true-up can get wrong.
BILLS = {*(f"B{number}" for number in range(1, 19) if number != 13), "A5", "Z7", "Z9", "N1", "N2", "N3"}


def test_every_test_that_the_table_names_exists() -> None:
    named = set(re.findall(r"`(\w+)`", "\n".join(line for line in TABLE.splitlines() if line.startswith("| ")))) - {
        "unexplained_tokens"
    }
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    python = {name for text in sources for name in re.findall(r"^def (test_\w+)|^    \"(\w+)\": Case", text, re.M)}
    sql = {
        name
        for path in (ROOT / "dbt_project" / "models").rglob("*__unit_tests.yml")
        for name in re.findall(r"^  - name: (\w+)$", path.read_text(), re.M)
    }
    assert len(named) > 50
    assert named - {name for pair in python for name in pair} - sql == set()


def test_every_case_is_in_the_table_once() -> None:
    ids = [
        one for line in TABLE.splitlines() if (m := re.match(r"\| ([A-Z]\d[A-Z\d ]*) \|", line)) for one in m[1].split()
    ]
    expected = (
        {f"{letter}{number}" for letter, last in SECTIONS.items() for number in range(1, last + 1)} | SEED | BILLS
    )
    assert sorted(ids) == sorted(expected)
