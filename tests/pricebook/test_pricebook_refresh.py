"""Closing and appending: what a refresh may do to the book, and what it may never do."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from rows import moment

from orchestration.pricebook import refresh
from orchestration.pricebook.book import EVER, PriceBook, PriceKey, PriceRow
from orchestration.pricebook.timeline import FIRST_SEEN, Listing, Span, join_adjacent, price_at, restate
from orchestration.pricebook.validate import check_prices

KEY = PriceKey("p", "m", "input")
OTHER = PriceKey("p", "other", "input")


def listing(*spans: tuple[str, str | None, str], key: PriceKey = KEY, version: str = "1") -> Listing:
    """A listing of one key; a span that starts at "" is undated."""
    found = Listing("genai-prices", version, urls={"p": "https://example.com"})
    found.spans[key] = tuple(
        Span(
            moment(start) if start else EVER,
            moment(end) if end else None,
            Decimal(price),
            is_dated=bool(start),
        )
        for start, end, price in spans
    )
    return found


def refreshed(*steps: tuple[str, Listing]) -> list[PriceRow]:
    rows: list[PriceRow] = []
    for at, said in steps:
        rows, _ = refresh.apply(rows, said, moment(at))
    return rows


def price(rows: list[PriceRow], at: str, known_at: str | None = None) -> str | None:
    row = PriceBook(rows).price_for("p", "m", "input", at=moment(at), known_at=moment(known_at) if known_at else None)
    return None if row is None else str(row.price_usd_per_mtok)


def test_the_first_edition_is_known_since_ever_and_a_later_row_since_its_refresh() -> None:
    rows = refreshed(("2026-01-01", listing(("", None, "3"))))
    assert [(row.valid_from, row.known_from) for row in rows] == [(EVER, EVER)]
    added = listing(("", None, "3"))
    added.spans[OTHER] = (Span(EVER, None, Decimal(9)),)
    rows, change = refresh.apply(rows, added, moment("2026-02-01"))
    assert [row.known_from for row in change.added] == [moment("2026-02-01")]


def test_the_same_listing_again_changes_nothing() -> None:
    said = listing(("", "2026-03-01", "3"), ("2026-03-01", None, "2"))
    rows = refreshed(("2026-01-01", said))
    again, change = refresh.apply(rows, said, moment("2026-05-05"))
    assert again == rows
    assert (change.added, change.closed) == ([], [])


def test_a_newer_version_that_says_the_same_changes_nothing() -> None:
    rows = refreshed(("2026-01-01", listing(("", None, "3"))))
    again, _ = refresh.apply(rows, listing(("", None, "3"), version="2"), moment("2026-05-05"))
    assert again == rows


def test_h1_an_undated_change_leaves_the_past_and_holds_from_the_day_it_was_seen() -> None:
    rows = refreshed(
        ("2026-01-01", listing(("", None, "3"))),
        ("2026-06-10T15:00:00+00:00", listing(("", None, "2"))),
    )
    assert price(rows, "2026-06-09T23:59:59+00:00") == "3"
    assert price(rows, "2026-06-10") == "2"
    assert price(rows, "2026-07-01", known_at="2026-05-01") == "3"
    changed = next(row for row in rows if row.price_usd_per_mtok == 2)
    assert changed.note == FIRST_SEEN
    assert check_prices(rows) == []


def test_an_undated_change_that_was_seen_once_stays_where_it_was_seen() -> None:
    steps = [("2026-01-01", listing(("", None, "3"))), ("2026-06-10", listing(("", None, "2")))]
    rows = refreshed(*steps)
    again, change = refresh.apply(rows, listing(("", None, "2")), moment("2026-09-01"))
    assert again == rows
    assert change.added == []


def test_a_change_that_the_source_dates_holds_from_its_date_even_when_it_is_told_late() -> None:
    rows = refreshed(
        ("2026-01-01", listing(("", None, "10"))),
        ("2026-06-20", listing(("", "2026-06-10", "10"), ("2026-06-10", None, "2"))),
    )
    assert price(rows, "2026-06-09T23:59:59+00:00") == "10"
    assert price(rows, "2026-06-10") == "2"
    assert price(rows, "2026-06-15", known_at="2026-06-19") == "10"
    assert check_prices(rows) == []


def test_h3_an_announced_change_takes_effect_without_a_further_refresh() -> None:
    rows = refreshed(("2026-01-01", listing(("", "2027-01-01", "1"), ("2027-01-01", None, "2"))))
    assert price(rows, "2026-12-31T23:59:59+00:00") == "1"
    assert price(rows, "2027-01-01") == "2"


def test_h4_a_cancelled_announcement_is_withdrawn_and_still_answers_what_we_thought_then() -> None:
    rows = refreshed(
        ("2026-06-01", listing(("", "2026-09-01", "2"), ("2026-09-01", None, "3"))),
        ("2026-08-15", listing(("", None, "2"))),
    )
    assert price(rows, "2026-10-01") == "2"
    assert price(rows, "2026-10-01", known_at="2026-07-01") == "3"
    assert check_prices(rows) == []


def test_a_price_that_a_model_loses_ends_and_a_model_that_is_no_longer_listed_keeps_its_own() -> None:
    both = listing(("", None, "3"))
    output = PriceKey("p", "m", "output")
    both.spans[output] = (Span(EVER, None, Decimal(15)),)
    rows = refreshed(("2026-01-01", both), ("2026-03-01", listing(("", None, "3"))))
    book = PriceBook(rows)
    assert book.price_for("p", "m", "output", at=moment("2026-02-28")) is not None
    assert book.price_for("p", "m", "output", at=moment("2026-03-01")) is None

    elsewhere = listing(("", None, "9"), key=OTHER)
    rows, change = refresh.apply(rows, elsewhere, moment("2026-04-01"))
    assert change.retired == [("p", "m")]
    assert price(rows, "2026-05-01") == "3"


def test_a_withdrawn_model_ends_and_its_past_stays() -> None:
    rows = refreshed(("2026-01-01", listing(("", None, "3"))))
    said = listing(("", None, "3"))
    said.withdraw({("p", "m")})
    rows, change = refresh.apply(rows, said, moment("2026-03-01"))
    assert price(rows, "2026-02-28") == "3"
    assert price(rows, "2026-03-01") is None
    assert change.retired == []


def test_rows_of_another_source_are_not_touched() -> None:
    rows = refreshed(("2026-01-01", listing(("", None, "3"))))
    fallback = listing(("", None, "7"))
    fallback.source = "litellm"
    rows, change = refresh.apply(rows, fallback, moment("2026-02-01"))
    assert [row.precedence for row in rows] == [20, 10]
    assert change.closed == []
    assert price(rows, "2026-03-01") == "3"


DAYS = st.integers(0, 40).map(lambda n: moment("2026-01-01") + timedelta(days=n))
PRICES = st.sampled_from([Decimal(1), Decimal(2), Decimal(3)])


@st.composite
def timelines(draw: st.DrawFn) -> tuple[Span, ...]:
    """What a source says of a key: an undated price or none, then dated ones, then perhaps an end."""
    starts = sorted(draw(st.sets(DAYS, max_size=3)))
    edges: list[datetime] = [EVER, *starts] if draw(st.booleans()) else list(starts)
    end = draw(st.none() | st.just(moment("2027-01-01")))
    return join_adjacent(
        Span(start, following, draw(PRICES), is_dated=start != EVER)
        for start, following in zip(edges, [*edges[1:], end], strict=False)
    )


@settings(deadline=None)
@given(timelines(), timelines(), DAYS, st.integers(-5, 60))
def test_law_from_now_on_the_source_is_right_and_before_only_where_it_dates(
    held: tuple[Span, ...], said: tuple[Span, ...], now: datetime, day: int
) -> None:
    at = moment("2026-01-01") + timedelta(days=day)
    result, before, source = (price_at(spans, at) for spans in (restate(held, said, now), held, said))
    is_sources_word = at >= now or before is None or (source is not None and source.is_dated)
    expected = source if is_sources_word else before
    assert (result and result.price) == (expected and expected.price)


@settings(deadline=None)
@given(timelines(), timelines(), DAYS, st.integers(0, 30))
def test_law_a_restatement_twice_is_a_restatement_once(
    held: tuple[Span, ...], said: tuple[Span, ...], now: datetime, days_later: int
) -> None:
    once = restate(held, said, now)
    twice = restate(once, said, now + timedelta(days=days_later))
    assert [(s.start, s.end, s.price) for s in twice] == [(s.start, s.end, s.price) for s in once]


@settings(deadline=None)
@given(st.lists(timelines(), min_size=1, max_size=4), st.integers(-5, 60), st.integers(0, 50))
def test_law_a_refresh_never_changes_what_was_known(
    told: list[tuple[Span, ...]], valid_day: int, known_day: int
) -> None:
    at = moment("2026-01-01") + timedelta(days=valid_day)
    known_at = moment("2026-01-01") + timedelta(days=known_day)
    rows: list[PriceRow] = []
    for index, spans in enumerate(told):
        now = moment("2026-01-01T12:00:00+00:00") + timedelta(days=index * 12)
        said = Listing("genai-prices", str(index), {KEY: spans, OTHER: (Span(EVER, None, Decimal(1)),)})
        before = {row.price_id: row for row in rows}
        rows, _ = refresh.apply(rows, said, now)
        assert check_prices(rows) == []
        for row in rows:
            old = before.get(row.price_id)
            if old is not None and old != row:
                assert (old.known_to, row.known_to) == (None, now)
                assert {f: getattr(old, f) for f in ("key", "valid_from", "valid_to", "price_usd_per_mtok")} == {
                    f: getattr(row, f) for f in ("key", "valid_from", "valid_to", "price_usd_per_mtok")
                }
        if known_at < now and before:
            then = PriceBook(before.values()).price_for("p", "m", "input", at=at, known_at=known_at)
            today = PriceBook(rows).price_for("p", "m", "input", at=at, known_at=known_at)
            assert (then and then.price_id) == (today and today.price_id)
