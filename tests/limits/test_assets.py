"""What comes after a publication depends on what is named: a store for the counters, an endpoint for metrics."""

from __future__ import annotations

import pytest

from orchestration.defs.limits import limits
from orchestration.defs.metrics import metrics


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (None, "", {"limits/limits"}),
        ("TRUEUP_LEDGER_URL", "redis://127.0.0.1:1", {"limits/limits", "limits/counters"}),
        ("TRUEUP_OTLP_ENDPOINT", "http://127.0.0.1:1", {"limits/limits", "metrics/daily_figures"}),
    ],
)
def test_an_asset_that_nobody_asked_for_does_not_exist(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, value: str, expected: set[str]
) -> None:
    for name in ("TRUEUP_LEDGER_URL", "TRUEUP_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, value)
    keys = [
        key.to_user_string()
        for defs in (limits(), metrics())
        for key in defs.resolve_asset_graph().materializable_asset_keys
    ]
    assert sorted(keys) == sorted(expected)
