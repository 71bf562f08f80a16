"""A panel: a title with its definition, what it shows, and below it where the figures are from and their download.

Belongs here: what every panel has in common. Does not belong here: what a panel shows.
"""

from __future__ import annotations

import html
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

from dashboards.charts import Chart
from dashboards.filters import Basis
from dashboards.publication import Query, Row
from dashboards.tables import Column, table_html
from dashboards.view import View

NOTHING = "Nothing to show for these filters."


def panel(
    view: View,
    title: str,
    name: str,
    query: Query,
    show: Callable[[list[Row]], None],
    *,
    means: str = "",
    cost: Literal["chosen", "effective", "none"] = "chosen",
    empty: str = NOTHING,
    rows: list[Row] | None = None,
) -> None:
    """Show a panel.

    Args:
        view: The page load.
        title: Of the panel.
        name: Of the query, and of downloaded files.
        query: What is shown and downloaded.
        show: Draws the rows; not called without any.
        means: What the figures are.
        cost: Whether its cost is of the chosen basis, always effective, or no cost at all.
        empty: Said when there are no rows.
        rows: Of the query, when they are known already.
    """
    found = view.snapshot.rows(query) if rows is None else rows
    facts = {
        "chosen": [f"{view.filters.basis} cost"],
        "effective": ["effective cost" if view.filters.basis is Basis.EFFECTIVE else "always effective cost"],
        "none": [],
    }[cost]
    grain = f"{query.grain}. From {', '.join(f'`{mart}`' for mart in query.marts)}."
    if facts:
        grain += f" Cost basis: {facts[0].removesuffix(' cost')}."
    st.subheader(title, help=" ".join(part for part in (means, grain) if part), anchor=False)
    if found:
        show(found)
    else:
        note(empty)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if unheeded := view.unheeded(query):
            facts.append(f"not narrowed by {', '.join(unheeded)}")
        if facts:
            st.html(f'<p class="tu-facts">{html.escape(" · ".join(facts))}</p>', width="content")
        if found:
            for kind in ("CSV", "Parquet"):
                st.download_button(
                    kind,
                    data=_Download(view, query, f".{kind.lower()}"),
                    file_name=f"{name}_{view.days.first}_{view.days.last}.{kind.lower()}",
                    mime="text/csv" if kind == "CSV" else "application/vnd.apache.parquet",
                    type="tertiary",
                    on_click="ignore",
                    key=f"{name}.{kind}",
                    help=f"Download these {len(found):,} rows as {kind}, all columns and digits",
                )


def chart(drawn: Chart, says: str) -> None:
    """Show a chart; `says` is what it shows, for those who do not see it."""
    st.altair_chart(drawn, theme=None, width="stretch", alt=says)


def table(columns: Sequence[Column], rows: Sequence[Row], total: Row | None = None) -> None:
    """Show a table."""
    st.html(table_html(columns, rows, total))


def note(text: str) -> None:
    """Show a quiet line; any text."""
    st.html(f'<p class="tu-note">{html.escape(text)}</p>')


class _Download:
    """Makes a file when it is asked for, of the rows that the page showed or, later, of the newest version."""

    def __init__(self, view: View, query: Query, suffix: str):
        self._publication = view.publication
        self._query = query
        self._suffix = suffix

    def __call__(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder, self._publication.open() as snapshot:
            file = Path(folder) / f"download{self._suffix}"
            snapshot.write(self._query, file)
            return file.read_bytes()
