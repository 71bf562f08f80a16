"""From a change to somebody's hands, over receivers that answer, fail, hang and die."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from receivers import Webhook, mailbox, webhook

from orchestration.alerting.delivery import Apprise, DeliveryError, SignedWebhook, deliver, wait
from orchestration.alerting.events import EVENT_SCHEMA, events_file
from orchestration.alerting.lifecycle import Breach, Event, Incident, Key
from orchestration.alerting.messages import Links, Message, of_event
from orchestration.alerting.store import IncidentStore, Letter, database_path
from orchestration.settings import Settings

SECRET = "s3cret"
TODAY = date(2026, 10, 14)
ONE_DAY = timedelta(days=1)
RULE = {
    "metric": "effective cost of the day",
    "owner": "customer-success",
    "action": "throttle",
    "is_automatic": False,
    "runbook": "docs/alerts/tenant_spend_spike.md",
    "model": "alert_tenant_spend_spikes",
}
ROW = {
    "observed": 412.1,
    "threshold": 160.0,
    "baseline": 80.0,
    "unit": "USD a day",
    "detail": "7 days of history",
    "top_drivers": "acme +$332.10 vs its 7-day mean: 71 % prompt growth in draft",
}


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 10, 14, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **span: float) -> None:
        self.moment += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def store(settings: Settings) -> IncidentStore:
    return IncidentStore(settings)


@pytest.fixture
def receiver() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


def breach_of(tenant: str) -> Breach:
    return Breach(Key("tenant_spend_spike", "tenant", tenant), TODAY, "warn")


def raise_alert(store: IncidentStore, clock: Clock, tenant: str = "acme", channel: str = "one") -> None:
    """Let the day have a breach of a tenant, and its message in the outbox."""
    store.evaluate(TODAY, TODAY, {breach_of(tenant): ROW}, clock(), writer(clock, channel))


def writer(clock: Clock, channel: str) -> Callable[[Event, Incident], Letter]:
    def write(event: Event, incident: Incident) -> Letter:
        links = Links("http://dagster", "http://dash/{scope_id}?day={date}", "http://traces/{trace_id}", "http://git/")
        message = of_event(event, incident, RULE, ROW, links=links, traces=["trace 1"])
        return Letter(event.event_id, event.event_id, channel, clock(), message.as_json())

    return write


def send(store: IncidentStore, clock: Clock, *, patience: float = 20, **transports: SignedWebhook | Apprise) -> None:
    deliver(store, transports, clock, lease=timedelta(minutes=5), patience_seconds=patience)


def hook(receiver: Webhook, seconds: float = 5) -> SignedWebhook:
    return SignedWebhook(receiver.url, SECRET, seconds)


def status(store: IncidentStore) -> list[tuple[str, int]]:
    return [(row["status"], row["attempts"]) for row in store.deliveries()]


def test_a_message_says_everything_once_and_is_signed(store: IncidentStore, clock: Clock, receiver: Webhook) -> None:
    raise_alert(store, clock)
    raise_alert(store, clock)
    for _ in range(3):
        send(store, clock, one=hook(receiver))
    ((headers, body),) = receiver.got
    content = json.loads(body)
    assert content["title"] == "[warn] tenant_spend_spike: acme opened"
    for part in (
        "412.10 USD a day, allowed are 160.00, usual are 80.00",
        "since 2026-10-14",
        "why: acme +$332.10 vs its 7-day mean: 71 % prompt growth in draft",
        "who: customer-success",
        "switch: throttle, to be pulled by hand",
        "what to do: http://git/docs/alerts/tenant_spend_spike.md",
        "check: http://dagster/assets/alerts/alert_tenant_spend_spikes?view=checks",
        "dashboard: http://dash/acme?day=2026-10-14",
        "dear request 1: http://traces/trace%201",
    ):
        assert part in content["text"]
    assert content["top_drivers"] == ROW["top_drivers"]
    assert headers["Idempotency-Key"] == content["idempotency_key"] == content["event_id"]
    seconds, sent = (part.split("=")[1] for part in headers["X-Trueup-Signature"].split(","))
    assert sent == hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("answer", [500, 302, "hang"])
def test_what_fails_or_hangs_is_sent_again_with_its_first_key(
    store: IncidentStore, clock: Clock, receiver: Webhook, answer: int | str
) -> None:
    receiver.answers.append(answer)
    raise_alert(store, clock)
    send(store, clock, one=hook(receiver, 0.3))
    assert status(store) == [("failed", 1)]
    send(store, clock, one=hook(receiver))
    assert len(receiver.got) == 1, "it is not due yet"
    clock.forward(seconds=31)
    send(store, clock, one=hook(receiver))
    assert status(store) == [("sent", 2)]
    first, second = (headers["Idempotency-Key"] for headers, _ in receiver.got)
    assert first == second


def test_the_wait_grows_to_an_hour_and_nothing_is_ever_given_up() -> None:
    assert [wait(attempts).total_seconds() for attempts in (1, 2, 3, 7, 8, 9999)] == [30, 60, 120, 1920, 3600, 3600]


def test_a_channel_that_hangs_delays_no_other(store: IncidentStore, clock: Clock, receiver: Webhook) -> None:
    with webhook() as dead:
        dead.answers.append("hang")
        raise_alert(store, clock, "acme", "dead")
        store.post([Letter("other", "other", "alive", clock(), Message("t", "warn", (), {}, {}).as_json())])
        send(store, clock, patience=1, dead=hook(dead, 30), alive=hook(receiver))
        assert len(receiver.got) == 1
        assert sorted(status(store)) == [("sent", 1), ("waiting", 1)]


def test_who_dies_while_sending_loses_nothing(store: IncidentStore, clock: Clock, receiver: Webhook) -> None:
    raise_alert(store, clock)
    held = store.claim("one", clock(), timedelta(minutes=5))
    assert held is not None
    send(store, clock, one=hook(receiver))
    assert receiver.got == [], "the lease of the dead holds"
    clock.forward(minutes=5)
    send(store, clock, one=hook(receiver))
    ((headers, _),) = receiver.got
    assert headers["Idempotency-Key"] == held.key


def test_who_dies_between_evaluating_and_sending_loses_nothing(
    settings: Settings, store: IncidentStore, clock: Clock, receiver: Webhook
) -> None:
    def die(event: Event, incident: Incident) -> Letter:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.evaluate(TODAY, TODAY, {breach_of("acme"): ROW}, clock(), die)
    assert (store.incidents(), store.events(), store.deliveries()) == ([], [], [])
    raise_alert(store, clock)
    del store
    send(IncidentStore(settings), clock, one=hook(receiver))
    assert len(receiver.got) == 1


def test_an_address_that_comes_late_gets_what_still_fires_and_is_not_taken_once(
    store: IncidentStore, clock: Clock, receiver: Webhook
) -> None:
    before = TODAY - 3 * ONE_DAY
    was_over = {replace(breach_of("over"), usage_date=before): ROW}
    fires = {breach_of("acme"): ROW, breach_of("taken"): ROW}
    store.evaluate(before, TODAY, was_over | fires, clock(), lambda _event, _incident: None)
    (taken,) = (one for one in store.incidents() if one.key.scope_id == "taken")
    store.acknowledge(taken.incident_id, clock(), None)
    for _ in range(2):
        store.evaluate(TODAY, TODAY, fires, clock(), writer(clock, "one"))
        send(store, clock, one=hook(receiver))
    ((_, body),) = receiver.got
    assert json.loads(body)["title"] == "[warn] tenant_spend_spike: acme opened"
    end = TODAY + 2 * ONE_DAY
    store.evaluate(end, end, {}, clock(), writer(clock, "one"))
    send(store, clock, one=hook(receiver))
    # Who was told of the beginning is told of the end, and nobody else.
    assert [json.loads(body)["title"] for _, body in receiver.got[1:]] == ["[warn] tenant_spend_spike: acme over"]


def test_a_digest_is_one_message_and_waits_for_its_hour(store: IncidentStore, clock: Clock, receiver: Webhook) -> None:
    morning = clock() + timedelta(hours=1)
    for name in ("a", "b"):
        store.post([Letter(name, "digest", "one", morning, Message(name, "warn", (name,), {}, {"n": name}).as_json())])
    send(store, clock, one=hook(receiver))
    assert receiver.got == []
    clock.forward(hours=1)
    send(store, clock, one=hook(receiver))
    ((_, body),) = receiver.got
    assert json.loads(body)["title"] == "2 changes of alerts"
    assert [change["n"] for change in json.loads(body)["changes"]] == ["a", "b"]


def test_mail_arrives_and_is_sent_again_when_the_server_refuses(store: IncidentStore, clock: Clock) -> None:
    with mailbox() as box:
        box.answers.append("451 later")
        raise_alert(store, clock)
        send(store, clock, patience=60, one=Apprise(box.url, 5))
        clock.forward(minutes=1)
        send(store, clock, patience=60, one=Apprise(box.url, 5))
        assert status(store) == [("sent", 2)]
        first, second = box.got
        key = store.deliveries()[0]["delivery_key"]
        for mail in (first, second):
            assert "Subject: [warn] tenant_spend_spike: acme opened" in mail
            assert f"key: {key}" in mail


def test_a_mail_server_that_says_nothing_costs_its_time_limit_and_loses_nothing(
    store: IncidentStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    raise_alert(store, clock)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mailto://user:hunter2@127.0.0.1:{silent.getsockname()[1]}/?from=a@b.test&to=c@d.test&mode=insecure"
        send(store, clock, patience=60, one=Apprise(url, 0.3))
    assert status(store) == [("failed", 1)]
    assert "hunter2" not in caplog.text + str(store.deliveries())


def test_an_address_is_in_no_error(receiver: Webhook) -> None:
    receiver.answers.append(500)
    with pytest.raises(DeliveryError) as refused:
        SignedWebhook(receiver.url + "/T0KEN", SECRET, 5).send("k", Message("t", "warn", (), {}, {}))
    with pytest.raises(DeliveryError) as unknown:
        Apprise("nosuch://T0KEN@host", 5).send("k", Message("t", "warn", (), {}, {}))
    assert "T0KEN" not in str(refused.value) + str(unknown.value)


def test_what_people_do_survives_and_is_published_as_it_happened(
    settings: Settings, store: IncidentStore, clock: Clock
) -> None:
    raise_alert(store, clock)
    (incident,) = store.incidents()
    clock.forward(hours=1)
    store.acknowledge(incident.incident_id[:6], clock(), "on it")
    store.snooze(incident.incident_id, clock() + timedelta(hours=2), clock(), None)
    table = pq.read_table(events_file(settings))
    assert table.schema.equals(EVENT_SCHEMA)
    rows = table.to_pylist()
    assert [(row["event_kind"], row["state"], row["note"]) for row in rows] == [
        ("opened", "open", None),
        ("acknowledged", "acknowledged", "on it"),
        ("snoozed", "snoozed", None),
    ]
    assert (rows[0]["observed"], rows[0]["opened_date"], rows[0]["event_date"]) == (412.1, TODAY, TODAY)
    (again,) = IncidentStore(settings).incidents()
    assert again.snoozed_until == clock() + timedelta(hours=2)
    with sqlite3.connect(database_path(settings)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)


def test_a_check_is_told_when_it_begins_to_fail_and_when_it_passes_again(store: IncidentStore, clock: Clock) -> None:
    def letter(name: str) -> Letter:
        return Letter(name, name, "one", clock(), Message(name, "warn", (), {}, {}).as_json())

    # While there is nobody to tell, nothing counts as told.
    store.change_check("marts/alerts:key", is_failing=True, letter=None)
    assert store.change_check("marts/alerts:key", is_failing=False, letter=letter("never")) is False
    ends = [False, True, True, False, False, True]
    for number, is_failing in enumerate(ends):
        store.change_check("marts/alerts:key", is_failing=is_failing, letter=letter(f"run {number}"))
    assert [row["delivery_key"] for row in store.deliveries()] == ["run 1", "run 3", "run 5"]
