"""The columns that several observers of one attempt write alike: ids, tenants, moments.

Belongs here: what must agree between the request log, the spans, the gateway and the outcome log. Does not
belong here: any of their formats.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

import numpy as np

from orchestration.sample_company.attempts import Attempts
from orchestration.sample_company.catalog import (
    CALL_PROFILES,
    FEATURE_OF_KIND,
    Feature,
    Kind,
    Outcome,
    Provider,
)
from orchestration.sample_company.company import Company, Release
from orchestration.sample_company.ids import U64, hex_ids, mix
from orchestration.sample_company.operations import Operations
from orchestration.sample_company.text_columns import Ints, Text, digits_of, join, only_where, pick

_IS_CHAT = np.array([profile.operation_name == "chat" for profile in CALL_PROFILES])


class ResponseIdForm(IntEnum):
    """Whose form of response id an attempt has."""

    NONE = 0
    OPENAI = 1
    ANTHROPIC = 2


def operation_ids(uid: U64, before: str = "", after: str = "") -> Text:
    """Return the application's ids of operations, with text around them."""
    return hex_ids(before + "op_", uid, after=after)


def request_ids(uid: U64, before: str = "", after: str = "") -> Text:
    """Return the application's ids of attempts, with text around them."""
    return hex_ids(before + "req_", uid, after=after)


def trace_ids(operation_uid: U64, before: str = "", after: str = "") -> Text:
    """Return W3C trace ids, one trace an operation, with text around them."""
    return hex_ids(before, mix(operation_uid, 11), mix(operation_uid, 12), after=after)


def span_ids(uid: U64, before: str = "", after: str = "") -> Text:
    """Return the ids of the attempts' own spans, with text around them."""
    return hex_ids(before, mix(uid, 13), after=after)


def parent_span_ids(operation_uid: U64) -> Text:
    """Return the ids of the operations' root spans."""
    return hex_ids("", mix(operation_uid, 14))


def conversation_ids(conversation: U64, before: str = "", after: str = "") -> Text:
    """Return conversation ids, with text around them."""
    return hex_ids(before + "conv_", conversation, after=after)


def response_id_forms(attempts: Attempts) -> Ints:
    """Return each attempt's `ResponseIdForm`.

    Embeddings and reranks have no id in their answers, an answer from the own cache repeats none, and a call
    that failed or timed out on the client has not seen one. What passes the gateway bears the gateway's own
    form, also for Anthropic's models.
    """
    answered = np.isin(attempts.outcome, (Outcome.SUCCESS, Outcome.CANCELLED))
    late = (attempts.outcome == Outcome.TIMEOUT) & attempts.has_usage
    has_id = _IS_CHAT[attempts.kind] & (answered | late) & ~attempts.cached_response
    native = (attempts.provider == Provider.ANTHROPIC) & (attempts.kind != Kind.CLASSIFY)
    form = np.where(native, ResponseIdForm.ANTHROPIC, ResponseIdForm.OPENAI)
    return np.where(has_id, form, ResponseIdForm.NONE).astype(np.int64)


def response_id_field(form: ResponseIdForm, before: str, uid: U64, after: str = '"') -> Text:
    """Return response ids of one form, with text around them."""
    words = mix(uid, 15), mix(uid, 16)
    if form is ResponseIdForm.ANTHROPIC:
        return hex_ids(before + "msg_01", *words, digits=22, after=after)
    return hex_ids(before + "chatcmpl-", *words, digits=24, after=after)


def openai_response_ids(attempts: Attempts, rows: Ints) -> Text:
    """Return response ids of attempts that have OpenAI's form or none; null where there is none."""
    ids = response_id_field(ResponseIdForm.OPENAI, "", attempts.uid[rows], after="")
    has_id = response_id_forms(attempts)[rows] != ResponseIdForm.NONE
    return only_where(has_id, ids)


def tenant_ids(company: Company, ops: Operations, operation: Ints) -> Text:
    """Return the tenants of attempts, given their operations."""
    return pick([tenant.tenant_id for tenant in company.tenants], ops.tenant[operation])


def user_ids(company: Company, ops: Operations, operation: Ints) -> Text:
    """Return raw user ids; the connectors hash them before anything is stored."""
    number = digits_of(ops.user[operation] + 1)
    return join("user-", number, "@", tenant_ids(company, ops, operation), ".example")


class ReleaseCalendar:
    """Which release of a feature an attempt ran on."""

    def __init__(self, releases: tuple[Release, ...]) -> None:
        self.releases = tuple(sorted(releases, key=lambda one: (one.feature, one.deployed_at)))
        first = [next(i for i, one in enumerate(self.releases) if one.feature is feature) for feature in Feature]
        self._first = np.array(first)
        self._times = {
            feature: np.array([_epoch_ms(one.deployed_at) for one in self.releases if one.feature is feature])
            for feature in Feature
        }

    def of(self, attempts: Attempts) -> Ints:
        """Return positions in `releases`; every feature has a release from before the period."""
        feature = np.array(FEATURE_OF_KIND)[attempts.kind]
        result = np.zeros(len(attempts), dtype=np.int64)
        for one, times in self._times.items():
            rows = feature == one
            result[rows] = self._first[one] + np.searchsorted(times, attempts.start_ms[rows], side="right") - 1
        return result


def _epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
