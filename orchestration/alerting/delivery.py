"""Sending what is due: at least once, a channel by itself, with the key of the first attempt.

Belongs here: transports, time limits, back-off. Does not belong here: what is said (`messages`), when (`routing`), and
what is kept (`store`).

A crash between sending and remembering sends again, with the same key; so does a time-out after which the receiver has
it all the same. Receivers that know keys drop the second; people see it twice rather than never.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from orchestration.alerting.messages import Message, digest
from orchestration.alerting.routing import Channel, read_channels
from orchestration.alerting.store import Delivery, IncidentStore
from orchestration.settings import Settings

KEY_HEADER = "Idempotency-Key"
SIGNATURE_HEADER = "X-Trueup-Signature"

_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)

_log = logging.getLogger("trueup.alerts")


class DeliveryError(Exception):
    """A message did not arrive, or nobody knows; it is tried again."""


class Transport(Protocol):
    """A way to one address."""

    def send(self, key: str, message: Message) -> None:
        """Send, within the time limit.

        Raises:
            DeliveryError: When it did not arrive for certain. The text has no address in it: addresses hold secrets.
        """
        ...


@dataclass(frozen=True)
class SignedWebhook:
    """A POST of JSON to an address of one's own.

    `X-Trueup-Signature: t=<unix seconds>,v1=<hex>` is HMAC-SHA256 over `<unix seconds>.<body>`: whoever has the key
    knows who sent it and that it is not an old one.
    """

    url: str
    secret: str
    seconds: float

    def send(self, key: str, message: Message) -> None:
        """Send; any answer but 2xx is a failure."""
        import requests  # noqa: PLC0415 - 0.15 s of each start, and only for those who send

        content = {"idempotency_key": key, "title": message.title, "severity": message.severity}
        body = json.dumps({**content, "text": message.body, "links": message.links, **message.facts}).encode()
        headers = {"Content-Type": "application/json", KEY_HEADER: key}
        if self.secret:
            headers[SIGNATURE_HEADER] = signature(self.secret, body, datetime.now(UTC))
        try:
            answer = requests.post(self.url, body, headers=headers, timeout=self.seconds, allow_redirects=False)
        except requests.RequestException as error:
            raise DeliveryError(type(error).__name__) from None
        if not 200 <= answer.status_code < 300:
            raise DeliveryError(f"HTTP {answer.status_code}")


@dataclass(frozen=True)
class Apprise:
    """Whatever apprise speaks: Slack, Teams, PagerDuty, Opsgenie, Discord, mail, and a hundred more."""

    url: str
    seconds: float

    def send(self, key: str, message: Message) -> None:
        """Send; apprise says yes or no and keeps the reason in its own log."""
        import apprise  # noqa: PLC0415 - half a second, and only for those who send

        kind = apprise.NotifyType.FAILURE if message.severity == "error" else apprise.NotifyType.WARNING
        courier = apprise.Apprise()
        if not courier.add(_with_time_limits(self.url, self.seconds)):
            raise DeliveryError("apprise does not know this kind of URL")
        told = f"{message.body}\nkey: {key}"
        if not courier.notify(told, message.title, kind, body_format=apprise.NotifyFormat.TEXT):
            raise DeliveryError("apprise could not deliver")


def signature(secret: str, body: bytes, now: datetime) -> str:
    """Return the value of the signature header."""
    seconds = str(int(now.timestamp()))
    digest_ = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest_}"


def transport_of(channel: Channel, secret: Callable[[str], str | None], seconds: float) -> Transport | None:
    """Return the way to a channel; None when its variable is not set.

    Args:
        channel: The channel.
        secret: `Settings.secret`.
        seconds: How long a connection, and an answer, may take.
    """
    url = secret(channel.url_env)
    if url is None:
        return None
    if url.startswith(("https://", "http://")):
        key = secret(channel.secret_env) if channel.secret_env else None
        return SignedWebhook(url, key or "", seconds)
    return Apprise(url, seconds)


def wait(attempts: int) -> timedelta:
    """Return how long to wait after so many failed attempts: half a minute, doubled each time, at most an hour."""
    return min(_FIRST_WAIT * 2 ** min(attempts - 1, 20), _LONGEST_WAIT)


def deliver_due(settings: Settings, *, seconds: float = 10.0) -> list[str]:
    """Send what is due in an installation; return the channels that something waits for and that have no address.

    Args:
        settings: The installation.
        seconds: How long a connection, and an answer, may take.
    """
    store = IncidentStore(settings)
    ways = {
        name: transport_of(channel, settings.secret, seconds)
        for name, channel in read_channels(settings.pricing).items()
    }
    transports = {name: way for name, way in ways.items() if way is not None}
    lease = timedelta(seconds=10 * seconds)
    deliver(store, transports, utc_now, lease=lease, patience_seconds=2 * seconds)
    return [name for name in store.due_channels(utc_now()) if name not in transports]


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def deliver(
    store: IncidentStore,
    transports: Mapping[str, Transport],
    clock: Callable[[], datetime],
    *,
    lease: timedelta,
    patience_seconds: float,
) -> None:
    """Send all that is due, each channel in a thread of its own; a channel that fails ends its turn.

    What a thread still holds when patience ends is left to it and its lease, so that no channel holds up the caller.

    Args:
        store: The outbox.
        transports: By channel; what is due for others waits.
        clock: UTC.
        lease: How long a thread that died blocks its delivery; longer than any send takes.
        patience_seconds: How long to wait for all channels together.
    """
    due = [channel for channel in store.due_channels(clock()) if channel in transports]
    threads = [
        threading.Thread(target=_send_all, args=(store, channel, transports[channel], clock, lease), daemon=True)
        for channel in due
    ]
    for thread in threads:
        thread.start()
    deadline = monotonic() + patience_seconds
    for thread in threads:
        thread.join(max(0.0, deadline - monotonic()))


def _send_all(
    store: IncidentStore,
    channel: str,
    transport: Transport,
    clock: Callable[[], datetime],
    lease: timedelta,
) -> None:
    while (delivery := store.claim(channel, clock(), lease)) is not None:
        if not _send(store, delivery, transport, clock):
            return


def _send(store: IncidentStore, delivery: Delivery, transport: Transport, clock: Callable[[], datetime]) -> bool:
    try:
        transport.send(delivery.key, digest([Message.from_json(content) for content in delivery.contents]))
    except Exception as error:
        # A plug-in of apprise may raise anything, and nothing may be lost for it.
        reason = str(error) if isinstance(error, DeliveryError) else type(error).__name__
        store.retry(delivery.key, clock() + wait(delivery.attempts), reason)
        _log.warning("%s did not get %s: %s", delivery.channel, delivery.key, reason)
        return False
    store.sent(delivery.key, clock())
    return True


def _with_time_limits(url: str, seconds: float) -> str:
    """Return an apprise URL with its two time limits, where it does not say its own."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    limits = {"cto": str(seconds), "rto": str(seconds)} | asked
    return urlunsplit(parts._replace(query=urlencode(limits)))
