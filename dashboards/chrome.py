"""What stands around every page: filters, how old the data is, and the link that reproduces the view.

Belongs here: the widgets of `Filters`, and the URL as their only memory. Does not belong here: pages.

The URL is the truth: a load reads it, sets the widgets from it, and a changed widget rewrites it. Streamlit drops the
parameters when another page is opened, so the view is put back then.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dashboards.filters import DIMENSIONS, MONTH_TO_DATE, PRESETS, Basis, Days, Filters, Zone
from dashboards.publication import Snapshot
from dashboards.words import ago, day, moment, name

STALE_AFTER = timedelta(hours=26)
"""A nightly run, and two hours for it to take."""

CUSTOM = "custom"

_PERIOD_WORDS = {"1d": "Newest day", "7d": "7 days", "30d": "30 days", "90d": "90 days", MONTH_TO_DATE: "Month to date"}
_BASIS_WORDS = {
    Basis.EFFECTIVE: "billed, and the estimate until the bill arrives",
    Basis.CONTRACTED: "list price after negotiated terms",
    Basis.LIST: "price book times usage",
}
_USUAL_DELAY_DAYS = 2
_REMEMBERED = "view of the last page"


def read_filters(page: str) -> Filters:
    """Return the view that the URL asks for; on another page, the view of the one before."""
    filters = Filters.from_link(_parameters())
    remembered = st.session_state.get(_REMEMBERED)
    if remembered is not None and remembered[0] != page and not st.query_params.to_dict():
        filters = remembered[1]
        write_filters(filters)
    st.session_state[_REMEMBERED] = (page, filters)
    return filters


def write_filters(filters: Filters) -> None:
    """Put the view into the URL; parameters of the page itself stay."""
    own = {"period", "basis", "tz", *DIMENSIONS}
    others = {key: values for key, values in _parameters().items() if key not in own}
    st.query_params.from_dict(others | filters.to_link())


def set_extra(key: str, value: str) -> None:
    """Put a parameter of the page into the URL; an empty one leaves it."""
    if value:
        st.query_params[key] = value
    else:
        st.query_params.pop(key, None)


def extra() -> dict[str, str]:
    """Return all parameters of the URL, the last of each name."""
    return {key: values[-1] for key, values in _parameters().items() if values}


def show_head(title: str, filters: Filters, known: Mapping[str, list[str]], span: Days | None, newest: date) -> None:
    """Show the title of a page and the widgets of its view.

    Args:
        title: Of the page.
        filters: The view.
        known: By dimension, the values that the data have.
        span: The days that the data have.
        newest: The last of them.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.html(f'<div class="tu-title" role="heading" aria-level="1">{html.escape(title)}</div>', width="stretch")
        _period(filters, span, newest)
        _basis(filters)
        _dimensions(filters, known)
    if filters.chosen:
        _chosen(filters)


def show_age(snapshot: Snapshot, filters: Filters, zone: tzinfo, now: datetime) -> None:
    """Say which days are shown, when they were published, and whether that is long ago."""
    days = filters.days(snapshot.newest)
    age = now - snapshot.published_at
    behind = (now.astimezone(UTC).date() - snapshot.newest).days
    facts = [
        f"{day(days.first)} – {day(days.last)}, UTC days",
        f"{filters.basis} cost: {_BASIS_WORDS[filters.basis]}",
        f"published {ago(age)}, {moment(snapshot.published_at, zone)}",
    ]
    if behind > _USUAL_DELAY_DAYS:
        facts.append(f"no request is newer than {day(snapshot.newest)}, {behind} days ago")
    st.html(f'<p class="tu-facts">{html.escape(" · ".join(facts))}</p>')
    if age > STALE_AFTER:
        st.warning(f"Stale: the last run published {ago(age)}. Look at its checks in `make ui`.", icon="🕰️")


def zone_of(filters: Filters) -> tzinfo:
    """Return the zone in which moments are shown: UTC, or that of the reader's browser."""
    if filters.zone is Zone.LOCAL:
        try:
            return ZoneInfo(st.context.timezone or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            pass
    return UTC


def _period(filters: Filters, span: Days | None, newest: date) -> None:
    is_custom = filters.period not in _PERIOD_WORDS
    st.session_state["w.period"] = CUSTOM if is_custom else filters.period

    def changed() -> None:
        period = st.session_state["w.period"]
        write_filters(replace(filters, period=str(filters.days(newest)) if period == CUSTOM else period))

    st.selectbox(
        "Period",
        [*PRESETS, MONTH_TO_DATE, CUSTOM],
        format_func=lambda value: _PERIOD_WORDS.get(value, "Other days…"),
        key="w.period",
        on_change=changed,
        width=150,
        label_visibility="collapsed",
    )
    if is_custom:
        days = filters.days(newest)
        st.session_state["w.days"] = (days.first, days.last)

        def dated() -> None:
            chosen = st.session_state["w.days"]
            if len(chosen) == 2:
                write_filters(replace(filters, period=str(Days(*chosen))))

        st.date_input(
            "Days",
            min_value=min(days.first, span.first) if span else None,
            max_value=max(days.last, newest),
            key="w.days",
            on_change=dated,
            width=230,
            label_visibility="collapsed",
        )


def _basis(filters: Filters) -> None:
    st.session_state["w.basis"] = filters.basis

    def changed() -> None:
        write_filters(replace(filters, basis=st.session_state["w.basis"] or Basis.EFFECTIVE))

    st.segmented_control(
        "Cost",
        list(Basis),
        format_func=lambda value: str(value).capitalize(),
        key="w.basis",
        on_change=changed,
        label_visibility="collapsed",
    )


def _dimensions(filters: Filters, known: Mapping[str, list[str]]) -> None:
    label = f"Filters ({len(filters.chosen)})" if filters.chosen else "Filters"
    with st.popover(label, icon=":material/tune:"):
        for dimension in DIMENSIONS:
            chosen = list(filters.chosen.get(dimension, ()))
            options = list(dict.fromkeys([*known.get(dimension, []), *chosen]))
            key = f"w.{dimension}"
            st.session_state[key] = chosen

            def changed(dimension: str = dimension, key: str = key) -> None:
                write_filters(filters.choosing(dimension, *st.session_state[key]))

            st.multiselect(
                dimension.capitalize(), options, format_func=name, key=key, on_change=changed, placeholder="All"
            )
        st.session_state["w.tz"] = filters.zone

        def zoned() -> None:
            write_filters(replace(filters, zone=st.session_state["w.tz"] or Zone.UTC))

        st.segmented_control(
            "Moments in",
            list(Zone),
            format_func=lambda zone: "UTC" if zone is Zone.UTC else "my time zone",
            key="w.tz",
            on_change=zoned,
            help="Moments follow the switch. Days stay UTC days: that is how providers bill.",
        )


def _chosen(filters: Filters) -> None:
    tags = " ".join(
        f'<span class="tu-tag">{dimension}: <bdi>{html.escape(_short(", ".join(map(name, values))))}</bdi></span>'
        for dimension, values in filters.chosen.items()
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<p class="tu-facts">{tags}</p>', width="content")
        st.button(
            "Clear filters", type="tertiary", on_click=lambda: write_filters(replace(filters, chosen={})), key="w.clear"
        )


def _short(text: str, longest: int = 80) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _parameters() -> dict[str, list[str]]:
    return {key: st.query_params.get_all(key) for key in st.query_params}
