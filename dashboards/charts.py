"""Charts: rows of a query to Altair.

Belongs here: marks, scales, tooltips. Does not belong here: figures; what a chart adds up (the rest of a stack, the
running total of a waterfall) it adds up in decimals, and only pixels are floats. Tooltips show the words of the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from itertools import accumulate
from typing import Any

import altair as alt

from dashboards.theme import Palette, chart_config
from dashboards.words import day, name, usd, usd_change

Row = dict[str, Any]
Chart = alt.LayerChart | alt.FacetChart
Figure = Decimal | int | float

OTHERS = "others"
_LONGEST_LABEL = 60
_HEIGHT = 260


def stacked_days(rows: Sequence[Row], series: str, value: str, palette: Palette) -> Chart:
    """Return bars by day, stacked by `series` in the order of the rows; what has no colour left is summed."""
    order = list(dict.fromkeys(_label(row[series]) for row in rows))
    shown = order[: len(palette.series)] if len(order) > len(palette.series) + 1 else order[: len(palette.series) + 1]
    stacks: dict[tuple[date, str], Decimal] = {}
    for row in rows:
        key = (row["usage_date"], _label(row[series]) if _label(row[series]) in shown else OTHERS)
        stacks[key] = stacks.get(key, Decimal(0)) + (row[value] or 0)
    names = [*shown, *([OTHERS] if len(shown) < len(order) else [])]
    colours = [*palette.series[: len(shown)], palette.others, palette.others][: len(names)]
    data = [
        {"day": _at(when), "series": label, "value": float(amount), "place": names.index(label), "shown": usd(amount)}
        | {"words": day(when)}
        for (when, label), amount in stacks.items()
    ]
    bars = (
        alt.Chart(alt.Data(values=data))
        .mark_bar()
        .encode(
            x=_days(),
            y=alt.Y("value:Q", title=None, stack="zero", axis=_usd_axis()),
            color=alt.Color("series:N", scale=alt.Scale(domain=names, range=colours), sort=names),
            order=alt.Order("place:Q", sort="descending"),
            tooltip=_tooltips(words="day", series=series.removesuffix("_id"), shown="cost"),
        )
    )
    return _finished([bars], palette)


def day_bars(rows: Sequence[Row], value: str, palette: Palette, words: Callable[[Row], str]) -> Chart:
    """Return one bar a day."""
    data = [
        {"day": _at(row["usage_date"]), "value": _pixel(row[value]), "shown": words(row)}
        | {"words": day(row["usage_date"])}
        for row in rows
    ]
    bars = (
        alt.Chart(alt.Data(values=data))
        .mark_bar(color=palette.fill)
        .encode(
            x=_days(),
            y=alt.Y("value:Q", title=None, axis=_usd_axis()),
            tooltip=_tooltips(words="day", shown="cost"),
        )
    )
    return _finished([bars], palette)


def day_lines(
    rows: Sequence[Row],
    series: str,
    value: str,
    palette: Palette,
    *,
    words: Callable[[Any], str],
    axis: str = "~s",
    marks: Sequence[tuple[date, str]] = (),
    height: int = _HEIGHT,
) -> Chart:
    """Return a line for each of the first series; `marks` are days on which something happened, drawn as rules.

    Args:
        rows: With `usage_date`, largest series first.
        series: Column whose values are told apart.
        value: Column that is drawn; None leaves a gap.
        palette: Colours.
        words: A value as the tooltip shows it.
        axis: Format of the axis, in D3's language.
        marks: Day and what happened.
        height: In pixels.
    """
    names = list(dict.fromkeys(_label(row[series]) for row in rows))[: len(palette.series)]
    data = [
        {"day": _at(row["usage_date"]), "series": label, "value": _pixel(row[value]), "shown": words(row[value])}
        | {"words": day(row["usage_date"])}
        for row in rows
        if (label := _label(row[series])) in names
    ]
    lines = (
        alt.Chart(alt.Data(values=data))
        .mark_line(point=alt.OverlayMarkDef(size=14, filled=True))
        .encode(
            x=_days(),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(format=axis, tickCount=4)),
            color=alt.Color(
                "series:N", scale=alt.Scale(domain=names, range=list(palette.series[: len(names)])), sort=names
            ),
            tooltip=_tooltips(words="day", series=series, shown=value.replace("_", " ")),
        )
    )
    return _finished([*_rules(marks, palette), lines], palette, height)


def two_lines(rows: Sequence[Row], columns: Mapping[str, str], palette: Palette) -> Chart:
    """Return amounts of two columns by day: the first as bars, the second as a line on top.

    Args:
        rows: With `usage_date`.
        columns: Column and what it is called; two of them.
        palette: Colours.
    """
    (behind, behind_words), (front, front_words) = columns.items()
    colours = alt.Scale(domain=[behind_words, front_words], range=[palette.others, palette.accent])

    def values(column: str, words: str) -> alt.Data:
        return alt.Data(
            values=[
                {"day": _at(row["usage_date"]), "value": _pixel(row[column]), "shown": usd(row[column])}
                | {"words": day(row["usage_date"]), "series": words}
                for row in rows
                if row[column] is not None
            ]
        )

    y = alt.Y("value:Q", title=None, axis=_usd_axis())
    tooltip = _tooltips(words="day", series="what", shown="cost")
    bars = (
        alt.Chart(values(behind, behind_words))
        .mark_bar()
        .encode(x=_days(), y=y, color=alt.Color("series:N", scale=colours), tooltip=tooltip)
    )
    line = (
        alt.Chart(values(front, front_words))
        .mark_line(point=alt.OverlayMarkDef(size=16, filled=True))
        .encode(x=_days(), y=y, color=alt.Color("series:N", scale=colours), tooltip=tooltip)
    )
    return _finished([bars, line], palette)


def burn_down(rows: Sequence[Row], forecast: Row, palette: Palette) -> Chart:
    """Return the month's cost to date, where it will end and between which bounds, against its budget."""
    line = alt.Chart(
        alt.Data(
            values=[
                {"day": _at(row["usage_date"]), "value": _pixel(row["cost_to_date_usd"])}
                | {"shown": usd(row["cost_to_date_usd"]), "words": day(row["usage_date"])}
                for row in rows
            ]
        )
    )
    y = alt.Y("value:Q", title=None, axis=_usd_axis())
    tooltip = _tooltips(words="day", shown="to date")
    layers: list[Any] = [
        line.mark_area(color=palette.accent, opacity=0.14).encode(x=_days(), y=y),
        line.mark_line(color=palette.accent).encode(x=_days(), y=y, tooltip=tooltip),
    ]
    known, end = forecast["known_to_date"], forecast["month_end_date"]
    if known < end:
        now = {"day": _at(known), **dict.fromkeys(("value", "low", "high"), _pixel(forecast["month_to_date_cost_usd"]))}
        then = {
            "day": _at(end),
            "value": _pixel(forecast["month_end_cost_usd"]),
            "low": _pixel(forecast["month_end_low_usd"]),
            "high": _pixel(forecast["month_end_high_usd"]),
        }
        coming = alt.Chart(alt.Data(values=[now, then]))
        if forecast["month_end_low_usd"] is not None:
            layers.append(
                coming.mark_area(color=palette.quiet, opacity=0.15).encode(
                    x=_days(), y=alt.Y("low:Q", title=None), y2="high:Q"
                )
            )
        layers.append(coming.mark_line(color=palette.quiet, strokeDash=[4, 3]).encode(x=_days(), y=y))
    if forecast["budget_usd"] is not None:
        budget = [
            {"day": _at(end), "value": _pixel(forecast["budget_usd"]), "text": f"budget {usd(forecast['budget_usd'])}"}
        ]
        at = alt.Chart(alt.Data(values=budget))
        layers.append(at.mark_rule(color=palette.worse, strokeDash=[2, 2]).encode(y=y))
        layers.append(at.mark_text(align="right", dy=-7, color=palette.worse).encode(x=_days(), y=y, text="text:N"))
    return _finished(layers, palette)


