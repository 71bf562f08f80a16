"""What GenAI span attributes are called in the wild, and what their values mean.

Belongs here: names, values and the token semantics of emitters, as data. Does not belong here: OTLP, traces,
files. Adding an emitter means adding a row here.

Sources: open-telemetry/semantic-conventions v1.26 to v1.44 and semantic-conventions-genai (the `gen_ai.*`
generations), opentelemetry-semantic-conventions-ai 0.5 (OpenLLMetry), openinference-semantic-conventions 0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.connectors.otlp import Attributes, AttributeValue

TOKEN_ALIASES: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    "total_tokens": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "llm.token_count.prompt_details.cache_input",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    # No convention splits cache writes by lifetime; a site that does names its attributes in the config.
    "cache_write_5m_tokens": (),
    "cache_write_1h_tokens": (),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "input_audio_tokens": ("gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio"),
    "output_audio_tokens": ("gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio"),
}
"""Column → attribute names, best first. The first that is present wins: 0 is a value, absent is not."""

TEXT_ALIASES: Mapping[str, tuple[str, ...]] = {
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor"),
    "model": ("gen_ai.response.model", "llm.response.model_name", "llm.response.model"),
    "request_model": (
        "gen_ai.request.model",
        "llm.request.model_name",
        "llm.model_name",
        "llm.request.model",
        "embedding.model_name",
        "reranker.model_name",
    ),
    "response_id": ("gen_ai.response.id", "llm.response.id"),
    # The tier served before the tier asked for.
    "service_tier": (
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
    ),
    "error_type": ("error.type",),
    "http_status": ("http.response.status_code", "http.status_code"),
}

TIME_TO_FIRST_TOKEN_MS: Mapping[str, float] = {
    "gen_ai.response.time_to_first_chunk": 1000.0,
    "gen_ai.server.time_to_first_token": 1000.0,
    "ai.response.msToFirstChunk": 1.0,
}
"""Attribute → milliseconds per unit, best first."""

CONTEXT_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "tenant_id": (
        "app.tenant_id",
        "app.tenant.id",
        "tenant.id",
        "tenant_id",
        "traceloop.association.properties.tenant_id",
        "traceloop.association.properties.customer_id",
        "metadata.tenant_id",
        "metadata.customer_id",
        "customer.id",
    ),
    "feature": (
        "app.feature",
        "feature",
        "traceloop.association.properties.feature",
        "metadata.feature",
        "gen_ai.workflow.name",
        "traceloop.workflow.name",
        "gen_ai.agent.name",
    ),
    "user_id": (
        "user.id",
        "enduser.id",
        "gen_ai.user",
        "llm.user",
        "traceloop.association.properties.user_id",
        "metadata.user_id",
    ),
    "operation_id": ("app.operation_id", "operation_id", "traceloop.association.properties.operation_id"),
    "conversation_id": (
        "gen_ai.conversation.id",
        "session.id",
        "traceloop.association.properties.session_id",
    ),
    "prompt_name": ("gen_ai.prompt.name", "traceloop.prompt.key"),
    "prompt_version": ("gen_ai.prompt.version", "llm.prompt_template.version", "traceloop.prompt.version"),
    "release": (
        "app.release",
        "release",
        "traceloop.association.properties.release",
        "metadata.release",
        "service.version",
    ),
    "environment": (
        "deployment.environment.name",
        "deployment.environment",
        "app.environment",
        "environment",
    ),
}
"""What an application says about a call, on its span or on an ancestor. Defaults; a source may replace each.

