"""Switches that alerts ask for: proposed, thrown, lifted, ended, and written down."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from trueup_middleware.gate import CallIntent
from trueup_middleware.switches import Switches

from orchestration.limits.policies import read_policies
from orchestration.limits.requests import Ask, Breach, switch_requests
from orchestration.limits.switchboard import Switchboard, SwitchError, SwitchRequest
from orchestration.settings import PROJECT_ROOT

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SEEDS = PROJECT_ROOT / "pricing_seeds"
SPIKE = Breach(
    "i-1",
    "tenant_spend_spike",
    date(2026, 11, 20),
    "tenant",
    "acme",
    190.3657,
    49.6,
    "USD a day",
    owner="customer-success",
    action="throttle",
    is_automatic=False,
)
CALL = CallIntent("call", NOW, feature="search", tenant_id="acme", model="gpt-4.1")


def requests(now: datetime = NOW, **changes: Any) -> list[Ask]:
    return list(switch_requests([replace(SPIKE, **changes)], read_policies(SEEDS), now))


@pytest.fixture
def board(tmp_path: Path) -> Switchboard:
    return Switchboard(tmp_path)


def in_force(folder: Path) -> Switches:
    return Switches.parse((folder / "switches.json").read_bytes())


def test_a_breach_asks_for_what_its_rule_says_with_an_end_an_owner_and_a_reason() -> None:
    ((request, asked),) = requests()
    assert asked == "propose"
    assert (request.scope, request.scope_id, request.action) == ("tenant", "acme", "throttle")
    assert (request.until, request.owner) == (NOW + timedelta(hours=24), "customer-success")
    assert request.requests_per_minute == 30
    assert request.reason == "tenant_spend_spike on 2026-11-20: 190.366 USD a day against 49.6"
    assert requests(is_automatic=True)[0].asked == "throw"


def test_only_a_recent_breach_whose_rule_names_an_action_asks() -> None:
    assert requests(NOW + timedelta(days=2)) == []
    assert requests(action="none") == []


def test_a_breach_of_the_whole_organisation_proposes_a_cheaper_model_and_is_never_thrown_by_itself(
    board: Switchboard, tmp_path: Path
) -> None:
    ((request, asked),) = requests(scope="org", scope_id="", action="disable_feature", is_automatic=True)
    assert (request.scope, request.scope_id, request.action, asked) == ("org", "", "degrade_model", "propose")
    board.propose([request], "alert", NOW, activate=False)
    board.activate(request.switch_id, "ada", NOW)
    board.publish(NOW)
    (switch,) = in_force(tmp_path).meeting(CALL, NOW)
    assert switch.models["gpt-4.1"] == "gpt-4.1-mini"


def test_what_no_switch_can_mend_is_written_down_once_with_its_reason(board: Switchboard, tmp_path: Path) -> None:
    ((request, asked),) = requests(scope="provider", scope_id="openai", action="disable_feature", is_automatic=True)
    assert asked == "note"
    for _ in range(2):
        board.note(request, "alert", NOW)
    board.publish(NOW)
    (event,) = [json.loads(line) for line in (tmp_path / "switch_events.jsonl").open()]
    assert (event["event"], event["switch"]["owner"]) == ("noted", "customer-success")
    assert "no switch: disable_feature does not go with provider" in event["switch"]["reason"]
    assert list(in_force(tmp_path).meeting(CALL, NOW)) == []
    with pytest.raises(SwitchError, match="is noted, not proposed"):
        board.activate(request.switch_id, "ada", NOW)


def test_what_is_proposed_switches_nothing_until_somebody_throws_it(board: Switchboard, tmp_path: Path) -> None:
    ((request, _),) = requests()
    assert board.propose([request], "alert", NOW, activate=False) == [request.switch_id]
    board.publish(NOW)
    assert list(in_force(tmp_path).meeting(CALL, NOW)) == []
    board.activate(request.switch_id, "ada", NOW)
    board.publish(NOW)
    (switch,) = in_force(tmp_path).meeting(CALL, NOW)
    assert (switch.action, switch.requests_per_minute, switch.owner) == ("throttle", 30, "customer-success")


def test_asking_again_is_asking_once_also_after_somebody_has_lifted_it(board: Switchboard) -> None:
    ((request, _),) = requests()
    assert board.propose([request], "its rule", NOW, activate=True)
    board.lift(request.switch_id, "ada", NOW)
    ((again, _),) = requests(NOW + timedelta(hours=1))
    assert board.propose([again], "its rule", NOW, activate=True) == []
    assert board.switches(NOW)[request.switch_id].state == "lifted"


def test_a_switch_ends_by_itself(board: Switchboard, tmp_path: Path) -> None:
    ((request, _),) = requests()
    board.propose([request], "its rule", NOW, activate=True)
    board.publish(NOW)
    end = NOW + timedelta(hours=24)
    assert list(in_force(tmp_path).meeting(CALL, end)) == []
    assert board.switches(end)[request.switch_id].state == "ended"
    with pytest.raises(SwitchError, match="is ended"):
        board.lift(request.switch_id, "ada", end)


def test_a_degraded_model_is_one_that_somebody_reviewed(board: Switchboard, tmp_path: Path) -> None:
    ((request, _),) = requests(action="degrade_model")
    board.propose([request], "its rule", NOW, activate=True)
    board.publish(NOW)
    (switch,) = in_force(tmp_path).meeting(CALL, NOW)
    assert switch.models["gpt-4.1"] == "gpt-4.1-mini"


def test_every_change_has_its_row_and_no_row_is_ever_rewritten(board: Switchboard, tmp_path: Path) -> None:
    feature = SwitchRequest("s1", "feature", "search", "disable", NOW + timedelta(hours=4), "runaway", "on-call")
    path = tmp_path / "switch_events.jsonl"
    board.propose([feature], "alert", NOW, activate=False)
    before = path.read_text()
    board.activate("s1", "ada", NOW + timedelta(minutes=1))
    board.lift("s1", "ben", NOW + timedelta(minutes=2))
    assert path.read_text().startswith(before)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(event["event"], event["by"]) for event in events] == [
        ("proposed", "alert"),
        ("activated", "ada"),
        ("lifted", "ben"),
    ]
    with pytest.raises(SwitchError, match="no switch s2"):
        board.activate("s2", "ada", NOW)
