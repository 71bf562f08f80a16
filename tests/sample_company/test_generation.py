"""The generator: reproducible, of the asked size, a no-op the second time."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from story import Story

from orchestration.sample_company import SampleOptions, generate
from orchestration.sample_company.attempts import draw_attempts
from orchestration.sample_company.company import build_company
from orchestration.sample_company.incidents import plan_incidents
from orchestration.sample_company.operations import Demand, draw_operations

SMALL = SampleOptions(days=9, requests=1_500, tenants=12)


def _contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    generate(first, SMALL)
    generate(second, SMALL)
    contents = _contents(first)
    assert contents == _contents(second)
    assert any(name.endswith(".jsonl.gz") for name in contents)


def test_another_seed_gives_another_company(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    generate(first, SMALL)
    generate(second, SampleOptions(seed=21, days=9, requests=1_500, tenants=12))
    one, other = _contents(first), _contents(second)
    same = {name for name, content in one.items() if other.get(name) == content}
    # What does not depend on who the customers are and what they do.
    assert same <= {f"company/{table}.csv" for table in ("plans", "releases", "budgets")} | {
        "pricing/price_overrides_sample.csv"
    }


def test_a_restless_company_has_the_days_of_the_trace_and_the_same_total() -> None:
    days = 40
    options = SampleOptions(days=days, requests=days * 8_000, tenants=12, incidents=False, restless=True)
    company = build_company(options)
    demand = Demand(options, company, plan_incidents(options, company))
    drawn = np.array(
        [np.bincount(draw_operations(demand, day, 0, 1).tenant, minlength=12) for day in range(days)], dtype=float
    )
    expected = np.array([sum(demand.expected(day).values()).sum(axis=1) for day in range(days)])
    largest = np.log(drawn[:, :3] / expected[:, :3])
    assert 0.18 < largest.std() < 0.26  # 0.22, and what arrivals add
    assert drawn.sum() == pytest.approx(expected.sum(), rel=0.05)


def test_a_second_run_writes_nothing_and_reports_the_same(tmp_path: Path) -> None:
    first = generate(tmp_path, SMALL)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    second = generate(tmp_path, SMALL)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before
    assert (first.generated, second.generated) == (True, False)
    assert (second.request_lines, second.outcome_lines) == (first.request_lines, first.outcome_lines)


def test_other_options_replace_the_sample_and_touch_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    generate(tmp_path, SMALL)
    generate(tmp_path, SampleOptions(days=3, requests=600, tenants=12))
    days = {file.name[4:14] for file in (tmp_path / "requests").iterdir()}
    assert days == {"2026-10-29", "2026-10-30", "2026-10-31"}
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_interrupted_sample_is_written_again(tmp_path: Path) -> None:
    def stop(fraction: float, _what: str) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    generate(tmp_path, SMALL)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, SampleOptions(days=4, requests=600, tenants=12), stop)
    assert generate(tmp_path, SMALL).generated
    reference = tmp_path / "reference"
    generate(reference, SMALL)
    written = {name: one for name, one in _contents(tmp_path).items() if not name.startswith("reference")}
    assert written == _contents(reference)


def test_progress_runs_from_the_first_day_to_the_end(tmp_path: Path) -> None:
    seen: list[float] = []
    generate(tmp_path, SMALL, lambda fraction, _what: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) == SMALL.days + 1


def test_the_number_of_requests_is_what_was_asked_for(story: Story) -> None:
    assert story.manifest.request_lines == pytest.approx(50_000, rel=0.03)
    assert story.value("select count(*) from lines") == story.manifest.request_lines
    assert story.truth["counts"]["request_lines"] == story.manifest.request_lines


def test_parts_of_a_large_day_do_not_share_ids_and_lose_nothing() -> None:
    options = SampleOptions(days=2, requests=4_000, tenants=12)
    company = build_company(options)
    plan = plan_incidents(options, company)
    demand = Demand(options, company, plan)
    assert demand.parts(1) == 1
    assert demand.parts(1, most=400) == 3
    whole = draw_operations(demand, 1, 0, 1)
    parts = [draw_operations(demand, 1, part, 3) for part in range(3)]
    assert sum(len(part) for part in parts) == pytest.approx(len(whole), rel=0.05)
    uids = [draw_attempts(part, plan, options, day=1, part=number).uid for number, part in enumerate(parts)]
    for every in (
        np.concatenate(uids),
        np.concatenate([part.uid for part in parts]),
        np.concatenate([np.unique(part.conversation) for part in parts]),
    ):
        assert len(np.unique(every)) == len(every)


@pytest.mark.parametrize("days", [1, 5, 27, 28, 40])
def test_any_length_has_a_story(days: int) -> None:
    options = SampleOptions(days=days, requests=100 * days, tenants=30)
    plan = plan_incidents(options, build_company(options))
    assert all(0 <= one.first_day <= one.last_day < days for one in plan.incidents)
    assert len(plan.incidents) >= (13 if days >= 28 else 7)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"days": 0}, "days must be at least 1, got 0"),
        ({"tenants": 4}, "tenants must be at least 5, got 4"),
        ({"requests": 100}, "requests must be at least 20 a day"),
        ({"observed_share": 1.5}, "observed_share must lie in"),
    ],
)
def test_options_that_cannot_work_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SampleOptions(**wrong)


def test_without_observers_nothing_is_hidden_in_spans(tmp_path: Path) -> None:
    manifest = generate(tmp_path, SampleOptions(days=2, requests=2_000, tenants=12, observed_share=0.0))
    assert (manifest.spans, manifest.gateway_lines) == (0, 0)
    assert not list(manifest.otel.iterdir())
    story = Story(manifest)
    assert story.truth["counts"]["attempts"] == len(
        {line for file in manifest.requests.iterdir() for line in file.read_text().splitlines()}
    )


def test_whoever_finds_a_sample_does_not_wait_for_numpy(tmp_path: Path) -> None:
    generate(tmp_path, SMALL)
    script = (
        "import sys; from pathlib import Path; from orchestration.sample_company import *;"
        "generate(Path(sys.argv[1]), SampleOptions(days=9, requests=1_500, tenants=12));"
        "LoopbackProviders(Path(sys.argv[1])); print({'numpy', 'pyarrow'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "set()"


def test_the_last_day_is_the_end_of_the_sample() -> None:
    assert SampleOptions().start_date == date(2026, 9, 2)
    assert SampleOptions(days=1).start_date == date(2026, 10, 31)
