"""A publication writes the days whose rows changed, all of them and no others."""

from hypothesis import given, settings
from hypothesis import strategies as st
from toy_warehouse import CUBE, FACT, ROLL_UP, ToyWarehouse, assert_same_rows, day, mart, read, run

from orchestration.publishing.changed_days import Changed, note_changed_days, noted_days
from orchestration.publishing.publish import publish


def test_a_run_that_changes_nothing_publishes_nothing(toy):
    first = run(toy)
    before = {path: path.lstat().st_mtime_ns for path in toy.published.rglob("*.[dp]*") if not path.is_dir()}
    toy.set_days({day(n): [("acme", "0.000000000001"), ("globex", f"{n}.25")] for n in range(3)})
    for days in (None, set(), {day(1)}):
        again = run(toy, days)
        assert not again.changed
        assert again.version == first.version
    assert {path: path.lstat().st_mtime_ns for path in before} == before
    assert {path for path in toy.published.rglob("*.[dp]*") if not path.is_dir()} == set(before)


def test_rows_in_another_order_are_no_change(toy):
    run(toy)
    toy.execute(
        "create table again as from intermediate.requests order by request_key desc",
        "delete from intermediate.requests",
        "insert into intermediate.requests from again",
    )
    assert not run(toy).changed


def test_unchanged_days_keep_their_bytes(toy):
    run(toy)
    before = toy.files()
    toy.set_days({day(1): [("acme", "7")]})
    result = run(toy, {day(1)})
    assert mart(result, FACT).slices_written == mart(result, CUBE).slices_written == (day(1),)
    after = toy.files()
    assert {file: after[file] for file in before} == before
    assert {file.rpartition("/")[0] for file in after.keys() - before.keys()} == {
        f"{FACT}/usage_date=2026-01-02",
        f"{CUBE}/usage_date=2026-01-02",
        f"{ROLL_UP}/usage_month=2026-01",
    }
    assert_same_rows(toy)


def test_a_change_that_no_sum_shows_is_published(toy):
    run(toy)
    toy.execute("update intermediate.requests set tenant_id = 'initech' where request_key = '2026-01-02-1'")
    result = run(toy, {day(0), day(1)})
    assert mart(result, FACT).slices_written == (day(1),)
    assert_same_rows(toy)


def test_values_that_change_places_are_published(toy):
    """Counts and sums stay, and so would a hash of each column: only whole rows tell."""
    run(toy)
    toy.execute(
        "update intermediate.requests set "
        "tenant_id = case tenant_id when 'acme' then 'globex' else 'acme' end "
        "where usage_date = date '2026-01-02'"
    )
    assert mart(run(toy, {day(1)}), FACT).slices_written == (day(1),)
    assert_same_rows(toy)


def test_unknown_is_not_zero(toy):
    toy.set_days({day(1): [("acme", "0"), ("acme", "1")]})
    run(toy)
    toy.set_days({day(1): [("acme", "null"), ("acme", "1")]})
    run(toy, {day(1)})
    known = read(toy, f"select count(list_cost_usd) from {FACT} where usage_date = date '2026-01-02'")
    assert known == [(1,)]


def test_a_day_that_became_empty_vanishes(toy):
    run(toy)
    toy.set_days({day(1): []})
    result = run(toy, {day(1)})
    assert mart(result, FACT).slices_removed == (day(1),)
    assert_same_rows(toy)
    for offset in range(3):
        toy.set_days({day(0): [("acme", str(offset))]})
        run(toy, {day(0)})
    assert not (toy.published / FACT / "usage_date=2026-01-02").exists()


def test_a_warehouse_without_rows_is_published(toy):
    run(toy)
    toy.set_days({day(n): [] for n in range(3)})
    run(toy)
    assert read(toy, f"from {FACT}") == []
    assert read(toy, f"describe {FACT}")[0][:2] == ("usage_date", "DATE")


def test_other_days_are_not_looked_at(toy):
    run(toy)
    toy.set_days({day(0): [("acme", "9")], day(2): [("acme", "9")]})
    assert mart(run(toy, {day(2)}), FACT).slices_written == (day(2),)


def test_a_noted_day_is_published_by_whichever_run_comes_next(toy):
    run(toy)
    note_changed_days(toy.published, {day(0)})
    toy.set_days({day(0): [("acme", "9")], day(2): [("acme", "9")]})
    assert mart(run(toy, {day(2)}), FACT).slices_written == (day(0), day(2))
    assert noted_days(toy.published) == set()


