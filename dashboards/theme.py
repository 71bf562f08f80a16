"""How the dashboards look: one accent, one family of hues, one style of charts, tables and captions.

Belongs here: colours, the Altair theme, the stylesheet. Does not belong here: what is drawn. Colours of the page itself
stand in `.streamlit/config.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Palette:
    """Colours of one of the two looks.

    Attributes:
        accent: Links and lines, the one thing to look at.
        fill: The same in areas, where it would shout.
        text, quiet, line: Words, labels, rules and grids.
        worse, better: Cost that rose and fell.
        series: Of a stack, largest first; told apart also by those who see no red or green.
        others: What is summed at the end of a stack.
    """

    accent: str
    fill: str
    text: str
    quiet: str
    line: str
    worse: str
    better: str
    series: tuple[str, ...]
    others: str


LIGHT = Palette(
    accent="#0f766e",
    fill="#0f766e",
    text="#17202a",
    quiet="#66717e",
    line="#e8ebee",
    worse="#b4532a",
    better="#0f766e",
    series=("#0f766e", "#4f7cac", "#d19a2a", "#7a5c8e", "#9db05a", "#b4532a"),
    others="#b6bec8",
)

DARK = Palette(
    accent="#2dd4bf",
    fill="#2aa79a",
    text="#e6e9ed",
    quiet="#98a3b0",
    line="#252c34",
    worse="#d9774c",
    better="#2aa79a",
    series=("#2aa79a", "#6f9fd0", "#d9ab4a", "#a586bb", "#a9bd68", "#d9774c"),
    others="#56606c",
)

FONT = '"Source Sans", "Source Sans 3", "Source Sans Pro", system-ui, sans-serif'


def chart_config(palette: Palette) -> dict[str, Any]:
    """Return the Vega-Lite configuration that every chart shares."""
    label = {"labelColor": palette.quiet, "titleColor": palette.quiet, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            **label,
            "domain": False,
            "ticks": False,
            "gridColor": palette.line,
            "labelPadding": 6,
            "labelLimit": 180,
            "titleFontWeight": "normal",
        },
        "axisX": {"grid": False, "domain": True, "domainColor": palette.line},
        "legend": {
            **label,
            "orient": "bottom",
            "title": None,
            "symbolType": "square",
            "symbolSize": 80,
            "labelLimit": 130,
            "columnPadding": 14,
            "columns": 2,
        },
        "range": {"category": list(palette.series)},
        "bar": {"cornerRadiusEnd": 1},
        "line": {"strokeWidth": 2},
        "text": {"color": palette.quiet, "fontSize": 12},
    }


ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f766e"/>'
    '<path d="M7 12h18M7 20h18" stroke="#fff" stroke-width="3.4" stroke-linecap="round"/></svg>'
)
"""Two lines that are equal; inline, because an icon by name would be fetched from elsewhere."""


def style(palette: Palette) -> str:
    """Return the stylesheet of the page."""
    return _STYLE.replace("ACCENT", palette.accent)


_STYLE = """
<style>
/* The page: narrower margins, and none on a telephone. */
[data-testid="stMainBlockContainer"] { padding: 4.25rem 2rem 4rem; max-width: 1240px; }
[data-testid="stMetric"] { padding: .85rem 1rem .75rem; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; font-weight: 600; font-size: 1.55rem; }
[data-testid="stMetricLabel"] p { font-size: .86rem; }
[data-testid="stMetricDelta"] { font-size: .82rem; white-space: normal; }
[data-testid="stHeading"] h3 { padding: 1.1rem 0 0; }
.tu-note, .tu-facts { font-size: .82rem; opacity: .68; line-height: 1.45; }
.tu-facts { margin: 0; }
.tu-title { font-size: 1.6rem; font-weight: 600; line-height: 1.2; overflow-wrap: anywhere; }
.tu-words { font-size: 1.02rem; line-height: 1.5; max-width: 110ch; overflow-wrap: anywhere; }
.tu-scroll { overflow-x: auto; }
.tu-table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
.tu-table th {
  text-align: left; font-weight: 500; font-size: .8rem; opacity: .68; white-space: nowrap;
  padding: .35rem .9rem .35rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 22%, transparent);
}
.tu-table th[title] { cursor: help; }
.tu-table td {
  padding: .38rem .9rem .38rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 9%, transparent);
  vertical-align: top;
}
.tu-table tbody tr:hover td { background: color-mix(in srgb, currentColor 4%, transparent); }
.tu-table .num { text-align: right; white-space: nowrap; }
.tu-table th.num { padding-left: .6rem; }
.tu-table .name { max-width: 20rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tu-table .words { min-width: 9rem; max-width: 34rem; overflow-wrap: anywhere; line-height: 1.4; }
.tu-table tr.sum td { font-weight: 600; border-bottom: 0; }
.tu-table a { text-decoration: none; color: ACCENT; }
.tu-table a:hover, .tu-table a:focus { text-decoration: underline; }
.tu-bar { display: inline-block; height: .5rem; border-radius: 1px; margin-right: .5rem; vertical-align: baseline;
  background: color-mix(in srgb, currentColor 30%, transparent); }
.tu-tag { padding: .05rem .4rem; border-radius: 3px; font-size: .78rem; white-space: nowrap;
  background: color-mix(in srgb, currentColor 9%, transparent); }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 4rem 1rem 3rem; }
  [data-testid="stMetricValue"] { font-size: 1.35rem; }
}
@media print { header, [data-testid="stDownloadButton"] { display: none; } }
</style>
"""
