"""The entry of the dashboards: `make dashboards`, or `streamlit run dashboards/app.py`.

Belongs here: navigation, and the one snapshot of a page load. Does not belong here: pages.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from dashboards import chrome, theme
from dashboards.filters import DIMENSIONS, Filters
from dashboards.publication import Publication, Snapshot, build_query
from dashboards.screens import alerts, features, invoice, models, overview, requests, tenants, why
from dashboards.view import View
from orchestration.publishing.errors import NotPublishedError
from orchestration.publishing.reader import current_version
from orchestration.settings import Settings

NEWER_EVERY_SECONDS = 20
"""How often an open page looks for a newer publication; it reads one symbolic link."""

PAGES: dict[str, tuple[str, Callable[[View], None]]] = {
    "": ("Overview", overview.show),
    "features": ("Features", features.show),
    "tenants": ("Tenants", tenants.show),
    "models": ("Models", models.show),
    "invoice": ("Invoice", invoice.show),
    "why": ("Why it moved", why.show),
    "alerts": ("Alerts", alerts.show),
    "requests": ("Requests", requests.show),
}


def main() -> None:
    """Show the page that the URL names."""
    st.set_page_config(page_title="trueup", page_icon=theme.ICON, layout="wide")
    pages = [st.Page(_loader(path), title=title, url_path=path, default=not path) for path, (title, _) in PAGES.items()]
    st.navigation(pages, position="top").run()


def load(page: str, settings: Settings) -> None:
    """Show one page, all of it from one version."""
    try:
        snapshot = _publication(settings.published).open()
    except NotPublishedError as error:
        st.info(f"{error}. This page shows the figures as soon as there are any.")
        _look_for_newer(settings.published, None)
        return
    with snapshot:
        filters = chrome.read_filters(page)
        zone = chrome.zone_of(filters)
        now = datetime.now(UTC)
        palette = theme.DARK if st.context.theme.type == "dark" else theme.LIGHT
        st.html(theme.style(palette))
        chrome.show_head(PAGES[page][0], filters, _known_values(snapshot), snapshot.days, snapshot.newest)
        chrome.show_age(snapshot, filters, zone, now)
        PAGES[page][1](
            View(
                publication=_publication(settings.published),
                snapshot=snapshot,
                filters=filters,
                extra=chrome.extra(),
                palette=palette,
                zone=zone,
                home=settings.home,
                trace_url=settings.trace_url,
                now=now,
            )
        )
        version = snapshot.version
    _look_for_newer(settings.published, version)


def _loader(path: str) -> Callable[[], None]:
    def page() -> None:
        load(path, Settings.from_env())

    return page


@st.cache_resource
def _publication(published: Path) -> Publication:
    return Publication(published)


def _known_values(snapshot: Snapshot) -> dict[str, list[str]]:
    return _known_values_of(snapshot.version, snapshot)


@st.cache_data(max_entries=3)
def _known_values_of(version: str, _snapshot: Snapshot) -> dict[str, list[str]]:  # noqa: ARG001 - the cache's key
    known: dict[str, list[str]] = {dimension: [] for dimension in DIMENSIONS}
    query = build_query("filter_values", Filters(), Filters().days(_snapshot.newest), newest_date=_snapshot.newest)
    for row in _snapshot.rows(query):
        known[row["dimension"]].append(row["value"])
    return known


@st.fragment(run_every=NEWER_EVERY_SECONDS)
def _look_for_newer(published: Path, version: str | None) -> None:
    if current_version(published) != version:
        st.rerun(scope="app")


if __name__ == "__main__":
    main()