def test_of_a_roll_up_that_replaces_days_the_months_of_these_and_of_the_days_behind_are_looked_at(toy):
    january, february = day(0), day(31)
    config = next(node for node in toy.models if node["name"] == ROLL_UP)["config"]
    config.update(materialized="incremental", meta={"published": True, "days_after": 1})
    toy.write_manifest()
    toy.set_days({january: [("acme", "1")], february: [("acme", "1")]})
    run(toy)
    toy.execute(f"update marts.{ROLL_UP} set feature = 'draft'")

    def months(*days):
        result = publish(toy.path, toy.published, toy.manifest, set(), rolled_up_dates=days)
        return mart(result, ROLL_UP).slices_written

    assert months() == ()
    assert months(day(29)) == (january,)
    note_changed_days(toy.published, {day(30)}, Changed.ROLL_UPS)
    assert months() == (february,)
    assert noted_days(toy.published, Changed.ROLL_UPS) == set()
    assert_same_rows(toy)
    toy.execute(f"update marts.{ROLL_UP} set feature = 'search'")
    note_changed_days(toy.published, None, Changed.ROLL_UPS)
    assert months(day(0)) == (january, february)


def test_a_view_that_says_something_else_is_published_whole(toy):
    run(toy)
    (sql,) = toy.query("select sql from duckdb_views() where view_name = 'fct_llm_requests'")[0]
    toy.execute(
        sql.replace("CREATE VIEW", "CREATE OR REPLACE VIEW").replace("COALESCE(extra_usd, 0)", "1.000000000000")
    )
    result = run(toy, set())
    assert mart(result, FACT).slices_written == (day(0), day(1), day(2))
    assert mart(result, CUBE).slices_written == ()


def test_a_new_mart_is_published_whole_and_a_withdrawn_one_goes(toy):
    withdrawn = toy.models.pop(1)
    toy.write_manifest()
    run(toy)
    toy.models[0] = withdrawn
    toy.write_manifest()
    result = run(toy, set())
    assert mart(result, CUBE).slices_written == (day(0), day(1), day(2))
    views = read(toy, "select view_name from duckdb_views() where not internal")
    assert {name for (name,) in views} == {ROLL_UP, CUBE}


def test_a_new_description_is_published_without_writing_a_row(toy):
    run(toy)
    before = toy.files()
    toy.models[0]["description"] = "One row per attempt, retries too."
    toy.write_manifest()
    assert run(toy, set()).changed
    assert toy.files() == before


def test_a_column_more_is_published_whole(toy):
    run(toy)
    toy.execute(f"alter table marts.{CUBE} add column note varchar")
    assert mart(run(toy, set()), CUBE).slices_written == (day(0), day(1), day(2))


def test_a_roll_up_is_written_by_month(toy):
    toy.set_days({day(31): [("acme", "1")], day(59): [("acme", "2")]})
    run(toy)
    before = toy.files()
    toy.set_days({day(31): [("acme", "3")], day(59): []})
    result = run(toy, {day(31), day(59)})
    assert mart(result, ROLL_UP).slices_written == (day(31),)
    assert mart(result, ROLL_UP).slices_removed == (day(59),)
    kept = [file for file in before if file.startswith(f"{ROLL_UP}/usage_month=2026-01")]
    assert [toy.files()[file] for file in kept] == [before[file] for file in kept]
    assert_same_rows(toy)


def test_rows_of_a_roll_up_without_a_day_are_published(toy):
    toy.execute(f"insert into marts.{ROLL_UP} values (null, 'search', 1, 2)")
    run(toy)
    toy.execute(f"update marts.{ROLL_UP} set feature = 'drafts' where usage_date is null")
    run(toy, set())
    assert read(toy, f"select feature from {ROLL_UP} where usage_date is null") == [("drafts",)]
    toy.execute(f"delete from marts.{ROLL_UP} where usage_date is null")
    run(toy, set())
    assert_same_rows(toy)


@settings(max_examples=8, deadline=None)
@given(
    edits=st.lists(
        st.dictionaries(
            st.integers(0, 3),
            st.lists(
                st.tuples(st.sampled_from("abc"), st.sampled_from(["0", "1.5", "-2.000000000001", "null"])),
                max_size=3,
            ),
            min_size=1,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_edits_in_any_order_end_in_the_rows_of_the_warehouse(tmp_path_factory, edits):
    toy = ToyWarehouse(tmp_path_factory.mktemp("home"))
    for edit in edits:
        toy.set_days({day(offset): rows for offset, rows in edit.items()})
        run(toy, {day(offset) for offset in edit})
        assert_same_rows(toy)
    assert not run(toy).changed
