"""What cannot be published is refused with what to do, and is not forgotten."""

import duckdb
import pytest
from toy_warehouse import CUBE, assert_same_rows, day, model, run

from orchestration.publishing.errors import PublishError
from orchestration.publishing.versions import publishing_lock


def test_no_warehouse(toy):
    toy.path.unlink()
    with pytest.raises(PublishError, match=r"there is no warehouse at .*; build it"):
        run(toy)


def test_a_warehouse_that_is_being_written(toy):
    with duckdb.connect(str(toy.path)), pytest.raises(PublishError, match="cannot open the warehouse"):
        run(toy)


def test_no_manifest(toy):
    toy.manifest.unlink()
    with pytest.raises(PublishError, match="cannot read dbt's manifest"):
        run(toy)


def test_no_public_mart(toy):
    toy.models = [model("int_secret", public=False)]
    toy.write_manifest()
    with pytest.raises(PublishError, match=r"no model .* is public"):
        run(toy)


def test_a_mart_that_was_never_built(toy):
    toy.models.append(model("fct_outcomes", event_time="usage_date"))
    toy.write_manifest()
    with pytest.raises(PublishError, match="the public mart fct_outcomes cannot be read"):
        run(toy)


def test_a_mart_by_another_time(toy):
    toy.models.append(model("fct_outcomes", event_time="occurred_at"))
    toy.write_manifest()
    with pytest.raises(PublishError, match="fct_outcomes has the event time occurred_at"):
        run(toy)


def test_a_mart_by_day_without_a_day(toy):
    toy.models[3]["config"]["event_time"] = "usage_date"
    toy.write_manifest()
    with pytest.raises(PublishError, match="alerts is built by day and has no usage_date"):
        run(toy)


def test_totals_that_stand_nowhere(toy):
    toy.models[0]["config"]["meta"]["published_totals"] = "nothing"
    toy.write_manifest()
    with pytest.raises(PublishError, match="takes its totals from nothing"):
        run(toy)


def test_rows_that_belong_to_no_day(toy):
    toy.execute(f"insert into marts.{CUBE} values (null, 'acme', 1, 5)")
    with pytest.raises(PublishError, match="has 1 rows without a usage_date"):
        run(toy)


def test_a_second_publication_at_the_same_time(toy):
    with publishing_lock(toy.published), pytest.raises(PublishError, match="another publication"):
        run(toy)


def test_a_second_publication_leaves_its_days_to_the_next_run(toy):
    run(toy)
    toy.set_days({day(1): [("acme", "7")]})
    with publishing_lock(toy.published), pytest.raises(PublishError):
        run(toy, {day(1)})
    run(toy, set())
    assert_same_rows(toy)


def test_a_refusal_of_all_days_keeps_them_for_the_next_run(toy):
    run(toy)
    toy.set_days({day(1): [("acme", "7")]})
    toy.path.rename(toy.path.with_suffix(".away"))
    with pytest.raises(PublishError):
        run(toy, None)
    toy.path.with_suffix(".away").rename(toy.path)
    run(toy, set())
    assert_same_rows(toy)


def test_a_refusal_keeps_the_days_for_the_next_run(toy):
    run(toy)
    toy.set_days({day(1): [("acme", "7")]})
    broken = toy.manifest.read_text()
    toy.models.append(model("fct_outcomes", event_time="usage_date"))
    toy.write_manifest()
    with pytest.raises(PublishError):
        run(toy, {day(1)})
    toy.manifest.write_text(broken)
    run(toy, set())
    assert_same_rows(toy)
