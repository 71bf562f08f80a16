"""The fixed vocabulary of the sample company: features, kinds of call, models, projects and keys.

Belongs here: names, and which of them go together. The position in a tuple is the code that the arrays of
`operations` and `attempts` hold. Does not belong here: prices (`prices`) and anything drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from orchestration.sample_company import figures
from orchestration.sample_company.figures import LogNormal


class Feature(IntEnum):
    """What a user was doing."""

    SUPPORT_COPILOT = 0
    RAG_ANSWERS = 1
    DRAFT_WRITER = 2
    SEARCH_ASSIST = 3
    TICKET_CLASSIFIER = 4


FEATURE_NAMES = tuple(feature.name.lower() for feature in Feature)


class Model(IntEnum):
    """The models in use; the last one has no public price."""

    GPT_41 = 0
    GPT_41_MINI = 1
    GPT_5_MINI = 2
    EMBEDDING_3_SMALL = 3
    SONNET_45 = 4
    HAIKU_45 = 5
    OPUS_45 = 6
    RERANK_35 = 7
    INTERNAL_PREVIEW = 8


MODEL_IDS = (
    "gpt-4.1-2025-04-14",
    "gpt-4.1-mini-2025-04-14",
    "gpt-5-mini-2025-08-07",
    "text-embedding-3-small",
    "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5-20251001",
    "claude-opus-4-5-20251101",
    "rerank-v3.5",
    "gpt-internal-preview",
)
REQUEST_MODEL_IDS = (
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-5-mini",
    "text-embedding-3-small",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "claude-opus-4-5",
    "rerank-v3.5",
    "gpt-internal-preview",
)
BILLED_MODEL_NAMES = {
    Model.SONNET_45: "Claude Sonnet 4.5",
    Model.HAIKU_45: "Claude Haiku 4.5",
    Model.OPUS_45: "Claude Opus 4.5",
}
"""How Anthropic's cost report writes the models."""


class Provider(IntEnum):
    """Who serves. Only the first two send a bill that the warehouse can read."""

    OPENAI = 0
    ANTHROPIC = 1
    COHERE = 2
    AZURE = 3


PROVIDER_NAMES = ("openai", "anthropic", "cohere", "azure.ai.openai")
PROVIDER_OF_MODEL = (
    Provider.OPENAI,
    Provider.OPENAI,
    Provider.OPENAI,
    Provider.OPENAI,
    Provider.ANTHROPIC,
    Provider.ANTHROPIC,
    Provider.ANTHROPIC,
    Provider.COHERE,
    Provider.AZURE,
)


class Tier(IntEnum):
    """The service tier that served a call."""

    STANDARD = 0
    BATCH = 1
    FLEX = 2


TIER_NAMES = tuple(tier.name.lower() for tier in Tier)


class Outcome(IntEnum):
    """How a call ended, in the vocabulary of `llm.request`."""

    SUCCESS = 0
    TIMEOUT = 1
    RATE_LIMITED = 2
    ERROR = 3
    CANCELLED = 4


OUTCOME_NAMES = tuple(outcome.name.lower() for outcome in Outcome)


class Kind(IntEnum):
    """The kinds of call; each feature is made of one or more."""

    COPILOT_TURN = 0
    RAG_EMBED = 1
    RAG_RERANK = 2
    RAG_CHAT = 3
    RAG_INDEX = 4
    DRAFT = 5
    SEARCH = 6
    CLASSIFY = 7


@dataclass(frozen=True)
class CallProfile:
    """How calls of one kind look.

    Attributes:
        operation_name: `chat`, `embeddings` or `rerank`.
        input_fit, output_fit: The trace whose lengths they follow; None where there are no such tokens.
        input_scale, output_scale: Assumed: how many times longer than in the trace.
        input_cap, output_cap: Tokens; 185,000 stays below every long-context price tier.
        models: Model → share of the calls.
        fallback: The model that takes over after a failure, None where nothing does.
        failure_share: Share of first attempts that fail.
        cancel_share: Share of calls whose stream the user cuts off.
        response_cache_share: Share of calls that the application answers from its own cache.
    """

    operation_name: str
    input_fit: LogNormal | None
    input_scale: float
    input_cap: int
    output_fit: LogNormal | None
    output_scale: float
    output_cap: int
    models: tuple[tuple[Model, float], ...]
    fallback: Model | None
    failure_share: float
    cancel_share: float
    response_cache_share: float