`metadata.<key>` also reads the key from OpenInference's `metadata` attribute, which is JSON text.
"""

JSON_ATTRIBUTE = "metadata"

_PROVIDERS: Mapping[str, str | None] = {
    "az.ai.openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure_ai": "azure.ai.inference",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gen_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "watsonx": "ibm.watsonx.ai",
    "moonshot": "moonshot_ai",
    # Frameworks that write their own name where the provider's belongs: the provider is unknown.
    "langchain": None,
    "llamaindex": None,
    "llama_index": None,
    "crewai": None,
    "haystack": None,
    "strands-agents": None,
    "_other": None,
}

_OPERATIONS: Mapping[str, str] = {
    "chat": "chat",
    "generate_content": "generate_content",
    "text_completion": "text_completion",
    "embeddings": "embeddings",
    # OpenLLMetry's llm.request.type
    "completion": "text_completion",
    "embedding": "embeddings",
    "rerank": "rerank",
    # OpenInference's openinference.span.kind
    "llm": "chat",
    "reranker": "rerank",
}
_OPERATION_ATTRIBUTES = (
    "gen_ai.operation.name",
    "llm.request.type",
    "openinference.span.kind",
    "traceloop.span.kind",
)

_TOKEN_NAMES = frozenset(TOKEN_ALIASES["input_tokens"] + TOKEN_ALIASES["output_tokens"])
_MODEL_NAMES = frozenset(TEXT_ALIASES["model"] + TEXT_ALIASES["request_model"])

_GENERATION_MARKS: tuple[tuple[str, str], ...] = (
    ("openinference.span.kind", "openinference"),
    ("llm.token_count.prompt", "openinference"),
    ("llm.request.type", "openllmetry"),
    ("traceloop.span.kind", "openllmetry"),
    ("llm.usage.total_tokens", "openllmetry"),
    ("gen_ai.provider.name", "otel_1_37"),
    ("gen_ai.usage.prompt_tokens", "otel_1_26"),
    ("gen_ai.usage.completion_tokens", "otel_1_26"),
    ("gen_ai.system", "otel_1_27"),
)


@dataclass(frozen=True)
class EmitterRule:
    """How one emitter counts cache tokens.

    Attributes:
        scope: `scope.name` of the instrumentation, exact.
        includes_cache: Whether its input tokens include cache reads and writes; None: it is known to vary.
        version_prefix: Start of `scope.version`; empty matches every version, a missing one included.
        provider: Only for this provider; None is every provider.
    """

    scope: str
    includes_cache: bool | None
    version_prefix: str = ""
    provider: str | None = None

    def matches(self, scope: str | None, version: str | None, provider: str | None) -> bool:
        """Tell whether the rule speaks about spans of this scope, version and provider."""
        return (
            scope == self.scope
            and (version or "").startswith(self.version_prefix)
            and self.provider in (None, provider)
        )


EMITTER_RULES: tuple[EmitterRule, ...] = (
    # The convention: "This value MUST include cached tokens" (semantic-conventions#3163). The instrumentations
    # that share this handler follow it: Anthropic's sums all three counts (opentelemetry-python-genai).
    EmitterRule("opentelemetry.util.genai.handler", includes_cache=True),
    EmitterRule("opentelemetry.instrumentation.openai_v2", includes_cache=True),
    # Adds cache reads and writes to Anthropic's input since it emits cache tokens at all (openllmetry#2175).
    EmitterRule("opentelemetry.instrumentation.anthropic", includes_cache=True),
    # Adds them (openinference#1429) since before it emitted them as details (openinference#1465).
    EmitterRule("openinference.instrumentation.anthropic", includes_cache=True),
    EmitterRule("openinference.instrumentation.bedrock", includes_cache=True),
    # genai-prices sums them into input_tokens (pydantic-ai#4364).
    EmitterRule("pydantic-ai", includes_cache=True),
    # Sends cache misses only, for OpenAI too, until the release that carries its fix
    # (thoughtbot/opentelemetry-instrumentation-ruby_llm#38).
    EmitterRule("OpenTelemetry::Instrumentation::RubyLLM", includes_cache=None),
)

# Their own usage objects count cached input as input, so an emitter that copies them and one that follows the
# convention send the same number.
_INCLUSIVE_PROVIDERS = frozenset({"openai", "azure.ai.openai", "gcp.gemini"})
# These also serve Anthropic's models, whose usage excludes cache.
_INCLUSIVE_UNLESS_CLAUDE = frozenset({"gcp.vertex_ai", "gcp.gen_ai"})


def provider_name(value: AttributeValue | None) -> str | None:
    """Return the `gen_ai.provider.name` value for what an emitter wrote; unknown names pass in lower case."""
    if not isinstance(value, str):
        return None
    name = value.strip().lower()
    return _PROVIDERS.get(name, name) or None


def inference_operation(attributes: Attributes) -> str | None:
    """Return the operation of a span that is one call to a model; None for every other span.

    The first operation attribute present decides: `invoke_agent` is not an inference even if usage is on it.
    A span without any is one when it names a model and carries tokens (Vercel AI SDK's `doGenerate`).
    """
    for name in _OPERATION_ATTRIBUTES:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return _OPERATIONS.get(value.lower())
    if _TOKEN_NAMES.isdisjoint(attributes) or _MODEL_NAMES.isdisjoint(attributes):
        return None
    return "chat"


def semconv_generation(attributes: Attributes) -> str:
    """Name the vocabulary of a span: the first OTel version that has it, `openllmetry` or `openinference`."""
    for mark, generation in _GENERATION_MARKS:
        if mark in attributes:
            return generation
    return "unknown"


def input_includes_cache(
    *,
    input_tokens: int | None,
    cache_tokens: int,
    provider: str | None,
    model: str | None,
    scope: str | None,
    version: str | None,
    rules: tuple[EmitterRule, ...],
) -> bool | None:
    """Tell whether `input_tokens` already holds the cache tokens; None when it cannot be known.

    Args:
        input_tokens: As sent; None is unknown.
        cache_tokens: Cache reads plus writes as sent; 0 when none was sent.
        provider: Normalised provider name.
        model: The model that answered.
        scope: `scope.name`.
        version: `scope.version`.
        rules: Looked at in order, first match decides.
    """
    if input_tokens is None:
        return None
    if cache_tokens > input_tokens or cache_tokens == 0:
        # More cache than input: surely excluded. No cache: both readings give the same uncached input.
        return cache_tokens == 0
    for rule in rules:
        if rule.matches(scope, version, provider):
            return rule.includes_cache
    serves_claude = "claude" in (model or "").lower()
    inclusive = provider in _INCLUSIVE_PROVIDERS or (provider in _INCLUSIVE_UNLESS_CLAUDE and not serves_claude)
    return True if inclusive else None


SPAN_ATTRIBUTES: frozenset[str] = frozenset(
    [name for names in (*TOKEN_ALIASES.values(), *TEXT_ALIASES.values()) for name in names]
    + list(TIME_TO_FIRST_TOKEN_MS)
    + list(_OPERATION_ATTRIBUTES)
    + [mark for mark, _ in _GENERATION_MARKS]
)
"""Every attribute that a row is made of, apart from the context attributes of a source."""
