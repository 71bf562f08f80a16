"""What the sample providers charge: a small price table of its own, in decimals.

Belongs here: list prices as the providers state them, the planted price cut, the volume discount. Does not
belong here: anything read from `pricing_seeds` or shared with the warehouse; this table is the other side of
the comparison.

List prices in US dollars per million tokens, captured 2026-11:
OpenAI https://developers.openai.com/api/docs/pricing, Anthropic
https://platform.claude.com/docs/en/about-claude/pricing, Cohere https://cohere.com/pricing.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.sample_company.catalog import Model, Tier


class TokenClass(IntEnum):
    """The classes that a provider bills apart; they are disjoint."""

    INPUT = 0
    CACHE_READ = 1
    CACHE_WRITE_5M = 2
    CACHE_WRITE_1H = 3
    OUTPUT = 4


def _usd(*prices: str) -> tuple[Decimal | None, ...]:
    return tuple(Decimal(price) if price else None for price in prices)


LIST_USD_PER_MTOK: Final[dict[Model, tuple[Decimal | None, ...]]] = {
    # In the order of TokenClass: input, cache read, cache write 5 min, cache write 1 h, output.
    Model.GPT_41: _usd("2.00", "0.50", "", "", "8.00"),
    Model.GPT_41_MINI: _usd("0.40", "0.10", "", "", "1.60"),
    Model.GPT_5_MINI: _usd("0.25", "0.025", "", "", "2.00"),
    Model.EMBEDDING_3_SMALL: _usd("0.02", "", "", "", ""),
    Model.SONNET_45: _usd("3.00", "0.30", "3.75", "6.00", "15.00"),
    Model.HAIKU_45: _usd("1.00", "0.10", "1.25", "2.00", "5.00"),
    Model.OPUS_45: _usd("5.00", "0.50", "6.25", "10.00", "25.00"),
}
"""A model that is missing has no public price: its cost is unknown, not zero."""

RERANK_USD_PER_KSEARCH: Final = Decimal("2.00")

CUT_MODEL: Final = Model.GPT_41
CUT_USD_PER_MTOK: Final = _usd("1.60", "0.40", "", "", "6.40")
"""The planted price cut of 20 %, in force from midnight UTC of its first day."""

TIER_FACTORS: Final = {Tier.STANDARD: Decimal(1), Tier.BATCH: Decimal("0.5"), Tier.FLEX: Decimal("0.5")}
"""Batch and flex are billed at half of the list price, input and output alike."""

ANTHROPIC_DISCOUNT: Final = Decimal("0.08")
"""Volume discount on every line of Anthropic's bill; no log and no price list knows of it."""


def list_usd_per_mtok(
    model: Model, token_class: TokenClass, tier: Tier, day: date, cut_from: date | None
) -> Decimal | None:
    """Return the list price in US dollars per million tokens on `day`; None when there is none."""
    prices = LIST_USD_PER_MTOK.get(model)
    if model is CUT_MODEL and cut_from is not None and day >= cut_from:
        prices = CUT_USD_PER_MTOK
    price = None if prices is None else prices[token_class]
    return None if price is None else price * TIER_FACTORS[tier]


PICO: Final = 10**12
RERANK_PICO_USD: Final = int(RERANK_USD_PER_KSEARCH / 1000 * PICO)


def pico_usd_per_token() -> npt.NDArray[np.int64]:
    """Return list prices as whole pico-dollars a token, by (after the cut, model, tier, class).

    Exact: every price is a multiple of 10⁻¹² dollars a token. Unknown prices are 0 here; `LIST_USD_PER_MTOK`
    says which models those are.
    """
    table = np.zeros((2, len(Model), len(Tier), len(TokenClass)), dtype=np.int64)
    epoch = date(1970, 1, 1)
    for after_cut, cut_from in ((0, None), (1, epoch)):
        for model in LIST_USD_PER_MTOK:
            for tier in Tier:
                for token_class in TokenClass:
                    price = list_usd_per_mtok(model, token_class, tier, epoch, cut_from)
                    if price is not None:
                        table[after_cut, model, tier, token_class] = int(price * PICO / 1_000_000)
    return table
