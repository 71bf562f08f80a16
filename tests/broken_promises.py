"""`make prove`: break each promise in a copy of the project, and see that its test then fails.

Belongs here: for each promise the smallest plausible mistake that breaks it, and the test that must notice.
Does not belong here: the tests themselves. A test that was never seen to fail may be one that cannot.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Break:
    """A mistake and the test that must notice it.

    Attributes:
        promise: In a few words.
        mistake: What somebody might do.
        file: Below the project.
        right, wrong: Text of the file and what replaces it.
        test: Node of pytest.
    """

    promise: str
    mistake: str
    file: str
    right: str
    wrong: str
    test: str


BREAKS = (
    Break(
        "every bill is conserved",
        "what rounding leaves over is dropped",
        "dbt_project/models/intermediate/int_billed_remainders__placed.sql",
        "allocated.taken_units - cells.given_units as remainder_units",
        "cells.given_units - cells.given_units as remainder_units",
        "tests/warehouse/test_tied_to_the_bill.py::test_any_bill_is_conserved_to_the_last_digit",
    ),
    Break(
        "no float touches money",
        "dollars are typed as doubles",
        "dbt_project/macros/money.sql",
        "cast(cast({{ tokens }} as decimal(19, 0)) * {{ usd_per_token }} as decimal(38, 12))",
        "cast(cast({{ tokens }} as double) * {{ usd_per_token }} as double)",
        "tests/warehouse/test_shape_of_the_warehouse.py::test_no_float_touches_money",
    ),
    Break(
        "unknown is not zero",
        "a class without a price costs nothing",
        "dbt_project/macros/money.sql",
        "else {{ token_cost_usd(tokens, usd_per_token) }} end",
        "else coalesce({{ token_cost_usd(tokens, usd_per_token) }}, {{ zero_usd() }}) end",
        "tests/warehouse/test_dbt_unit_tests.py::test_every_model_that_computes_cost_has_unit_tests_and_all_pass",
    ),
    Break(
        "the price in force when the request started",
        "the newest price is taken for all time",
        "dbt_project/models/intermediate/int_llm_requests__priced.sql",
        "requests.started_at >= prices.valid_from\n      and requests.started_at < prices.valid_to",
        "current_timestamp >= prices.valid_from\n      and current_timestamp < prices.valid_to",
        "tests/warehouse/test_days_and_prices.py::test_a_request_has_the_price_of_the_moment_it_started",
    ),
    Break(
        "days are replaced, not keys",
        "only days that have rows again are deleted",
        "dbt_project/macros/materializations.sql",
        "where {{ between_built_days('usage_date', 0, days_after()) }};",
        "where usage_date in (select usage_date from ({{ compiled_code }}) as days);",
        "tests/warehouse/test_days_and_prices.py"
        "::test_a_day_restated_to_nothing_becomes_nothing_and_the_earlier_figure_can_be_had_again",
    ),
    Break(
        "a build of some days touches no other",
        "the window does not reach the models",
        "dbt_project/macros/window.sql",
        "invocation_args_dict.get('event_time_start'), invocation_args_dict.get('event_time_end')",
        "flags.EVENT_TIME_START, flags.EVENT_TIME_END",
        "tests/warehouse/test_days_and_prices.py::test_a_build_of_some_days_touches_no_other",
    ),
    Break(
        "every past state can be had again",
        "the newest pull always counts",
        "dbt_project/macros/landing.sql",
        "'{{ parsed.strftime('%Y%m%dT%H%M%S%fZ') }}-g'",
        "'9'",
        "tests/warehouse/test_days_and_prices.py"
        "::test_a_day_restated_to_nothing_becomes_nothing_and_the_earlier_figure_can_be_had_again",
    ),
    Break(
        "one request, one cost",
        "what several saw is not merged",
        "dbt_project/models/intermediate/int_llm_requests__deduplicated.sql",
        "having count(*) > 1\n",
        "having count(*) > 1000\n",
        "tests/warehouse/test_one_call_one_cost.py"
        "::test_three_observers_of_one_call_are_one_request_with_the_best_of_each",
    ),
    Break(
        "what a count includes is stored, not guessed",
        "the provider's name decides",
        "dbt_project/models/intermediate/int_llm_requests__usage_normalised.sql",
        "    coalesce(input_includes_cache, true)\n    and stated_cache_read_tokens",
        "    provider <> 'anthropic'\n    and stated_cache_read_tokens",
        "tests/warehouse/test_dbt_unit_tests.py::test_every_model_that_computes_cost_has_unit_tests_and_all_pass",
    ),
    Break(
        "nothing is lost silently",
        "a line that cannot be read is passed over",
        "orchestration/connectors/line_rows.py",
        "            sink.quarantine(self._table, part)\n",
        "            pass\n",
        "tests/connectors/test_llm_request_log.py::test_every_line_is_landed_quarantined_or_skipped",
    ),
    Break(
        "no prompt, no raw user id",
        "quarantine keeps the line as it came",
        "orchestration/connectors/line_rows.py",
        "masked(line, known_keys)",
        "line.decode(errors='replace')",
        "tests/connectors/test_llm_request_log.py::test_no_user_id_and_no_prompt_reaches_the_disk",
    ),
    Break(
        "a bill is never spread over more than it pays for",
        "the charge is split over what was logged",
        "dbt_project/macros/allocation.sql",
        "{{ weight_of_all('weight', 'logged_quantity', 'counted_quantity') }} as denominator",
        "weight as denominator",
        "tests/warehouse/test_tied_to_the_bill.py::test_d13_logs_that_cover_sixty_percent_take_sixty_percent",
    ),
)


def main(words: str = "") -> int:
    """Break the promises that hold `words`, test, and print what was noticed; 1 when a test did not notice."""
    unnoticed = 0
    table = Table("promise", "broken by", "noticed by", title="Every promise, broken on purpose")
    with tempfile.TemporaryDirectory(prefix="trueup-promises-") as scratch:
        copy = Path(scratch) / "project"
        _copy_project(copy)
        chosen = [case for case in BREAKS if words in case.promise]
        whole = _run(copy, *{case.test for case in chosen})
        if whole.returncode:
            raise SystemExit(f"tests fail before anything is broken:\n{whole.stdout[-2000:]}")
        for case in track(chosen, description="breaking promises", transient=True):
            noticed = _is_noticed(copy, case)
            unnoticed += not noticed
            test = case.test.rpartition("/")[2].replace("::", " ")
            table.add_row(case.promise, case.mistake, test if noticed else f"[red]NOT by {test}[/red]")
    Console(width=160 if not sys.stdout.isatty() else None).print(table)
    return 1 if unnoticed else 0


def _copy_project(into: Path) -> None:
    """Copy what git knows or would know, as it stands."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, into / name)


def _is_noticed(copy: Path, case: Break) -> bool:
    path = copy / case.file
    text = path.read_text()
    if text.count(case.right) != 1:
        raise SystemExit(f"{case.file} does not hold, once: {case.right}")
    path.write_text(text.replace(case.right, case.wrong))
    try:
        ran = _run(copy, case.test)
    finally:
        path.write_text(text)
    # 1: a test failed, or what it stands on could not be built; 2 and above: it was not run at all.
    return ran.returncode == 1


def _run(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    # The copy comes first on the path, before the installed project.
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", "pytest", "-x", *tests]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2]))