def waterfall(
    start: tuple[str, Decimal], steps: Sequence[tuple[str, Decimal]], end: tuple[str, Decimal], palette: Palette
) -> Chart:
    """Return a waterfall from one amount to another, a row for each step.

    Raises:
        ValueError: When the steps do not sum to the difference.
    """
    if start[1] + sum((amount for _, amount in steps), Decimal(0)) != end[1]:
        raise ValueError(f"steps sum to {sum(amount for _, amount in steps)}, not to {end[1] - start[1]}")
    begins = _axis_begins([start[1], *_levels(start[1], steps)], max(start[1], end[1]))
    data: list[dict[str, Any]] = []

    def add(label: str, low: Decimal, high: Decimal, kind: str, shown: str) -> None:
        data.append(
            {"place": len(data), "label": _label(label), "low": float(low), "high": float(high), "kind": kind}
            | {"shown": shown, "at": float(max(low, high))}
        )

    add(start[0], begins, start[1], "total", usd(start[1]))
    level = start[1]
    for label, amount in steps:
        add(label, level, level + amount, "worse" if amount > 0 else "better", usd_change(amount))
        level += amount
    add(end[0], begins, end[1], "total", usd(end[1]))
    base = alt.Chart(alt.Data(values=data)).encode(y=alt.Y("place:O", axis=None))
    highest = max(row["at"] for row in data)
    room = 0.12 * (highest - float(begins))  # for the figure beside the longest bar
    x = alt.X(
        "low:Q",
        title=f"the axis begins at {usd(begins)}" if begins else None,
        axis=_usd_axis(),
        scale=alt.Scale(domainMin=float(begins), domainMax=highest + room, zero=False, nice=False)
        if begins
        else alt.Scale(domainMax=highest + room, nice=False),
    )
    colour = alt.Color(
        "kind:N",
        legend=None,
        scale=alt.Scale(domain=["total", "worse", "better"], range=[palette.others, palette.worse, palette.better]),
    )
    bars = base.mark_bar(height=11, yOffset=7).encode(
        x=x, x2="high:Q", color=colour, tooltip=_tooltips(label="driver", shown="effect")
    )
    figures = base.mark_text(align="left", dx=6, dy=8, color=palette.text).encode(x=alt.X("at:Q"), text="shown:N")
    # The words stand above their bar: beside it they would leave nothing of a telephone's width.
    labels = base.mark_text(align="left", dy=-7, limit=340).encode(x=alt.value(0), text="label:N")
    return _finished([bars, figures, labels], palette, height=34 * len(data) + 30)


