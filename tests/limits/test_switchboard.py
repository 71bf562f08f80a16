"""Switches that alerts ask for: proposed, thrown, lifted, ended, and written down."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from trueup_middleware.gate import CallIntent
from trueup_middleware.switches import Switches

from orchestration.alerting.rules import Action, AlertRule, read_rule_book
from orchestration.limits.policies import read_policies
from orchestration.limits.requests import Breach, switch_requests
from orchestration.limits.switchboard import Switchboard, SwitchError, SwitchRequest
from orchestration.settings import PROJECT_ROOT

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SEEDS = PROJECT_ROOT / "pricing_seeds"
RULES = read_rule_book(SEEDS, NOW.date()).rules
SPIKE = Breach("tenant_spend_spike", date(2026, 11, 20), "tenant", "acme", 190.3657, 49.6, "USD a day")
CALL = CallIntent("call", NOW, feature="search", tenant_id="acme", model="gpt-4.1")


def rule(action: str, *, automatic: bool = True) -> dict[str, AlertRule]:
    changed = {"action": Action(action), "automatic": "true" if automatic else "false"}
    return {"tenant_spend_spike": RULES["tenant_spend_spike"].model_copy(update=changed)}


def requests(breach: Breach, rules: dict[str, AlertRule], now: datetime = NOW) -> list[tuple[SwitchRequest, bool]]:
    return list(switch_requests([breach], rules, read_policies(SEEDS), now))


@pytest.fixture
def board(tmp_path: Path) -> Switchboard:
    return Switchboard(tmp_path)


def in_force(folder: Path) -> Switches:
    return Switches.parse((folder / "switches.json").read_bytes())


def test_a_breach_asks_for_what_its_rule_says_with_an_end_an_owner_and_a_reason() -> None:
    ((request, is_automatic),) = requests(SPIKE, dict(RULES))
    assert not is_automatic
    assert (request.scope, request.scope_id, request.action) == ("tenant", "acme", "throttle")
    assert (request.until, request.owner) == (NOW + timedelta(hours=24), "customer-success")
    assert request.requests_per_minute == 30
    assert request.reason == "tenant_spend_spike on 2026-11-20: 190.366 USD a day against 49.6"


def test_only_a_recent_breach_of_something_that_can_be_switched_asks() -> None:
    assert requests(SPIKE, dict(RULES), NOW + timedelta(days=2)) == []
    assert requests(Breach("unpriced_requests", NOW.date(), "model", "openai/x", 1, 0, "attempts"), dict(RULES)) == []
    org = Breach("budget_burned_in_first_week", NOW.date(), "org", "", 1, 0, "USD")
    assert requests(org, dict(RULES)) == []


def test_what_is_proposed_switches_nothing_until_somebody_throws_it(board: Switchboard, tmp_path: Path) -> None:
    ((request, _),) = requests(SPIKE, dict(RULES))
    assert board.propose([request], "alert", NOW, activate=False) == [request.switch_id]
    board.publish(NOW)
    assert list(in_force(tmp_path).meeting(CALL, NOW)) == []
    board.activate(request.switch_id, "ada", NOW)
    board.publish(NOW)
    (switch,) = in_force(tmp_path).meeting(CALL, NOW)
    assert (switch.action, switch.requests_per_minute, switch.owner) == ("throttle", 30, "customer-success")


def test_asking_again_is_asking_once_also_after_somebody_has_lifted_it(board: Switchboard) -> None:
    ((request, _),) = requests(SPIKE, rule("throttle"))
    assert board.propose([request], "its rule", NOW, activate=True)
    board.lift(request.switch_id, "ada", NOW)
    ((again, _),) = requests(SPIKE, rule("throttle"), NOW + timedelta(hours=1))
    assert board.propose([again], "its rule", NOW, activate=True) == []
    assert board.switches(NOW)[request.switch_id].state == "lifted"


def test_a_switch_ends_by_itself(board: Switchboard, tmp_path: Path) -> None:
    ((request, _),) = requests(SPIKE, rule("throttle"))
    board.propose([request], "its rule", NOW, activate=True)
    board.publish(NOW)
    end = NOW + timedelta(hours=24)
    assert list(in_force(tmp_path).meeting(CALL, end)) == []
    assert board.switches(end)[request.switch_id].state == "ended"
    with pytest.raises(SwitchError, match="is ended"):
        board.lift(request.switch_id, "ada", end)


def test_a_degraded_model_is_one_that_somebody_reviewed(board: Switchboard, tmp_path: Path) -> None:
    ((request, _),) = requests(SPIKE, rule("degrade_model"))
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
