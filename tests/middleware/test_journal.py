"""What outlives a process: the lines of calls that were under way, or not yet in the log, when it was killed."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lines import read_lines
from trueup_middleware import Meter
from trueup_middleware.journal import MOST_LINE_BYTES, Journal, recover
from trueup_middleware.writer import LineWriter

Logged = Callable[[], list[dict[str, Any]]]


def _in_a_child(work: Callable[[], None]) -> None:
    """Run `work` in a forked process, which then is killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_a_call_that_was_under_way_is_recorded_by_the_next_start(folder: Path, logged: Logged, meter: Meter) -> None:
    def work() -> None:
        with Meter(folder).request(feature="search", tenant_id="acme", model="gpt-4.1", provider="openai"):
            os.kill(os.getpid(), signal.SIGKILL)

    _in_a_child(work)
    assert list(folder.glob("*.jsonl")) == []
    with meter.request(model="another") as call:
        call.finish()
    died, _ = logged()
    assert (died["outcome"], died["error_type"]) == ("error", "process_died")
    assert (died["feature"], died["tenant_id"], died["model"]) == ("search", "acme", "gpt-4.1")
    assert "output_tokens" not in died
    assert meter.counts().lines.recovered == 1
    assert len(list(folder.glob("*.journal"))) == 1, "the dead one's is gone"


def test_a_line_that_was_not_yet_written_is_recorded_as_it_was(folder: Path, logged: Logged, meter: Meter) -> None:
    def work() -> None:
        with Meter(LineWriter(folder, flush_seconds=60)).request(model="gpt-4.1") as call:
            call.finish({"object": "chat.completion", "usage": {"prompt_tokens": 7, "completion_tokens": 1}})

    _in_a_child(work)
    with meter.request(model="another") as call:
        call.finish()
    assert [line["outcome"] for line in logged()] == ["success", "success"]
    assert logged()[0]["usage"] == {"prompt_tokens": 7, "completion_tokens": 1}


def test_killed_at_any_moment_no_call_is_lost(folder: Path, tmp_path: Path) -> None:
    """Every call that had begun is in the log. The kernel kills after a random span of the process's own time."""
    rng = random.Random(7)
    begun = tmp_path / "begun"
    for _ in range(12):
        seconds = rng.uniform(0.005, 0.03)
        child = os.fork()
        if child == 0:
            signal.setitimer(signal.ITIMER_PROF, seconds)
            meter = Meter(LineWriter(folder, flush_seconds=0.001))
            notes = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            while True:
                with meter.request(model="gpt-4.1") as call:
                    os.write(notes, f"{call.request_id}\n".encode())
                    call.finish()
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGPROF
    writer = LineWriter(folder)
    writer.put(b"")
    assert writer.close()
    noted = begun.read_text().split()
    assert len(noted) > 100
    # A kill between writing a line and forgetting it leaves it twice, under one request id: one request.
    assert set(noted) <= {line["request_id"] for line in read_lines(folder)}


def test_a_living_process_keeps_its_journal(folder: Path) -> None:
    journal = Journal(folder)
    assert journal.begin(b"under way\n") is not None
    assert recover(folder, lambda lines: pytest.fail(str(lines))) == 0
    journal.close()
    taken: list[bytes] = []
    assert recover(folder, lambda lines: taken.extend(lines) or True) == 1
    assert taken == [b"under way\n"]
    assert list(folder.iterdir()) == []


def test_what_does_not_fit_is_not_kept_and_breaks_nothing(folder: Path) -> None:
    journal = Journal(folder)
    assert journal.begin(b"x" * (MOST_LINE_BYTES + 1)) is None
    slots = [journal.begin(b"x") for _ in range(600)]
    assert slots.count(None) == 600 - 512
    journal.end(0, b"x" * (MOST_LINE_BYTES + 1))
    journal.close()
    recovered: list[bytes] = []
    recover(folder, lambda lines: recovered.extend(lines) or True)
    assert recovered == [b"x"] * 512


def test_a_half_that_was_not_finished_does_not_count(folder: Path) -> None:
    journal = Journal(folder)
    slot = journal.begin(b"begun\n")
    assert slot == 0
    path = next(folder.glob("*.journal"))
    journal.close()
    with path.open("r+b") as file:
        file.seek(8 + 2044)
        file.write(b"\x06\x00\x00\x00????torn")  # of the second half, whose turn has not come
    taken: list[bytes] = []
    recover(folder, lambda lines: taken.extend(lines) or True)
    assert taken == [b"begun\n"]


def test_a_forked_child_writes_to_a_file_of_its_own(meter: Meter, folder: Path, logged: Logged) -> None:
    with meter.request(model="parent") as call:
        call.finish()
    logged()

    def work() -> None:
        with meter.request(model="child") as call:
            call.finish()
        meter.flush()

    _in_a_child(work)
    assert sorted(line["model"] for line in logged()) == ["child", "parent"]
    assert len(list(folder.glob("*.jsonl"))) == 2


def test_files_are_replaced_by_size_and_lines_stay_whole(folder: Path) -> None:
    meter = Meter(LineWriter(folder, most_file_bytes=2_000))
    for number in range(20):
        with meter.request(model=f"m{number}") as call:
            call.finish()
        assert meter.flush()
    assert len(list(folder.glob("*.jsonl"))) > 3
    assert {line["model"] for line in read_lines(folder)} == {f"m{number}" for number in range(20)}


def test_lines_beyond_the_queue_are_dropped_and_counted(folder: Path) -> None:
    writer = LineWriter(folder, most_queued=3, flush_seconds=60)
    meter = Meter(writer)
    for _ in range(10):
        with meter.request(model="m") as call:
            call.finish()
    dropped = meter.counts().lines.dropped
    assert meter.flush()
    assert dropped >= 6
    assert meter.counts().lines.written == 10 - dropped == len(read_lines(folder))


def test_a_folder_that_cannot_be_written_breaks_no_call(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    meter = Meter(tmp_path / "file" / "llm")
    with meter.request(model="m") as call:
        call.finish()
    assert meter.flush()
    assert meter.counts().lines.dropped == 1
