"""A home starts from the newest parse of its checkout, and dbt sees what has changed since."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest
from harness import Company
from hypothesis import given
from hypothesis import strategies as st

from orchestration.settings import Settings
from orchestration.warehouse.args import project_arguments
from orchestration.warehouse.dbt_worker import parse
from orchestration.warehouse.parse_cache import PARSED, cache_of, keep, take
from orchestration.warehouse.project import DBT_PROJECT, prepared_manifest, project_fingerprint

MODEL = "models/marts/unit_economics/unit_economics_by_tenant_day.sql"


@pytest.fixture
def checkout(empty_company: Company, tmp_path: Path) -> Path:
    """A copy of the project in which somebody has parsed it, and nobody has changed it since."""
    project = tmp_path / "checkout" / "dbt_project"
    shutil.copytree(DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    keep(cache_of(project), empty_company.manifest_file.parent, project_fingerprint(project))
    return project


def parsed(project: Path, home: Path) -> Manifest:
    outcome = parse(["--quiet", "--no-write-json", "parse", *project_arguments(project, home)])
    assert isinstance(outcome.result, Manifest), outcome.exception
    return outcome.result


def test_another_home_of_a_checkout_parses_nothing_and_reads_its_own_files(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "second"
    manifest_file = prepared_manifest(Settings(home=home), checkout)
    # No process was started: it would have left its log.
    assert not (home / "dbt" / "logs").exists()
    taken = (manifest_file.parent / PARSED[0]).read_bytes()

    monkeypatch.setenv("TRUEUP_HOME", str(home))
    manifest = parsed(checkout, home)

    # dbt writes its state whenever it has parsed anything.
    assert (manifest_file.parent / PARSED[0]).read_bytes() == taken
    locations = [str(source.meta["external_location"]) for source in manifest.sources.values()]
    assert sum(f"'{home}/landing/" in location for location in locations) > 10
    assert not [location for location in locations if "/TRUEUP_" in location]
    assert str(home).encode() not in taken


def test_a_changed_model_is_seen_by_a_home_that_starts_from_an_older_parse(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "third"
    path = checkout / MODEL
    path.write_text(path.read_text() + "-- changed\n")
    assert take(cache_of(checkout), home / "dbt" / "target") != project_fingerprint(checkout)

    monkeypatch.setenv("TRUEUP_HOME", str(home))
    manifest = parsed(checkout, home)

    assert manifest.nodes[f"model.trueup.{path.stem}"].raw_code.endswith("-- changed")
    log = (home / "dbt" / "logs" / "dbt.log").read_text()
    assert "Partial parsing enabled: 0 files deleted, 0 files added, 1 files changed." in log


@given(st.data())
def test_a_broken_parse_is_no_parse(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("broken")
    for name in PARSED:
        (folder / name).write_text(f"content of {name}")
    cache = folder / "parse.zip"
    keep(cache, folder, "fingerprint")
    content = bytearray(cache.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    cache.write_bytes(content)

    found = take(cache, folder / "taken")

    if found is None:
        assert not (folder / "taken").exists()
    else:
        assert found == "fingerprint"
        assert [(folder / "taken" / name).read_text() for name in PARSED] == [f"content of {name}" for name in PARSED]


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    for name in PARSED:
        (tmp_path / name).write_text("content")
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "parse.zip"
    keep(cache, tmp_path, "fingerprint")
    assert take(cache, tmp_path / "taken") is None
    assert {path.name for path in tmp_path.iterdir()} == {*PARSED, "file"}