CALL_PROFILES = (
    CallProfile(
        "chat",
        figures.MOONCAKE_CONVERSATION_INPUT, 14.0, 185_000,
        figures.MOONCAKE_CONVERSATION_OUTPUT, 10.0, 12_000,
        ((Model.SONNET_45, 0.31), (Model.OPUS_45, 0.47), (Model.GPT_41, 0.22)),
        Model.GPT_41, 0.014, 0.018, 0.0,
    ),
    CallProfile(
        "embeddings", figures.RAGPULSE_QUESTION, 3.0, 400, None, 0.0, 0,
        ((Model.EMBEDDING_3_SMALL, 1.0),), None, 0.006, 0.0, 0.0,
    ),
    CallProfile("rerank", None, 0.0, 0, None, 0.0, 0, ((Model.RERANK_35, 1.0),), None, 0.006, 0.0, 0.0),
    CallProfile(
        "chat",
        figures.RAGPULSE_INPUT, 16.0, 170_000,
        figures.RAGPULSE_OUTPUT, 4.0, 6_000,
        ((Model.GPT_41, 0.9), (Model.GPT_41_MINI, 0.1)),
        Model.HAIKU_45, 0.012, 0.012, 0.03,
    ),
    CallProfile(
        "embeddings", figures.AZURE_CONVERSATION_INPUT, 4.0, 60_000, None, 0.0, 0,
        ((Model.EMBEDDING_3_SMALL, 1.0),), None, 0.006, 0.0, 0.0,
    ),
    CallProfile(
        "chat",
        figures.AZURE_CONVERSATION_INPUT, 150.0, 185_000,
        figures.AZURE_CONVERSATION_OUTPUT, 75.0, 32_000,
        ((Model.HAIKU_45, 0.33), (Model.SONNET_45, 0.35), (Model.OPUS_45, 0.32)),
        Model.GPT_41, 0.013, 0.02, 0.0,
    ),
    CallProfile(
        "chat",
        figures.AZURE_CONVERSATION_INPUT, 40.0, 170_000,
        figures.AZURE_CONVERSATION_OUTPUT, 16.0, 16_000,
        ((Model.GPT_5_MINI, 1.0),), Model.GPT_41_MINI, 0.014, 0.045, 0.0,
    ),
    CallProfile(
        "chat",
        figures.AZURE_CODE_INPUT, 1.2, 32_000,
        figures.AZURE_CODE_OUTPUT, 1.5, 600,
        ((Model.GPT_41_MINI, 0.6), (Model.GPT_5_MINI, 0.4)),
        Model.HAIKU_45, 0.010, 0.0, 0.04,
    ),
)  # fmt: skip
"""By `Kind`."""

FEATURE_OF_KIND = (
    Feature.SUPPORT_COPILOT,
    Feature.RAG_ANSWERS,
    Feature.RAG_ANSWERS,
    Feature.RAG_ANSWERS,
    Feature.RAG_ANSWERS,
    Feature.DRAFT_WRITER,
    Feature.SEARCH_ASSIST,
    Feature.TICKET_CLASSIFIER,
)


class Flow(IntEnum):
    """The kinds of operation: what one user action, or one background job, sets in motion."""

    COPILOT = 0
    RAG = 1
    INDEX = 2
    DRAFT = 3
    SEARCH = 4
    CLASSIFY = 5


FEATURE_OF_FLOW = (
    Feature.SUPPORT_COPILOT,
    Feature.RAG_ANSWERS,
    Feature.RAG_ANSWERS,
    Feature.DRAFT_WRITER,
    Feature.SEARCH_ASSIST,
    Feature.TICKET_CLASSIFIER,
)
REQUEST_SHARE_OF_FLOW = (0.40, 0.17, 0.01, 0.28, 0.08, 0.06)
"""Assumed: how the attempts divide over the flows."""
CALLS_PER_OPERATION = (2.2, 3.0, 1.0, 1.3, 1.0, 1.0)
"""Mean calls of an operation: copilot 1 + geometric steps, retrieval always three, drafts one or two."""


@dataclass(frozen=True)
class BillingSlot:
    """Where a provider books a call: project (Anthropic: workspace, None is the default one) and key."""

    provider: Provider
    project_id: str | None
    api_key_id: str
    is_logged: bool = True
    """False: the application does not write project and key into its log."""


BILLING_SLOTS = (
    BillingSlot(Provider.OPENAI, "proj_support", "key_support"),
    BillingSlot(Provider.OPENAI, "proj_rag", "key_rag_online"),
    BillingSlot(Provider.OPENAI, "proj_rag", "key_rag_index"),
    BillingSlot(Provider.OPENAI, "proj_drafts", "key_drafts"),
    BillingSlot(Provider.OPENAI, "proj_search", "key_search", is_logged=False),
    BillingSlot(Provider.OPENAI, "proj_tickets", "key_gateway"),
    BillingSlot(Provider.ANTHROPIC, "wrkspc_support", "apikey_support"),
    BillingSlot(Provider.ANTHROPIC, None, "apikey_drafts"),
    BillingSlot(Provider.ANTHROPIC, "wrkspc_fallback", "apikey_fallback"),
    BillingSlot(Provider.COHERE, None, "cohere_rag", is_logged=False),
    BillingSlot(Provider.AZURE, "aoai-canary", "aoai-canary-key"),
)
UNINSTRUMENTED_SLOT = BillingSlot(Provider.OPENAI, "proj_data_science", "key_notebooks")
"""A project that pays and logs nothing."""


def billing_slot(kind: Kind, provider: Provider) -> int:
    """Return the position in `BILLING_SLOTS` of calls of this kind at this provider."""
    if provider is Provider.COHERE:
        return 9
    if provider is Provider.AZURE:
        return 10
    if provider is Provider.OPENAI:
        return (0, 1, 1, 1, 2, 3, 4, 5)[kind]
    return (6, 8, 8, 8, 8, 7, 8, 8)[kind]
