"""Figures fitted from public traces, and the assumptions that turn them into this company's traffic.

Belongs here: numbers with their origin. Does not belong here: trace data (none is shipped) and drawing.

Origins, read 2026-11. Only times and token counts were read; they hold no prompts, identities or prices:

* Azure LLM inference trace 2023 (Azure/AzurePublicDataset, CC-BY 4.0; Patel et al., "Splitwise: Efficient
  Generative LLM Inference Using Phase Splitting", ISCA 2024).
* Mooncake conversation trace (kvcache-ai/Mooncake, FAST'25, Apache-2.0; Qin et al., "Mooncake", FAST 2025).
* RAGPulse (flashserve/RAGPulse, MIT): one week of a campus question-answering service with retrieval.
* ServeGen (alibaba/ServeGen, Apache-2.0): two weeks of one client of a language model service.

A fit is the mean and standard deviation of the natural logarithm over all positive lengths of the trace. The
traces know no cost, customer or model: whatever follows under "assumed" is ours.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LogNormal:
    """A log-normal length in tokens: `mu` and `sigma` of ln(length)."""

    mu: float
    sigma: float


AZURE_CODE_INPUT = LogNormal(6.999, 1.360)
AZURE_CODE_OUTPUT = LogNormal(2.788, 0.847)
AZURE_CONVERSATION_INPUT = LogNormal(6.633, 0.985)
AZURE_CONVERSATION_OUTPUT = LogNormal(5.019, 0.859)
MOONCAKE_CONVERSATION_INPUT = LogNormal(8.737, 1.199)
MOONCAKE_CONVERSATION_OUTPUT = LogNormal(5.336, 1.358)
RAGPULSE_INPUT = LogNormal(7.908, 0.434)
RAGPULSE_OUTPUT = LogNormal(5.387, 0.776)
RAGPULSE_QUESTION = LogNormal(1.835, 0.592)

RAGPULSE_HOURS = (
    1.29, 1.43, 1.62, 1.64, 1.51, 1.28, 1.47, 1.56, 1.27, 1.26, 1.34, 1.10,
    1.08, 0.36, 0.22, 0.08, 0.07, 0.07, 0.12, 0.36, 0.78, 1.05, 1.50, 1.53,
)  # fmt: skip
"""Requests in each hour of the trace, relative to the mean hour. The trace starts late in the morning."""

RAGPULSE_HOUR_ZERO_IS_LOCAL = 11
"""Puts the trace's deepest hours (16 and 17) at three and four at night."""

RAGPULSE_TURNS_PER_SESSION = 1.781
"""Mean; 59 % of sessions have one turn, 24 % two."""

SERVEGEN_DAY_SIGMA = 0.22
"""Standard deviation of ln(a client's day) around the same weekday: chunk 19, the second week against the first."""

RAGPULSE_HOUR_SIGMA = 0.25
"""The same of an hour around its share of the day, beyond what independent arrivals would show."""

MOONCAKE_PREFIX_HIT_SHARE = 0.374
"""Share of input tokens that an unbounded prefix cache would have served in the conversation trace."""

# Assumed: a business-to-business week, Monday first; the mean over a week is 1.
WEEKDAY_FACTORS = (1.12, 1.18, 1.16, 1.13, 1.03, 0.70, 0.68)
# Assumed: growth of the whole company over the period.
GROWTH_PER_DAY = 0.0015


def hour_weights() -> tuple[float, ...]:
    """Return the share of a day's requests that falls into each local hour; sums to 1."""
    local = [0.0] * 24
    for hour, weight in enumerate(RAGPULSE_HOURS):
        local[(hour + RAGPULSE_HOUR_ZERO_IS_LOCAL) % 24] = weight
    total = sum(local)
    return tuple(weight / total for weight in local)
