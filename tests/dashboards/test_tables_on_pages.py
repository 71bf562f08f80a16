"""A table is well-formed and says each name as text, whatever the name is."""

from __future__ import annotations

from urllib.parse import quote
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from dashboards.tables import Column, table_html
from dashboards.words import visible


@given(st.text(max_size=80))
def test_any_name_is_text(name: str) -> None:
    columns = [
        Column("name", lambda row: row["name"], "name", meaning=name, link=lambda row: f"?tenant={quote(row['name'])}")
    ]
    (cell,) = ElementTree.fromstring(table_html(columns, [{"name": name}])).iter("td")  # noqa: S314 - our own table
    assert "".join(cell.itertext()) == visible(name)
    assert cell.get("title") == visible(name)
