"""Laws of the decomposition: nothing is left over, no order, no invented cause, finite whatever comes or goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import product
from random import Random

import pytest
from change_lab import CLASSES, Cell, Comparison, Side, decompose, effects, moved_links, total_effects
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

UNIT = Decimal("1e-12")
COMPARISONS_AN_EXAMPLE = 30
TENANTS = ("acme", "globex", "unattributed")

rngs = st.integers(0, 2**32 - 1).map(Random)
# A drawn number is a whole company: shrinking it finds nothing smaller.
a_few = settings(max_examples=2, deadline=None, phases=[Phase.generate])


def random_cell(rng: Random, key: tuple[str, str, str, str], *, is_busy: bool) -> Cell:
    """Draw a cell; a busy one has some of everything, and nothing for free."""

    def some(most: int) -> int:
        return rng.randint(1, rng.choice([5, most])) if is_busy or rng.random() < 0.8 else 0

    def price() -> Decimal:
        return rng.randint(1 if is_busy else 0, rng.choice([3, 300_000])) * Decimal("1e-9")

    tokens = {name: some(2_000_000) for name in CLASSES[:4]}
    return Cell(
        *key,
        attempts=some(5000),
        own_answers=some(50),
        tokens=tokens,
        costs={name: count * price() for name, count in tokens.items()} | {"fee": some(1000) * price()},
        terms=Decimal(1) if is_busy else rng.choice([Decimal(1), Decimal("0.9")]),
        true_up=Decimal(1) if is_busy else Decimal(rng.choice(["1", "0.92", "0", "1.3", "-0.5"])),
    )


def random_side(rng: Random, *, is_busy: bool = False) -> Side:
    keys = list(product(TENANTS, ("draft", "search"), ("small", "large"), ("standard", "batch")))
    drawn = [random_cell(rng, key, is_busy=is_busy) for key in rng.sample(keys, rng.randint(int(is_busy), 6))]
    asked = dict.fromkeys((cell.tenant_id, cell.feature) for cell in drawn)
    return Side(tuple(drawn), {key: rng.randint(int(is_busy), 5000) for key in asked})


def random_comparisons(rng: Random) -> list[Comparison]:
    return [(random_side(rng), random_side(rng)) for _ in range(COMPARISONS_AN_EXAMPLE)]


def busy_sides(rng: Random) -> list[Side]:
    return [random_side(rng, is_busy=True) for _ in range(COMPARISONS_AN_EXAMPLE)]


@given(rngs)
@a_few
def test_effects_sum_to_the_change_and_costs_to_the_cube_to_the_last_digit(rng: Random) -> None:
    drawn = random_comparisons(rng)
    for (before, after), leaves in zip(drawn, decompose(drawn), strict=True):
        for leaf in leaves:
            assert leaf["change_usd"] == leaf["current_cost_usd"] - leaf["baseline_cost_usd"]
            assert sum(effects(leaf).values()) == leaf["change_usd"]
        for side, column in ((before, "baseline_cost_usd"), (after, "current_cost_usd")):
            known = sum((cell.effective_cost_usd for cell in side.cells), Decimal(0))
            assert sum((leaf[column] for leaf in leaves), Decimal(0)) == known


@given(rngs)
@a_few
def test_swapping_the_periods_negates_every_effect(rng: Random) -> None:
    drawn = random_comparisons(rng)
    forth, back = decompose(drawn), decompose([(after, before) for before, after in drawn])
    assert [[effects(leaf) for leaf in leaves] for leaves in forth] == [
        [{name: -value for name, value in effects(leaf).items()} for leaf in leaves] for leaves in back
    ]


@given(rngs)
@a_few
def test_a_tenants_own_decomposition_is_its_part_of_the_whole(rng: Random) -> None:
    """Only its volume is told apart in the whole: as everybody's volume and its share."""
    drawn = [(side, remade(rng, side)) for side in busy_sides(rng)]
    wholes = decompose(drawn)
    parts = decompose([(before.of(tenant), after.of(tenant)) for before, after in drawn for tenant in TENANTS])
    for number, whole in enumerate(wholes):
        for place, tenant in enumerate(TENANTS):
            part = total_effects(parts[number * len(TENANTS) + place])
            own = total_effects(leaf for leaf in whole if leaf["tenant_id"] == tenant)
            own["operations_volume"] = own.get("operations_volume", Decimal(0)) + own.pop("tenant_mix", Decimal(0))
            for name in {*part, *own}:
                assert abs(part.get(name, 0) - own.get(name, 0)) <= 100 * UNIT, name


def remade(rng: Random, side: Side) -> Side:
    """The same cells, with other figures."""
    return Side(
        tuple(random_cell(rng, cell.key, is_busy=True) for cell in side.cells),
        {key: rng.randint(1, 5000) for key in side.operations},
    )


def every(cell_change: Callable[[Cell], Cell], operations: int = 1) -> Callable[[Side], Side]:
    def change(side: Side) -> Side:
        return replace(
            side,
            cells=tuple(cell_change(cell) for cell in side.cells),
            operations={key: count * operations for key, count in side.operations.items()},
        )

    return change


