"""Old versions stay for whoever reads them, and go with their files when nobody does."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_warehouse import FACT, day, read, run

from orchestration.publishing.errors import NotPublishedError
from orchestration.publishing.reader import current_version, open_marts
from orchestration.publishing.versions import new_version

READER = """
import sys
from pathlib import Path
from orchestration.publishing.reader import open_marts
connection = open_marts(Path(sys.argv[1]))
print("open", flush=True)
for line in sys.stdin:
    print(connection.execute(line).fetchall(), flush=True)
"""


def publish_again(toy, times: int) -> list[str]:
    versions = []
    for _ in range(times):
        publish_again.count += 1
        toy.set_days({day(0): [("acme", str(publish_again.count))]})
        versions.append(run(toy, {day(0)}).version)
    return versions


publish_again.count = 0


def marts_files(toy) -> list[str]:
    return sorted(path.name for path in toy.published.glob("*marts-*.duckdb"))


def test_the_three_newest_versions_stay_with_exactly_their_files(toy):
    run(toy)
    versions = publish_again(toy, 4)
    assert marts_files(toy) == [f"marts-{version}.duckdb" for version in versions[-3:]]
    first_days = [file for file in toy.files() if file.startswith(f"{FACT}/usage_date=2026-01-01/")]
    assert [Path(file).stem for file in first_days] == versions[-3:]


@pytest.fixture
def other_process(toy):
    """A reader in another process that holds the first version open."""
    run(toy)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(toy.published)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert reader.stdout.readline() == "open\n"
    yield reader
    reader.stdin.close()
    reader.stdout.close()
    reader.wait()


def ask(reader, query: str) -> str:
    reader.stdin.write(query + "\n")
    reader.stdin.flush()
    return reader.stdout.readline().strip()


def test_a_version_that_somebody_reads_stays_whole_until_they_close_it(toy, other_process):
    first = current_version(toy.published)
    versions = publish_again(toy, 5)
    assert marts_files(toy) == [f"marts-{version}.duckdb" for version in [first, *versions[-3:]]]
    assert ask(other_process, f"select count(*), sum(list_cost_usd)::varchar from {FACT}") == (
        "[(6, '3.750000000003')]"
    )
    other_process.stdin.close()
    other_process.wait()
    versions += publish_again(toy, 1)
    assert marts_files(toy) == [f"marts-{version}.duckdb" for version in versions[-3:]]
    assert not any(first in file for file in toy.files() if "usage_date=2026-01-01" in file)


def test_an_open_connection_keeps_its_picture_in_the_same_process_too(toy):
    run(toy)
    with open_marts(toy.published) as old:
        publish_again(toy, 2)
        with open_marts(toy.published) as new:
            assert old.execute(f"select count(*) from {FACT}").fetchall() == [(6,)]
            assert new.execute(f"select count(*) from {FACT}").fetchall() == [(5,)]
            assert old.execute("select count(*) from unit_economics_by_tenant_day").fetchall() == [(6,)]


def test_a_reader_cannot_write(toy):
    run(toy)
    with open_marts(toy.published) as connection, pytest.raises(Exception, match="read-only"):
        connection.execute("drop table alerts")


def test_before_the_first_publication_the_reader_says_what_to_do(tmp_path):
    assert current_version(tmp_path) is None
    with pytest.raises(NotPublishedError, match="make run"):
        open_marts(tmp_path)


def test_a_publication_that_died_while_dropping_a_version_is_finished_by_the_next(toy):
    run(toy)
    versions = publish_again(toy, 3)
    (toy.published / f"marts-{versions[0]}.duckdb").rename(toy.published / f".dropped-marts-{versions[0]}.duckdb")
    versions += publish_again(toy, 1)
    assert marts_files(toy) == [f"marts-{version}.duckdb" for version in versions[-3:]]
    assert not any(versions[0] in file for file in toy.files())
    assert read(toy, f"select count(*) from {FACT}") == [(5,)]


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(MOMENTS, min_size=2, max_size=6))
def test_versions_sort_by_publication_whatever_the_clock_says(moments):
    versions: list[str] = []
    for moment in moments:
        versions.append(new_version(moment, versions[-1] if versions else None))
    assert sorted(versions) == versions
    assert len({version.partition("-")[0] for version in versions}) == len(versions)