def stacked_bars(rows: Sequence[Row], label: str, parts: Mapping[str, str], palette: Palette) -> Chart:
    """Return a bar for each row, made of the columns `parts` (column and what it is called)."""
    names = list(parts.values())
    data = [
        {"label": _label(row[label]), "part": words, "value": _pixel(row[column]) or 0, "shown": usd(row[column])}
        | {"place": place}
        for row in rows
        for place, (column, words) in enumerate(parts.items())
    ]
    bars = (
        alt.Chart(alt.Data(values=data))
        .mark_bar(height={"band": 0.6})
        .encode(
            y=alt.Y("label:N", sort=[_label(row[label]) for row in rows], title=None, axis=_name_axis(palette)),
            x=alt.X("value:Q", title=None, axis=_usd_axis()),
            color=alt.Color("part:N", scale=alt.Scale(domain=names, range=list(palette.series)), sort=names),
            order=alt.Order("place:Q"),
            tooltip=_tooltips(label=label, part="what", shown="cost"),
        )
    )
    return _finished([bars], palette, height=30 * max(1, len(rows)) + 60)


def count_days(rows: Sequence[Row], series: str, value: str, palette: Palette) -> Chart:
    """Return counts by day as a row of squares for each series: when something was there, and how often."""
    data = [
        {"day": _at(row["usage_date"]), "series": _label(row[series]), "value": row[value]}
        | {"words": day(row["usage_date"])}
        for row in rows
    ]
    squares = (
        alt.Chart(alt.Data(values=data))
        .mark_square(color=palette.fill)
        .encode(
            x=_days(),
            y=alt.Y("series:N", title=None, axis=_name_axis(palette)),
            size=alt.Size("value:Q", legend=None, scale=alt.Scale(range=[40, 190])),
            tooltip=_tooltips(words="day", series="rule", value="in breach"),
        )
    )
    return _finished([squares], palette, height=28 * max(1, len({row[series] for row in rows})) + 40)


def _finished(layers: Sequence[Any], palette: Palette, height: int = _HEIGHT) -> Chart:
    chart = alt.layer(*layers).properties(height=height, width="container")
    return chart.configure(**chart_config(palette))


def _rules(marks: Sequence[tuple[date, str]], palette: Palette) -> list[Any]:
    if not marks:
        return []
    data = alt.Data(values=[{"day": _at(when), "words": day(when), "text": _label(text)} for when, text in marks])
    return [
        alt.Chart(data)
        .mark_rule(color=palette.quiet, strokeDash=[3, 3], strokeWidth=1.4)
        .encode(x=_days(), tooltip=_tooltips(words="day", text="what"))
    ]


def _days() -> alt.X:
    return alt.X(
        "day:T", title=None, axis=alt.Axis(format="%-d %b", tickCount=8, labelOverlap=True), timeUnit="utcyearmonthdate"
    )


def _usd_axis() -> alt.Axis:
    return alt.Axis(labelExpr=_USD_LABEL, tickCount=4)


_USD_LABEL = (
    "(datum.value < 0 ? '-$' : '$') + (abs(datum.value) >= 1e6 ? format(abs(datum.value) / 1e6, ',.1~f') + 'M'"
    " : abs(datum.value) >= 1e4 ? format(abs(datum.value) / 1e3, ',.1~f') + 'k'"
    " : format(abs(datum.value), abs(datum.value) >= 10 || datum.value == 0 ? ',.0f' : ',.4~f'))"
)


def _name_axis(palette: Palette) -> alt.Axis:
    return alt.Axis(labelColor=palette.text, labelFontSize=12.5, labelLimit=200)


def _tooltips(**fields: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(field, type="quantitative" if field == "value" else "nominal", title=title)
        for field, title in fields.items()
    ]


def _at(when: date) -> str:
    return f"{when.isoformat()}T00:00:00Z"


def _pixel(value: Figure | None) -> float | None:
    return None if value is None else float(value)


def _label(text: str | None) -> str:
    shown = name(text)
    return shown if len(shown) <= _LONGEST_LABEL else shown[: _LONGEST_LABEL - 1] + "…"


def _levels(start: Decimal, steps: Sequence[tuple[str, Decimal]]) -> list[Decimal]:
    return list(accumulate((amount for _, amount in steps), initial=start))


def _axis_begins(levels: Sequence[Decimal], largest: Decimal) -> Decimal:
    """Return where the axis of a waterfall begins: at 0, unless its steps would be specks beside the totals."""
    spread = max(levels) - min(levels)
    if min(levels) <= 0 or spread == 0 or spread > largest / 4:
        return Decimal(0)
    begins = max(Decimal(0), min(levels) - spread / 2)
    return begins.quantize(Decimal(1).scaleb(max(0, begins.adjusted() - 1)), ROUND_FLOOR)