ONE_LINK_MOVED = {
    "nothing": (every(lambda cell: cell), set()),
    "operations": (
        every(lambda cell: cell.times(3, "attempts", "own_answers", "tokens", "costs"), operations=3),
        {"operations_volume"},
    ),
    "retries": (
        every(lambda cell: cell.times(3, "attempts", "own_answers", "tokens", "costs")),
        {"attempts_per_operation"},
    ),
    "tokens": (
        every(lambda cell: cell.times(7, "tokens", "costs")),
        {"input_tokens_per_attempt", "output_tokens_per_attempt", "fees"},
    ),
    "list price": (every(lambda cell: cell.times(3, "costs")), {"list_price", "fees"}),
    "terms": (every(lambda cell: replace(cell, terms=Decimal("0.9"))), {"negotiated_terms"}),
    "bill": (every(lambda cell: replace(cell, true_up=Decimal("0.92"))), {"true_up"}),
}


@given(rngs)
@a_few
def test_a_link_that_did_not_move_has_exactly_no_effect(rng: Random) -> None:
    cases = [(name, side) for side in busy_sides(rng)[:10] for name in ONE_LINK_MOVED]
    results = decompose([(side, ONE_LINK_MOVED[name][0](side)) for name, side in cases])
    for (name, _), leaves in zip(cases, results, strict=True):
        assert moved_links(leaves) <= ONE_LINK_MOVED[name][1], name


@given(rngs)
@a_few
def test_seven_equal_days_are_their_own_mean(rng: Random) -> None:
    week = busy_sides(rng)
    seven = [
        replace(side, cells=side.cells * 7, operations={k: 7 * n for k, n in side.operations.items()}, divisor=7)
        for side in week
    ]
    for leaves in decompose(zip(seven, week, strict=True)):
        assert moved_links(leaves) == set()
        assert all(leaf["change_usd"] == 0 for leaf in leaves)


def draft(model: str, attempts: int, usd: str, **tokens: int) -> Cell:
    """A cell of one class, input unless its tokens say otherwise."""
    (name,) = tokens
    return Cell("acme", "draft", model, attempts=attempts, tokens=tokens, costs={name: Decimal(usd)})


def test_prompts_that_double_on_traffic_that_grows_by_a_half_have_the_textbook_effects() -> None:
    """100 calls of 1,000 tokens at $10/M cost $1; 150 of 2,000 cost $3: ln 1.5 and ln 2 share $2 by ln 3."""
    ((leaf,),) = decompose(
        [
            (
                Side((draft("small", 100, "1", input=100_000),), {("acme", "draft"): 100}),
                Side((draft("small", 150, "3", input=300_000),), {("acme", "draft"): 150}),
            )
        ]
    )
    assert leaf["change_usd"] == 2
    moved = {name: float(value) for name, value in effects(leaf).items() if value}
    assert moved == pytest.approx({"operations_volume": 0.738140492857, "input_tokens_per_attempt": 1.261859507143})


def test_half_of_the_calls_on_a_model_that_costs_ten_times_as_much_is_drift_and_nothing_else() -> None:
    before = Side((draft("small", 100, "1", input=100_000),), {("acme", "draft"): 100})
    small, large = draft("small", 50, "0.5", input=50_000), draft("large", 50, "5", input=50_000)
    both = Side((draft("small", 99, "0.99", input=99_000), draft("large", 1, "0.1", input=1000)), before.operations)
    after = Side((small, large), before.operations)
    new, drifted = decompose([(before, after), (both, after)])
    assert total_effects(drifted) == {"model_mix": Decimal("4.41")}
    # A model that nobody used before stands apart; what left the old one for it is still its share.
    assert total_effects(new) == {"model_turnover": Decimal(5), "model_mix": Decimal("-0.5")}


def test_a_class_that_was_not_used_before_is_explained_by_the_class_share() -> None:
    """The cache collapses: what was read from it is read anew."""
    cached = Cell(
        "acme", "draft", "small", attempts=10,
        tokens={"input": 100, "cache_read": 900}, costs={"input": Decimal("0.1"), "cache_read": Decimal("0.09")},
    )  # fmt: skip
    plain = replace(cached, tokens={"input": 1000}, costs={"input": Decimal(1)})
    operations = {("acme", "draft"): 10}
    (leaves,) = decompose([(Side((cached,), operations), Side((plain,), operations))])
    assert total_effects(leaves) == {"cache_hit_share": Decimal("0.81")}


def test_a_bill_without_a_list_price_is_the_bills_doing() -> None:
    def unpriced(true_up: str) -> Side:
        cell = Cell("acme", "draft", "small", attempts=1, costs={"fee": Decimal(0)})
        return Side((replace(cell, true_up=Decimal(true_up)),), {("acme", "draft"): 1})

    assert decompose([(unpriced("1"), unpriced("2"))]) == [[]]
