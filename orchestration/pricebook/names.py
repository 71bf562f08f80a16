"""Every exact name under which a model is logged or billed, and the model that it names.

Belongs here: turning genai-prices' match clauses, which are a program, into a list of strings that a join can
use. Does not belong here: resolving a name at query time; that is a look-up in the list and nothing else,
because `gpt-4.1` is not `gpt-4`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from genai_prices import types
from genai_prices.data import providers

from orchestration.pricebook import genai_source
from orchestration.pricebook.book import AliasRow
from orchestration.pricebook.documented_names import DOCUMENTED_NAMES

#: How gateways and resource names write the provider in front of the model.
PREFIXES: Final[dict[str, tuple[str, ...]]] = {
    "openai": ("openai/",),
    "anthropic": ("anthropic/",),
    "aws.bedrock": ("bedrock/", "bedrock/converse/"),
    "azure.ai.openai": ("azure/",),
    "azure.ai.inference": ("azure_ai/",),
    "gcp.gemini": ("gemini/", "models/"),
    "gcp.vertex_ai": ("vertex_ai/",),
    "mistral_ai": ("mistral/",),
    "cohere": ("cohere/",),
    "deepseek": ("deepseek/",),
    "groq": ("groq/",),
    "x_ai": ("xai/",),
    "voyageai": ("voyage/",),
    "together": ("together_ai/",),
    "fireworks": ("fireworks_ai/", "accounts/fireworks/models/"),
    "perplexity": ("perplexity/",),
    "moonshot_ai": ("moonshot/",),
    "cerebras": ("cerebras/",),
    "openrouter": ("openrouter/",),
}

#: Vertex AI names the publisher as well, by the beginning of the model's name.
PUBLISHERS: Final[dict[str, str]] = {
    "gemini": "publishers/google/models/",
    "text-embedding": "publishers/google/models/",
    "claude": "publishers/anthropic/models/",
}

#: What may follow the name that a clause spells out without naming another model: a release of the same
#: weights' packaging. A date is not in it: a dated snapshot can have a price of its own.
_RELEASE: Final = re.compile(r"^(?:-v\d+(?::\d+)?|:\d+|-latest|@latest|@default)$")
_BEDROCK_RELEASES: Final = ("-v1:0", "-v1")
_HAS_RELEASE: Final = re.compile(r"(?:-v\d+(?::\d+)?|:\d+)$")
#: A clause that ends so spells out the beginning of a family, not a name.
_UNFINISHED: Final = ("-", "@", ":", ".", "/")

Certainty = Literal["named", "matched"]


@dataclass(frozen=True)
class Resolution:
    """The model that genai-prices takes a name for.

    Attributes:
        model: Canonical model id, lower case.
        certainty: "named" when the package spells the name out, up to its release; "matched" when only a
            prefix, a substring or a pattern of it fits, which is a guess until prices confirm it.
    """

    model: str
    certainty: Certainty


def resolve(book_provider: str, name: str) -> Resolution | None:
    """Return what genai-prices takes `name` for at the book's provider, or None when it does not know it."""
    for provider in providers:
        if book_provider not in genai_source.book_providers(provider):
            continue
        model = provider.find_model(name, all_providers=providers)
        if model is None or book_provider not in genai_source.book_providers(provider, model.id):
            return None
        literals = {text.lower() for text in _literals(model.match)} | {model.id.lower()}
        named = name in literals or any(
            name.startswith(text) and _RELEASE.match(name.removeprefix(text)) for text in literals
        )
        return Resolution(model.id.lower(), "named" if named else "matched")
    return None


def spelled_out() -> list[AliasRow]:
    """Return the names that genai-prices spells out, wherever the package itself resolves them."""
    rows: dict[tuple[str, str], AliasRow] = {}
    for provider in providers:
        models = [*provider.models, *(model for _, model in genai_source.borrowed_models(provider))]
        names = {name for model in models for name in _names(provider, model)}
        for book_provider in genai_source.book_providers(provider):
            canonical = {model.id.lower() for model in models}
            for name in sorted(names - canonical):
                resolution = resolve(book_provider, name)
                if resolution is not None:
                    rows[book_provider, name] = AliasRow(book_provider, name, resolution.model, genai_source.SOURCE, "")
    return list(rows.values())


def documented() -> list[AliasRow]:
    """Return the names that only the providers' own pages still spell out."""
    return [
        AliasRow(provider, name, model, "documented", "")
        for provider, models in DOCUMENTED_NAMES.items()
        for model, names in models.items()
        for name in names
    ]


def prefixed(models: Iterable[tuple[str, str]], aliases: Iterable[AliasRow]) -> Iterator[AliasRow]:
    """Yield the known names with their provider in front, unless they are known so already."""
    known: dict[tuple[str, str], AliasRow] = {}
    for provider, model in models:
        known[provider, model] = AliasRow(provider, model, model, "", "")
    for row in aliases:
        if row.note != "prefix":
            known.setdefault((row.provider, row.alias), row)
    for (provider, name), row in known.items():
        prefixes = PREFIXES.get(provider, ())
        if provider == "gcp.vertex_ai":
            prefixes += tuple(path for start, path in PUBLISHERS.items() if name.startswith(start))
        for prefix in prefixes:
            longer = prefix + name
            if not name.startswith(prefixes) and (provider, longer) not in known:
                yield AliasRow(provider, longer, row.model, row.source or "naming", "prefix")


def merge(existing: Iterable[AliasRow], generated: Iterable[AliasRow]) -> list[AliasRow]:
    """Return the aliases after a refresh: a human's row and a retired name stay, the others are renewed."""
    merged: dict[tuple[str, str], AliasRow] = {(row.provider, row.alias): row for row in existing}
    for row in generated:
        held = merged.get((row.provider, row.alias))
        if held is None or held.source != "manual":
            merged[row.provider, row.alias] = row
    return list(merged.values())


def _names(provider: types.Provider, model: types.ModelInfo) -> Iterator[str]:
    for text in {model.id.lower(), *(text.lower() for text in _literals(model.match))}:
        if text.endswith(_UNFINISHED) or text.startswith(("/", "@", "-")):
            continue
        yield text
        if provider.id == "aws" and not _HAS_RELEASE.search(text):
            yield from (text + release for release in _BEDROCK_RELEASES)


def _literals(match: object) -> Iterator[str]:
    clause: Mapping[str, object] = vars(match)
    for kind, value in clause.items():
        if kind in ("or_", "and_") and isinstance(value, list):
            for part in value:  # pyright: ignore[reportUnknownVariableType]
                yield from _literals(part)  # pyright: ignore[reportUnknownArgumentType]
        elif kind != "regex" and isinstance(value, str):
            yield value
