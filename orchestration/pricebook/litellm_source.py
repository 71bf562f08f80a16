"""What LiteLLM's price map (MIT) says: one undated price per key, for coverage where genai-prices is silent.

Belongs here: the map's key grammar and its provider names. Does not belong here: which of its prices the book
takes (`fallback`). The map is a file that the caller names; LiteLLM itself is never imported.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, Final, cast

from orchestration.pricebook.genai_source import default_write_classes
from orchestration.pricebook.vocabulary import KCOUNT_DECIMALS, MTOK_DECIMALS, STANDARD_TIER, unit_of

SOURCE: Final = "litellm"
MAP_NAME: Final = "model_prices_and_context_window_backup.json"

#: `litellm_provider` → the book's provider and the prefixes that the map's keys carry for it.
PROVIDERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "openai": ("openai", ("openai/",)),
    "text-completion-openai": ("openai", ()),
    "anthropic": ("anthropic", ("anthropic/",)),
    "bedrock": ("aws.bedrock", ("bedrock/",)),
    "bedrock_converse": ("aws.bedrock", ("bedrock/",)),
    "azure": ("azure.ai.openai", ("azure/",)),
    "azure_ai": ("azure.ai.inference", ("azure_ai/",)),
    "gemini": ("gcp.gemini", ("gemini/",)),
    "vertex_ai": ("gcp.vertex_ai", ("vertex_ai/",)),
    "vertex_ai-anthropic_models": ("gcp.vertex_ai", ("vertex_ai/",)),
    "vertex_ai-embedding-models": ("gcp.vertex_ai", ("vertex_ai/",)),
    "vertex_ai-language-models": ("gcp.vertex_ai", ("vertex_ai/",)),
    "vertex_ai-llama_models": ("gcp.vertex_ai", ("vertex_ai/",)),
    "vertex_ai-mistral_models": ("gcp.vertex_ai", ("vertex_ai/",)),
    "vertex_ai-deepseek_models": ("gcp.vertex_ai", ("vertex_ai/",)),
    "vertex_ai-qwen_models": ("gcp.vertex_ai", ("vertex_ai/",)),
    "vertex_ai-openai_models": ("gcp.vertex_ai", ("vertex_ai/",)),
    "vertex_ai-zai_models": ("gcp.vertex_ai", ("vertex_ai/",)),
    "mistral": ("mistral_ai", ("mistral/",)),
    "cohere": ("cohere", ("cohere/",)),
    "cohere_chat": ("cohere", ("cohere/",)),
    "deepseek": ("deepseek", ("deepseek/",)),
    "groq": ("groq", ("groq/",)),
    "xai": ("x_ai", ("xai/",)),
    "voyage": ("voyageai", ("voyage/",)),
    "together_ai": ("together", ("together_ai/",)),
    "fireworks_ai": ("fireworks", ("fireworks_ai/",)),
    "fireworks_ai-embedding-models": ("fireworks", ("fireworks_ai/",)),
    "perplexity": ("perplexity", ("perplexity/",)),
    "moonshot": ("moonshot_ai", ("moonshot/",)),
    "cerebras": ("cerebras", ("cerebras/",)),
    "databricks": ("databricks", ("databricks/",)),
    "watsonx": ("ibm.watsonx.ai", ("watsonx/",)),
    "minimax": ("minimax", ("minimax/",)),
    "ai21": ("ai21", ()),
    "jina_ai": ("jina_ai", ()),
    "sambanova": ("sambanova", ("sambanova/",)),
    "deepinfra": ("deepinfra", ("deepinfra/",)),
    "zai": ("zai", ("zai/",)),
}

#: Azure and Bedrock keys name the region in front of the model.
_REGION: Final = re.compile(r"^(eu|us|global|global-standard|[a-z]{2}(?:-gov)?-[a-z]+-\d)/(.+)$")
#: Keys that are not names of a model: provisioned throughput, image sizes, size classes, another platform's
#: names.
_NOT_A_MODEL: Final = re.compile(
    r"commitment|/\*$|^(?:hd|standard|low|medium|high|auto|max-x|\d+-x|\d+x)[/-]|\d-x-\d"
    r"|^together-ai-|^claude_platform/|^fireworks-ai-|^guardrails$|^deepseek/search$|^search$"
)

_TIERS: Final = {
    "batches": "batch",
    "flex": "flex",
    "priority": "priority",
    "ultrafast": "ultrafast",
    "balanced": "balanced",
}
_PRICE_KEY: Final = re.compile(
    r"^(?P<base>[a-z0-9_]+?)(?:_above_(?P<ctx>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority|ultrafast|balanced))?$"
)
_MTOK: Final = Decimal(1_000_000)
_KCOUNT: Final = Decimal(1_000)
#: Base of a price key → usage class and the factor that turns its price into the book's unit.
_CLASSES: Final[dict[str, tuple[str, Decimal]]] = {
    "input_cost_per_token": ("input", _MTOK),
    "output_cost_per_token": ("output", _MTOK),
    "cache_read_input_token_cost": ("cache_read", _MTOK),
    "input_cost_per_token_cache_hit": ("cache_read", _MTOK),
    "cache_creation_input_token_cost": ("cache_write", _MTOK),
    "cache_creation_input_token_cost_above_1hr": ("cache_write_1h", _MTOK),
    "cache_creation_input_token_cost_above_12hr": ("cache_write_12h", _MTOK),
    "output_cost_per_reasoning_token": ("reasoning", _MTOK),
    "citation_cost_per_token": ("citation", _MTOK),
    "input_cost_per_audio_token": ("input_audio", _MTOK),
    "output_cost_per_audio_token": ("output_audio", _MTOK),
    "cache_read_input_audio_token_cost": ("cache_read_audio", _MTOK),
    "input_cost_per_image_token": ("input_image", _MTOK),
    "output_cost_per_image_token": ("output_image", _MTOK),
    "cache_read_input_image_token_cost": ("cache_read_image", _MTOK),
    "input_cost_per_video_token": ("input_video", _MTOK),
    "output_cost_per_video_token": ("output_video", _MTOK),
    "input_cost_per_request": ("request", _KCOUNT),
    "input_cost_per_query": ("rerank_search", _KCOUNT),
    "output_cost_per_image": ("image", _KCOUNT),
    "input_cost_per_character": ("character", _KCOUNT),
    "input_cost_per_second": ("second", _KCOUNT),
    "output_cost_per_second": ("second", _KCOUNT),
    "output_cost_per_video_per_second": ("second", _KCOUNT),
    "ocr_cost_per_page": ("page", _KCOUNT),
    "annotation_cost_per_page": ("annotated_page", _KCOUNT),
    "code_interpreter_cost_per_session": ("code_execution", _KCOUNT),
}

Cell = tuple[str, str, int]  # usage class, service tier, context_from_tokens


@dataclass(frozen=True)
class Entry:
    """One entry of the map that names a model of a provider in the book.

    Attributes:
        provider: The book's provider.
        name: The model's name without the map's prefix, lower case.
        region: Region in the key; empty for any.
        key: The map's own key.
        prices: USD per million tokens or per thousand things, per cell; never 0, which the map writes for
            "unknown" as often as for "free".
        multipliers: (dimension, value) → factor on all token prices.
        url: The page that the entry names as its source.
    """

    provider: str
    name: str
    region: str
    key: str
    prices: dict[Cell, Decimal]
    multipliers: dict[tuple[str, str], Decimal] = field(default_factory=dict[tuple[str, str], Decimal])
    url: str = ""


@dataclass(frozen=True)
class PriceMap:
    """The map: its version and the entries that the book can use."""

    version: str
    entries: tuple[Entry, ...]


def read(path: Path, version: str | None = None) -> PriceMap:
    """Read the map from its JSON file, or from a LiteLLM wheel.

    Args:
        path: `model_prices_and_context_window*.json`, or a wheel that contains it.
        version: What to call it; by default the wheel's version, else the first digits of the file's SHA-256.

    Raises:
        ValueError: When the file is not a price map.
    """
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            raw = wheel.read(f"litellm/{MAP_NAME}")
        version = version or path.name.split("-")[1]
    else:
        raw = path.read_bytes()
    try:
        parsed = cast(object, json.loads(raw, parse_float=Decimal, parse_int=Decimal))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    if not isinstance(parsed, dict) or "sample_spec" not in parsed:
        raise ValueError(f"{path}: not LiteLLM's price map, which starts with an entry named sample_spec")
    entries = [
        entry
        for key, value in cast(dict[str, dict[str, Any]], parsed).items()
        if (entry := _entry(key, value)) is not None
    ]
    return PriceMap(version or f"sha256:{hashlib.sha256(raw).hexdigest()[:12]}", tuple(entries))


def _entry(key: str, value: dict[str, Any]) -> Entry | None:
    known = PROVIDERS.get(str(value.get("litellm_provider")))
    if known is None:
        return None
    provider, prefixes = known
    name = key
    for prefix in prefixes:
        name = name.removeprefix(prefix)
    region = ""
    if matched := _REGION.match(name):
        region, name = matched.groups()
    if _NOT_A_MODEL.search(name):
        return None
    name = name.lower()
    return Entry(
        provider=provider,
        name=name,
        region=region,
        key=key,
        prices=_prices(provider, name, value),
        multipliers=_multipliers(value),
        url=str(value.get("source") or ""),
    )


def _prices(provider: str, name: str, value: dict[str, Any]) -> dict[Cell, Decimal]:
    prices: dict[Cell, Decimal] = {}
    for key, amount in value.items():
        matched = _PRICE_KEY.match(key)
        if matched is None or not isinstance(amount, Decimal) or amount <= 0 or matched["base"] not in _CLASSES:
            continue
        usage_class, factor = _CLASSES[matched["base"]]
        if usage_class == "rerank_search" and value.get("mode") != "rerank":
            continue
        tier = _TIERS[matched["tier"]] if matched["tier"] else STANDARD_TIER
        context = int(matched["ctx"]) * 1000 if matched["ctx"] else 0
        classes = default_write_classes(provider, name) if usage_class == "cache_write" else (usage_class,)
        for one_class in classes:
            prices.setdefault((one_class, tier, context), _rounded(one_class, amount * factor))
    search = value.get("search_context_cost_per_query")
    if isinstance(search, dict):
        by_size = {amount for amount in cast(dict[str, object], search).values() if isinstance(amount, Decimal)}
        if len(by_size) == 1 and (amount := by_size.pop()) > 0:
            prices["web_search", STANDARD_TIER, 0] = _rounded("web_search", amount * _KCOUNT)
    return prices


def _multipliers(value: dict[str, Any]) -> dict[tuple[str, str], Decimal]:
    found: dict[tuple[str, str], Decimal] = {}
    specific = value.get("provider_specific_entry")
    if isinstance(specific, dict):
        for name, factor in cast(dict[str, object], specific).items():
            if name == "us" and isinstance(factor, Decimal):
                found["inference_geo", "us"] = factor
            elif name == "fast" and isinstance(factor, Decimal):
                found["speed", "fast"] = factor
    for region in ("eu", "us"):
        factor = value.get(f"regional_processing_uplift_multiplier_{region}")
        if isinstance(factor, Decimal):
            found["region", region] = factor
    factor = value.get("regional_endpoint_uplift_multiplier")
    if isinstance(factor, Decimal):
        found["region", "regional"] = factor
    return found


def _rounded(usage_class: str, price: Decimal) -> Decimal:
    places = MTOK_DECIMALS if unit_of(usage_class) == "token" else KCOUNT_DECIMALS
    return price.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
