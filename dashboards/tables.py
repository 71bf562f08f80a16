"""Tables as HTML: figures right, names left, every header with its definition, everything from outside escaped.

Belongs here: rows to text. Does not belong here: which rows, and how figures are written (`words`).
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboards.words import visible

LONGEST_SHOWN = 500

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its header.
        text: What a row shows in it.
        kind: `num` for figures, `name` for one line that is cut off where it is too long, `words` for prose.
        meaning: The definition, shown on hover and to screen readers.
        link: Where a row's value leads; None for nowhere.
        share: Drawn as a bar before the text, from 0 to 1.
    """

    title: str
    text: Callable[[Row], str]
    kind: Literal["num", "name", "words"] = "num"
    meaning: str = ""
    link: Callable[[Row], str | None] | None = None
    share: Callable[[Row], float | None] | None = None


def table_html(columns: Sequence[Column], rows: Sequence[Row], total: Row | None = None) -> str:
    """Return the table; with `total`, a last row that is set off."""
    head = "".join(_header(column) for column in columns)
    body = "".join(f"<tr>{_cells(columns, row)}</tr>" for row in rows)
    if total is not None:
        body += f'<tr class="sum">{_cells(columns, total, is_total=True)}</tr>'
    return (
        '<div class="tu-scroll" tabindex="0"><table class="tu-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def escaped(text: str) -> str:
    """Return text from outside as HTML: no markup, hidden and turning characters spelled out, not endless."""
    shown = visible(text)
    return html.escape(shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 1] + "…")


def _header(column: Column) -> str:
    title = f' title="{escaped(column.meaning)}"' if column.meaning else ""
    return f'<th scope="col" class="{column.kind}"{title}>{escaped(column.title)}</th>'


def _cells(columns: Sequence[Column], row: Row, *, is_total: bool = False) -> str:
    return "".join(_cell(column, row, is_total=is_total) for column in columns)


def _cell(column: Column, row: Row, *, is_total: bool) -> str:
    text = escaped(column.text(row))
    full = f' title="{text}"' if column.kind == "name" else ""
    target = column.link(row) if column.link and not is_total else None
    if target is not None:
        text = f'<a href="{html.escape(target)}" target="_self">{text}</a>'
    share = column.share(row) if column.share and not is_total else None
    if share is not None:
        width = 4.5 * min(1.0, max(0.0, share))
        text = f'<span class="tu-bar" style="width:{width:.2f}rem"></span>{text}'
    return f'<td class="{column.kind}"{full}><bdi>{text}</bdi></td>'
