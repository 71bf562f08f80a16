"""The SQL of slices holds on exactly the rows of the slices that are asked for."""

from datetime import date

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.publishing.slices import Slicing

DAYS = st.dates(date(2023, 12, 1), date(2024, 3, 31))


@pytest.fixture(scope="module")
def calendar():
    """Four months around a leap day, and a row without a day."""
    with duckdb.connect() as connection:
        connection.execute("create table calendar as select null::date as usage_date")
        connection.execute(
            "insert into calendar select cast(d as date) "
            "from generate_series(date '2023-12-01', date '2024-03-31', interval 1 day) t(d)"
        )
        yield connection


@settings(max_examples=40)
@given(slicing=st.sampled_from([Slicing.DAY, Slicing.MONTH]), days=st.sets(st.none() | DAYS, max_size=14))
def test_a_predicate_holds_on_its_slices_and_nowhere_else(calendar, slicing, days):
    slices = {d.replace(day=1) if d and slicing is Slicing.MONTH else d for d in days}
    found = calendar.execute(f"select {slicing.expression}, {slicing.predicate(slices)} from calendar").fetchall()
    assert {slice_ for slice_, is_in in found if is_in} == slices
    assert all(bool(is_in) == (slice_ in slices) for slice_, is_in in found)


def test_all_slices_are_all_rows(calendar):
    for slicing in Slicing:
        assert calendar.execute(f"from calendar where {slicing.predicate(None)}").fetchall() == (
            calendar.execute("from calendar").fetchall()
        )
