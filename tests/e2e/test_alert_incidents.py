"""Alerts on the small company: found by their rules on their days, kept as incidents, asked for in the UI."""

from __future__ import annotations

import json
import os
from typing import Any

import dagster as dg
import pytest
from company import LAST_DAY, Company
from later_runs import Run

from benchmarks.alerts import alarms_of, first_alarm, first_drivers, planted_in, published_breaches
from orchestration.alerting.store import IncidentStore
from orchestration.explain.change import Period, explain_change
from orchestration.publishing.reader import open_marts
from orchestration.runtime.run import load_definitions
from tests.alerting.receivers import Webhook

#: Of what is planted in eight days, what passes the floors of its rule at four hundred requests a day. Of so few the
#: price cut is found, and what moved the cost of its model most is chance.
FOUND = ("uninstrumented_service", "embedding_runaway", "untagged_traffic", "unpriced_model", "price_cut")


def published(company: Company, sql: str) -> list[dict[str, Any]]:
    with open_marts(company.home / "published") as marts:
        cursor = marts.execute(sql)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.parametrize("incident_id", FOUND)
def test_what_is_planted_is_found_by_its_rule_on_its_first_day_with_its_cause_first(
    small_company: Company, incident_id: str
) -> None:
    (planted,) = [one for one in planted_in(small_company.home) if one.incident_id == incident_id]
    drivers = first_drivers(small_company.home)
    first = first_alarm(planted, alarms_of(published_breaches(small_company.home)), drivers)
    assert first is not None
    assert first.first_date == planted.first
    driver = drivers[first.key, first.first_date]
    assert planted.is_named_by(driver) or incident_id == "price_cut", driver.words


def test_every_alert_about_spend_says_why_in_a_sentence(small_company: Company) -> None:
    silent = published(
        small_company, "select * from alerts where top_drivers is null and alert_rule <> 'source_late' limit 3"
    )
    assert silent == []


def test_the_history_of_incidents_is_published_by_the_run_that_made_it(small_company: Company) -> None:
    events = published(small_company, "select * from fct_alert_events order by recorded_at, event_id")
    assert {row["event_id"] for row in events} == {
        row["event_id"] for row in IncidentStore(small_company.settings).events()
    }
    opened = {row["incident_id"] for row in events if row["event_kind"] == "opened"}
    assert opened == {row["incident_id"] for row in events} != set()
    newest = {row["incident_id"]: row for row in events if row["is_newest"]}
    assert newest.keys() == opened
    alerts = published(
        small_company,
        f"select distinct alert_rule, scope_kind, scope_id from alerts where usage_date >= date '{LAST_DAY}' - 1",
    )
    lasting = [row for row in newest.values() if row["state"] != "resolved"]
    assert {(row["alert_rule"], row["scope_kind"], row["scope_id"]) for row in lasting} == {
        (row["alert_rule"], row["scope_kind"], row["scope_id"]) for row in alerts
    }
    assert {row["action"] for row in lasting} <= {"none", "throttle", "disable_feature", "degrade_model"}


def test_somebody_takes_an_incident_and_the_list_says_so(changing_company: Company) -> None:
    lasting = [one for one in IncidentStore(changing_company.settings).incidents() if one.state == "open"]
    taken = changing_company.trueup("incidents", "ack", lasting[0].incident_id, "--note", "on it")
    assert f"{lasting[0].incident_id}: {lasting[0].key.alert_rule}" in taken.stdout
    listed = changing_company.trueup("incidents")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert all(one.incident_id in listed.stdout for one in lasting)
    assert "acknowledged" in listed.stdout
    refused = changing_company.trueup("incidents", "snooze", "no such id")
    assert refused.returncode == 1
    assert "no incident whose id begins with 'no such id'" in refused.stdout


def test_a_run_tells_an_address_that_came_late_of_what_fires_and_tells_it_once(
    small_company: Company, on_call: Webhook, unchanged: Run
) -> None:
    """The address is there for two runs, of which the second finds nothing new."""
    store = IncidentStore(small_company.settings)
    assert store.deliveries() == []
    errors = {one.incident_id for one in store.incidents() if one.state == "open" and one.severity == "error"}
    told = [json.loads(body)["incident_id"] for _, body in on_call.got]
    # Warnings of this channel wait for its digest.
    assert sorted(told) == sorted(errors) != []


def test_the_ui_says_why_spend_moved(small_company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_HOME", str(small_company.home))
    for name in set(os.environ) & {"TRUEUP_SOURCES", "TRUEUP_START_DATE", "TRUEUP_PRICING"}:
        monkeypatch.delenv(name)
    job = load_definitions().resolve_job_def("explain")
    with dg.DagsterInstance.ephemeral() as instance:
        config = {"ops": {"change_of_spend": {"config": {"to": LAST_DAY.isoformat()}}}}
        run = job.execute_in_process(run_config=config, instance=instance)
        (output,) = [event for event in run.all_events if event.event_type_value == "STEP_OUTPUT"]
        metadata = output.step_output_data.metadata
    today = Period(LAST_DAY, LAST_DAY)
    with open_marts(small_company.home / "published") as marts:
        assert metadata["sentence"].value == explain_change(marts, today.before(), today).sentence
    assert metadata["drivers"].value.records
