"""A publication that is killed leaves readers with one whole version, and the next one mends the rest."""

import duckdb
import pytest
from toy_warehouse import FACT, day, read, run

from orchestration.publishing import publish as publish_module
from orchestration.publishing.changed_days import noted_days
from orchestration.publishing.reader import current_version


class Crash(BaseException):
    """Ends a publication as a kill does: nobody catches it."""


STEPS = [
    "open_staging",
    "write_slices",
    "install",
    "build_marts_file",
    "verify_marts_file",
    "switch",
    "close_staging",
    "forget_days",
    "collect_garbage",
]
SWITCHED = STEPS[STEPS.index("close_staging") :]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_before_any_step_leaves_a_whole_version_and_is_mended(toy, monkeypatch, step):
    first = run(toy)
    before = sorted(read(toy, f"from {FACT}"))
    toy.set_days({day(1): [("acme", "7")], day(2): []})
    after = sorted(toy.query(f"from marts.{FACT}"))

    def crash(*args, **options):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(publish_module, step, crash)
        with pytest.raises(Crash):
            run(toy, {day(1), day(2)})
    assert (current_version(toy.published) != first.version) == (step in SWITCHED)
    assert sorted(read(toy, f"from {FACT}")) == (after if step in SWITCHED else before)
    # The days are known to be unpublished, whatever the next run is told.
    run(toy, set())
    assert sorted(read(toy, f"from {FACT}")) == after
    assert noted_days(toy.published) == set()
    listed: set[str] = set()
    for version in {first.version, current_version(toy.published)}:
        with duckdb.connect(str(toy.published / f"marts-{version}.duckdb"), read_only=True) as connection:
            listed |= {file for (file,) in connection.execute("select file from published_files").fetchall()}
    assert set(toy.files()) == listed
    assert not [*toy.published.glob(".staging*"), *toy.published.glob(".marts*")]


def test_a_kill_between_the_first_and_the_second_file_leaves_no_file_behind(toy, monkeypatch):
    run(toy)
    before = set(toy.files())
    toy.set_days({day(1): [("acme", "7")]})
    real = publish_module.install

    def crash_at_the_second(staged, target):
        if real_calls:
            raise Crash
        real_calls.append(target)
        real(staged, target)

    real_calls: list = []
    with monkeypatch.context() as patch:
        patch.setattr(publish_module, "install", crash_at_the_second)
        with pytest.raises(Crash):
            run(toy, {day(1)})
    assert len(set(toy.files()) - before) == 1
    toy.set_days({day(1): [("acme", "0.000000000001"), ("globex", "1.25")]})
    assert not run(toy, set()).changed
    assert set(toy.files()) == before
