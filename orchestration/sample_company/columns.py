"""The columns that several observers of one attempt write alike: ids, tenants, moments.

Belongs here: what must agree between the request log, the spans, the gateway and the outcome log. Does not belong
here: any of their formats.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

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
from orchestration.sample_company.ids import U64, hex_ids, join, mix, pick
from orchestration.sample_company.operations import Operations

Rows = npt.NDArray[Any]
_IS_CHAT = np.array([profile.operation_name == "chat" for profile in CALL_PROFILES])


def operation_ids(uid: U64) -> pa.Array:
    """Return the application's ids of operations."""
    return hex_ids("op_", uid)


def request_ids(uid: U64) -> pa.Array:
    """Return the application's ids of attempts."""
    return hex_ids("req_", uid)


def trace_ids(operation_uid: U64) -> pa.Array:
    """Return W3C trace ids: one trace an operation."""
    return hex_ids("", mix(operation_uid, 11), mix(operation_uid, 12))


def span_ids(uid: U64) -> pa.Array:
    """Return the ids of the attempts' own spans."""
    return hex_ids("", mix(uid, 13))


def parent_span_ids(operation_uid: U64) -> pa.Array:
    """Return the ids of the operations' root spans."""
    return hex_ids("", mix(operation_uid, 14))


def conversation_ids(conversation: U64) -> pa.Array:
    """Return conversation ids."""
    return hex_ids("conv_", conversation)


def has_response_id(attempts: Attempts) -> npt.NDArray[np.bool_]:
    """Tell which attempts got as far as a provider's response id.

    Embeddings and reranks have none in their answers, an answer from the own cache repeats none, and a call that
    failed or timed out on the client has not seen it.
    """
    answered = np.isin(attempts.outcome, (Outcome.SUCCESS, Outcome.CANCELLED))
    late = (attempts.outcome == Outcome.TIMEOUT) & attempts.has_usage
    return _IS_CHAT[attempts.kind] & (answered | late) & ~attempts.cached_response


def response_ids(attempts: Attempts, rows: Rows) -> pa.Array:
    """Return the providers' response ids, null where none was seen.

    What passes the gateway bears the gateway's own form of id, also for Anthropic's models.
    """
    uid = attempts.uid[rows]
    words = mix(uid, 15), mix(uid, 16)
    native = (attempts.provider[rows] == Provider.ANTHROPIC) & (attempts.kind[rows] != Kind.CLASSIFY)
    ids = pc.if_else(
        pa.array(native), hex_ids("msg_01", *words, digits=22), hex_ids("chatcmpl-", *words, digits=24)
    )
    return pc.if_else(pa.array(has_response_id(attempts)[rows]), ids, pa.scalar(None, pa.string()))


def moments(ms: npt.NDArray[np.int64]) -> pa.Array:
    """Return RFC 3339 text in UTC with milliseconds."""
    text = pc.cast(pa.array(ms.astype("datetime64[ms]")), pa.string())
    text = pc.binary_replace_slice(text.cast(pa.binary()), 10, 11, b"T").cast(pa.string())
    return pc.binary_join_element_wise(text, "Z", "")


def tenant_ids(company: Company, ops: Operations, operation: Rows) -> pa.Array:
    """Return the tenants of attempts, given their operations."""
    return pick([tenant.tenant_id for tenant in company.tenants], ops.tenant[operation])


def user_ids(company: Company, ops: Operations, operation: Rows) -> pa.Array:
    """Return raw user ids; the connectors hash them before anything is stored."""
    number = pc.cast(pa.array(ops.user[operation] + 1), pa.string())
    return join("user-", number, "@", tenant_ids(company, ops, operation), ".example")


class ReleaseCalendar:
    """Which release of a feature an attempt ran on."""

    def __init__(self, releases: tuple[Release, ...]) -> None:
        self.releases = tuple(sorted(releases, key=lambda one: (one.feature, one.deployed_at)))
        first = [
            next(i for i, one in enumerate(self.releases) if one.feature is feature) for feature in Feature
        ]
        self._first = np.array(first)
        self._times = {
            feature: np.array([_epoch_ms(one.deployed_at) for one in self.releases if one.feature is feature])
            for feature in Feature
        }

    def of(self, attempts: Attempts) -> npt.NDArray[np.int64]:
        """Return positions in `releases`; every feature has a release from before the period."""
        feature = np.array(FEATURE_OF_KIND)[attempts.kind]
        result = np.zeros(len(attempts), dtype=np.int64)
        for one, times in self._times.items():
            rows = feature == one
            result[rows] = (
                self._first[one] + np.searchsorted(times, attempts.start_ms[rows], side="right") - 1
            )
        return result


def _epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
