"""Open a page of the dashboards as its reader does, and read it: tiles, tables, text."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from xml.etree import ElementTree

from streamlit.testing.v1 import AppTest

SCRIPT = """
from dashboards.app import load
from orchestration.settings import Settings
load({page!r}, Settings.from_env())
"""


@dataclass(frozen=True)
class Page:
    """A page as its reader has it: tiles by label, and the rows of each table under its headers."""

    tiles: dict[str, str]
    tables: list[list[dict[str, str]]]
    text: str

    def table(self, *headers: str) -> list[dict[str, str]]:
        """Return the first table that has these headers."""
        return next(rows for rows in self.tables if rows and set(headers) <= rows[0].keys())


def open_page(home: Path, page: str, **link: str | list[str]) -> Page:
    """Run a page on an installation; fails on any exception."""
    app = AppTest.from_string(SCRIPT.format(page=page), default_timeout=120)
    for name, value in link.items():
        app.query_params[name] = value
    with patch.dict(os.environ, {"TRUEUP_HOME": str(home)}):
        app.run()
    assert not app.exception, app.exception[0].message
    bodies = [element.proto.body for element in app.get("html")]
    return Page(
        tiles={tile.label: tile.value for tile in app.metric},
        tables=[rows_of(body) for body in bodies if "<table" in body],
        text="\n".join([*bodies, *(element.value for element in (*app.subheader, *app.markdown, *app.caption))]),
    )


def rows_of(body: str) -> list[dict[str, str]]:
    """Read a table as a browser does."""
    table = ElementTree.fromstring(body).find("table")  # noqa: S314 - our own table
    assert table is not None
    headers = ["".join(cell.itertext()) for cell in table.iter("th")]
    return [
        dict(zip(headers, ("".join(cell.itertext()) for cell in row.iter("td")), strict=True))
        for body in table.iter("tbody")
        for row in body.iter("tr")
    ]
