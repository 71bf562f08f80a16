"""What a page is given: one version, one view, and how to ask for more.

Belongs here: the ties between snapshot, filters and pages. Does not belong here: widgets and SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dashboards.filters import Days, Filters
from dashboards.publication import Publication, Query, Row, Snapshot, build_query
from dashboards.theme import Palette


@dataclass(frozen=True)
class View:
    """One page load.

    Attributes:
        publication: Where it is from; a download opens it anew.
        snapshot: The version that every figure is of.
        filters: What the link asks for.
        extra: Parameters of the link that belong to the page, such as a search.
        palette: Colours of the reader's look.
        zone: In which moments are shown.
        home: Where closed months lie.
        trace_url: Link to a trace with `{trace_id}` in it; None when the installation names none.
        now: When the page was asked for.
    """

    publication: Publication
    snapshot: Snapshot
    filters: Filters
    extra: Mapping[str, str]
    palette: Palette
    zone: tzinfo = UTC
    home: Path | None = None
    trace_url: str | None = None
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def days(self) -> Days:
        """Return the days that are shown."""
        return self.filters.days(self.snapshot.newest)

    def query(self, name: str, *, filters: Filters | None = None, days: Days | None = None, **further: Any) -> Query:
        """Return a query for this view, or with other filters or days."""
        return build_query(
            name, filters or self.filters, days or self.days, newest_date=self.snapshot.newest, **further
        )

    def rows(self, name: str, *, filters: Filters | None = None, days: Days | None = None, **further: Any) -> list[Row]:
        """Run it."""
        return self.snapshot.rows(self.query(name, filters=filters, days=days, **further))

    def link(self, page: str, *, filters: Filters | None = None, **extra: str) -> str:
        """Return a link to a page that keeps the filters."""
        parameters = {**(filters or self.filters).to_link(), **{key: [value] for key, value in extra.items() if value}}
        return f"{page}?{urlencode(parameters, doseq=True)}" if parameters else page

    def unheeded(self, query: Query) -> list[str]:
        """Return the names of filters that are set and that a query cannot heed."""
        return sorted(name for name in self.filters.chosen if name not in query.narrowed)

    def meaning(self, mart: str, column: str, *, is_by_basis: bool = False) -> str:
        """Return what a figure is: its definition, its grain and its cost basis, from the published descriptions."""
        definition = self.snapshot.meaning(mart, self.filters.basis.column if is_by_basis else column)
        grain = f"From `{mart}`, {self.days} (UTC days)."
        basis = f"Cost basis: {self.filters.basis if is_by_basis else 'effective'}." if "_usd" in column else ""
        return " ".join(part for part in (definition, grain, basis) if part)
