"""The monthly report says what it was given, on the page and on paper, whatever the names look like."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from orchestration.explain.change import Change, Driver, Period
from orchestration.monthly.charts import daily_spend_svg
from orchestration.monthly.document import Document, write_document
from orchestration.monthly.figures import (
    Day,
    Feature,
    Incident,
    Month,
    Mover,
    Plan,
    Provider,
    Rule,
    Tenant,
    Totals,
    Unattributed,
)
from orchestration.monthly.render import render_html, render_pdf

HOSTILE = (
    '<script>alert(1)</script><img src="http://x/y">',
    "=cmd|'/c calc'!A1",
    '#panic("x") $1/0$ *bold* @ref <label> \\',
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp \x1b[2J\x00",
    "مستأجر 🙂 日本",
    "x" * 500,
)
MONEY = Decimal("1234.567800000001")


def month(name: str) -> Month:
    """A month in which everything bears this name."""
    totals = Totals(MONEY, Decimal("34.5"), MONEY, 10, 2, 1000, 8, 4, 31)
    change = Change(
        Period(date(2026, 9, 1), date(2026, 9, 30)),
        Period(date(2026, 10, 1), date(2026, 10, 31)),
        True,
        Decimal(30),
        Decimal(40),
        (0, 2),
        (Driver("volume", f"more of {name}", Decimal(12)), Driver("price", "cheaper", Decimal(-2))),
        f"{name} +$10.00 vs the mean day: 120 % more of {name}",
    )
    return Month(
        first_day=date(2026, 10, 1),
        totals=totals,
        previous=None,
        days=[Day(date(2026, 10, 1), MONEY, Decimal("34.5")), Day(date(2026, 10, 2), None, None)],
        features=[
            Feature(name, MONEY, None, 10, 0, 2, 8, 4, Decimal(100)),
            Feature("gone", None, Decimal(5), 0, 3, 0, 0, 0, None),
            Feature("unpriced", None, Decimal(5), 3, 3, 3, 3, 0, None),
        ],
        providers=[
            Provider(name, MONEY, None, None, None, None, None, 10, None, 31, 31, 0, 0, "open"),
            Provider("p", MONEY, MONEY, MONEY, Decimal(0), Decimal(0), Decimal(0), 9, 10, 31, 0, 0, 2, "disputed"),
        ],
        unattributed=[Unattributed(name, "credit", Decimal(-5), None, name)],
        plans=[Plan("p", name, 1, Decimal(100), Decimal(110), Decimal(-10)), Plan("none", None, 0, *[Decimal(0)] * 3)],
        lowest_margins=[Tenant(name, name, name, Decimal(100), Decimal(110), Decimal(-10))],
        losing_tenants_count=1,
        change=change,
        movers=[Mover(name, change)],
        rules=[
            Rule("spike", "warn", 3, 1, date(2026, 10, 1), date(2026, 10, 3), "tenant", name, 9.5, 3.0, "USD a day")
        ],
        incidents=[Incident("spike", "tenant", name, "warn", "open", date(2026, 10, 1), date(2026, 10, 3), name, name)],
    )


def document(name: str) -> Document:
    return write_document(month(name), None, "v1")


class Page(HTMLParser):
    """Tags, attributes and the text of every cell."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str | None, ...]]] = []
        self.cells: list[str] = []
        self._in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        if tag in ("td", "th"):
            self._in_cell = True
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_is_text_on_the_page_and_on_paper(name: str) -> None:
    harmless, hostile = Page(render_html(document("plain"))), Page(render_html(document(name)))
    assert hostile.tags == harmless.tags
    assert "script" not in {tag for tag, _ in hostile.tags}
    said = [cell for section in document(name).sections if section.table for row in section.table.rows for cell in row]
    assert set(said) <= set(hostile.cells)
    assert render_pdf(document(name)).startswith(b"%PDF")


def test_the_page_asks_for_nothing_from_anywhere() -> None:
    html = render_html(document("plain"))
    assert "default-src 'none'" in html
    assert [part for part in ("src=", "href=", "@import", "url(http") if part in html] == []


def table(heading: str) -> list[list[str]]:
    (section,) = [section for section in document("drafts").sections if section.heading == heading]
    assert section.table is not None
    return [*map(list, section.table.rows), list(section.table.total)]


def test_unknown_is_not_nothing_and_what_lacks_a_price_is_a_lower_bound() -> None:
    rows = table("Features")
    assert rows[0] == ["drafts", "≥$1,234.57", "–", "8", "4", "≥$308.6420", "8.1%"]
    assert rows[1] == ["gone", "–", "$5.00", "0", "0", "–", "–"]
    assert rows[2][1] == "unknown"
    assert rows[3][:2] == ["Total", "≥$1,234.57"]
    open_provider = table("Reconciliation with the invoices")[0]
    assert open_provider[1:] == ["not billed yet, 31 of 31 days", "$1,234.57", *["–"] * 5]


def test_a_loss_is_negative_and_the_rows_sum_to_the_total() -> None:
    assert table("Margin by plan") == [
        ["drafts", "1", "$100.00", "$110.00", "-$10.00", "-10.0%"],
        ["no plan", "0", "$0.00", "$0.00", "$0.00", "–"],
        ["Total", "1", "$100.00", "$110.00", "-$10.00", "-10.0%"],
    ]
    assert table("Why spend moved")[-1] == ["Change", "$10.00", "100.0%"]
    assert table("Tenants that moved most")[0] == ["drafts", "120 % more of drafts", "$30.00", "$40.00"]


@pytest.mark.parametrize("cost", ["0", "-3.5", "0.000001", "99999999.99"])
def test_bars_stay_within_the_chart(cost: str) -> None:
    svg = daily_spend_svg([Day(date(2026, 10, 1), Decimal(cost), Decimal(cost)), Day(date(2026, 10, 2), None, None)])
    heights = [float(part.split('"')[0]) for part in svg.split(' height="')[1:]]
    assert max(heights) <= 190
    assert "NaN" not in svg
