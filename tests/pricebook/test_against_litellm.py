"""Holding the book against another function: what differs is traced to the prices that make it, and judged by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rows import price_row

from orchestration.pricebook import against_litellm
from orchestration.pricebook.against_litellm import Comparison, compare
from orchestration.pricebook.book import PriceBook
from orchestration.pricebook.litellm_function import Call
from orchestration.pricebook.litellm_source import Entry, PriceMap
from orchestration.pricebook.litellm_verdicts import Verdict, judge, read_verdicts

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPENAI = {"provider": "openai", "model": "gpt"}
BOOK = PriceBook(
    [
        price_row("3", **OPENAI),
        price_row("6", context_from_tokens=200_000, **OPENAI),
        price_row("0.3", usage_class="cache_read", **OPENAI),
        price_row("15", usage_class="output", **OPENAI),
        price_row("1.5", service_tier="batch", **OPENAI),
    ]
)
THEIR_MAP = {
    ("input", "standard", 0): Decimal(3),
    ("cache_read", "standard", 0): Decimal("0.5"),
    ("output", "standard", 0): Decimal(15),
}


def their_cost(call: Call) -> float | None:
    """Cached tokens at 0.5, long requests like short ones, half of everything in a batch; and as a float."""
    if call.key == "gone":
        return None
    prices: Mapping[str, float] = {"input": 3.0, "cache_read": 0.5, "output": 15.0}
    factor = 0.5 if call.service_tier == "batch" else 1.0
    return sum(tokens * prices[name] * factor / 1e6 for name, tokens in call.usage.items())


def ask(calls: Sequence[Call], at: datetime) -> list[float | None]:
    assert at == AT
    return [their_cost(call) for call in calls]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    entries = [Entry("openai", "gpt", "", key, THEIR_MAP) for key in ("gpt", "gone")]
    unknown = Entry("openai", "never-heard-of", "", "never-heard-of", THEIR_MAP)
    return compare(BOOK, PriceMap("1", (*entries, unknown)), ask, AT, count=400, seed=1)


def test_a_difference_is_traced_to_the_price_that_makes_it(comparison: Comparison) -> None:
    found = {
        (
            difference.kind,
            difference.usage_class,
            difference.case.service_tier,
            str(difference.price.normalize()),
            str(difference.other_price.normalize()),
        )
        for difference, _ in comparison.differences
        if difference.case.service_tier in ("standard", "batch")
    }
    assert found == {
        ("sources_differ", "cache_read", "standard", "0.3", "0.5"),
        ("only_ours", "input", "standard", "6", "3"),
        ("nobodys", "cache_read", "batch", "0.3", "0.25"),
        ("nobodys", "output", "batch", "15", "7.5"),
    }


def test_every_request_is_counted_once(comparison: Comparison) -> None:
    counted = comparison.agreeing_count + comparison.unknown_to_it_count + comparison.differing_count
    assert counted == comparison.requests_count == 400
    assert min(comparison.agreeing_count, comparison.unknown_to_it_count, comparison.differing_count) > 0
    assert comparison.unknown_to_us == ["never-heard-of"]


def test_what_nobody_has_judged_and_what_is_judged_in_vain_is_told(comparison: Comparison) -> None:
    verdicts = [
        Verdict("openai", "gpt", "book", "https://example.com", "Cached tokens cost a tenth."),
        Verdict("openai", "old", "litellm", "", "It was so."),
    ]
    judged = judge(comparison, verdicts, "1", "2026-11-21")
    assert (judged.unjudged, judged.unused) == ([], verdicts[1:])
    assert "cache_read 0.3 / 0.5" in judged.page
    assert "| book | Cached tokens cost a tenth. https://example.com |" in judged.page
    (unjudged,) = judge(comparison, [], "1", "2026-11-21").unjudged
    assert unjudged.startswith("openai/gpt: ")


def test_every_verdict_says_who_and_names_what_is_not_settled_so() -> None:
    verdicts = read_verdicts()
    assert {verdict.right for verdict in verdicts} <= {"book", "litellm", "neither", "unsettled"}
    assert all(verdict.source for verdict in verdicts if verdict.right in ("book", "litellm"))
    assert all(verdict.provider in against_litellm.PROVIDERS and verdict.reason for verdict in verdicts)
