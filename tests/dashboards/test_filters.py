"""The link says the view: any view survives its URL, and any URL gives a view."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs, urlencode

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboards.filters import DIMENSIONS, MONTH_TO_DATE, PRESETS, Basis, Days, Filters, Zone

NAMES = st.text(max_size=30) | st.sampled_from(["=cmd()", "<script>", "a&b=c#d", "\u202eright", "🧾", "x" * 500])

PERIODS = st.sampled_from([*PRESETS, MONTH_TO_DATE]) | st.tuples(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.dates(date(2020, 1, 1), date(2030, 1, 1))
).map(lambda days: str(Days(min(days), max(days))))

VIEWS = st.builds(
    Filters,
    period=PERIODS,
    basis=st.sampled_from(Basis),
    zone=st.sampled_from(Zone),
    chosen=st.dictionaries(
        st.sampled_from(list(DIMENSIONS)), st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple)
    ),
)


@settings(max_examples=30)
@given(VIEWS)
def test_a_link_reproduces_the_view(view: Filters) -> None:
    url = urlencode(view.to_link(), doseq=True)
    assert Filters.from_link(parse_qs(url, keep_blank_values=True)) == view


@given(st.dictionaries(st.sampled_from(["period", "basis", "tz", *DIMENSIONS]), st.lists(st.text(), max_size=3)))
@example({"period": ["2026-10-31..2026-10-01"]})
@example({"period": ["0001-01-01..9999-12-31"]})
@example({"period": ["2026-W44-1..2026-10-31"]})
def test_any_link_gives_a_view_that_has_days(link: dict[str, list[str]]) -> None:
    view = Filters.from_link(link)
    days = view.days(date(2026, 10, 31))
    assert days.count >= 1
    assert days.before().count == days.count
    assert Filters.from_link(view.to_link()) == view


def test_periods_end_on_the_newest_day() -> None:
    newest = date(2026, 10, 31)
    assert Filters(period="1d").days(newest) == Days(newest, newest)
    assert Filters(period="7d").days(newest) == Days(date(2026, 10, 25), newest)
    assert Filters(period=MONTH_TO_DATE).days(newest) == Days(date(2026, 10, 1), newest)
    assert Filters(period="2026-01-01..2026-01-02").days(newest) == Days(date(2026, 1, 1), date(2026, 1, 2))
