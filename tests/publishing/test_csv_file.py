"""Text of a CSV file is text to a spreadsheet, whatever a tenant is called."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest

from orchestration.publishing.csv_file import write_csv


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_take_for_a_formula_is_quoted(text: str, tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table rows_of_text (name varchar, amount decimal(38, 12))")
        connection.execute("insert into rows_of_text values ($1, -4), ('plain, with a comma', 2)", [text])
        write_csv(connection, "rows_of_text", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows == [
        {"name": f"'{text}", "amount": "-4.000000000000"},
        {"name": "plain, with a comma", "amount": "2.000000000000"},
    ]
