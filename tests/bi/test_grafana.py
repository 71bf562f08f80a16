"""The Grafana dashboard can be drawn: valid PromQL over metrics that are exported, panels that do not overlap."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest

DASHBOARD = json.loads((Path(__file__).resolve().parents[2] / "bi" / "grafana" / "llm_unit_economics.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
TARGETS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel.get("targets", [])]

EXPORTED = {
    # OpenTelemetry's conventions, as Prometheus names them: unit and kind at the end.
    "gen_ai.client.operation.duration": {
        "gen_ai_client_operation_duration_seconds_bucket",
        "gen_ai_client_operation_duration_seconds_count",
    },
    "gen_ai.client.token.usage": {"gen_ai_client_token_usage_bucket"},
    "llm.tokens": {"llm_tokens_total"},
    # USD is no unit that Prometheus knows: translators differ in whether they append it.
    "llm.cost_usd": {"llm_cost_usd_total", "llm_cost_usd_USD_total"},
    "llm.calls.unpriced": {"llm_calls_unpriced_total"},
    # docs/observability.md
    "trueup.day.end": {"trueup_day_end", "trueup_day_end_seconds"},
    "trueup.day.cost": {"trueup_day_cost", "trueup_day_cost_USD"},
    "trueup.day.unattributed": {"trueup_day_unattributed", "trueup_day_unattributed_USD"},
    "trueup.day.waste": {"trueup_day_waste", "trueup_day_waste_USD"},
    "trueup.day.alerts": {"trueup_day_alerts"},
    "trueup.day.attempts": {"trueup_day_attempts"},
    "trueup.day.attempts.retried": {"trueup_day_attempts_retried"},
    "trueup.day.attempts.failed": {"trueup_day_attempts_failed"},
    "trueup.day.outcomes.accepted": {"trueup_day_outcomes_accepted"},
}
NAMES = set().union(*EXPORTED.values())


def filled(expression: str) -> str:
    """The expression as Grafana sends it, every variable at All."""
    values = {"$__rate_interval": "5m", "$feature": ".*", "$model": ".*"}
    for variable, value in values.items():
        expression = expression.replace(variable, value)
    return expression


def selectors(node: Any) -> list[Any]:
    """Every vector selector of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        return [node]
    names = ("expr", "lhs", "rhs", "args", "vector_selector")
    parts = [getattr(node, name) for name in names if getattr(node, name, None) is not None]
    children = itertools.chain.from_iterable(part if isinstance(part, list) else [part] for part in parts)
    return [found for child in children for found in selectors(child)]


@pytest.mark.parametrize(("title", "expression"), TARGETS, ids=[title for title, _ in TARGETS])
def test_an_expression_is_promql_over_metrics_that_are_exported(title: str, expression: str) -> None:
    found = selectors(promql_parser.parse(filled(expression)))
    assert found
    assert {selector.name for selector in found if selector.name is not None} <= NAMES
    patterns = re.findall(r'__name__=~"([^"]+)"', expression)
    assert len(patterns) == sum(selector.name is None for selector in found)
    assert all(any(re.fullmatch(pattern, name) for name in NAMES) for pattern in patterns)


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert max(x for x, _ in cells) < 24
    assert len(set(cells)) == len(cells)


def test_every_panel_asks_the_chosen_source_and_every_variable_is_declared() -> None:
    declared = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(?!__)(\w+)", json.dumps(PANELS)))
    assert used == {"datasource", "feature", "model"} == declared
    assert {panel["datasource"]["uid"] for panel in PANELS if panel["type"] != "row"} == {"${datasource}"}
