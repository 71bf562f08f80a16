"""What a stream says while it passes: the same as a whole answer, piece by piece.

Belongs here: reading the events of many clients' streams. Does not belong here: iterating over them (`streaming`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from trueup_middleware.record import counts
from trueup_middleware.usage import answers
from trueup_middleware.usage.access import as_mapping, get, get_text, items
from trueup_middleware.usage.answers import Observation

_RESPONSE_ENDS: Final = ("response.completed", "response.incomplete", "response.failed")
_INVOCATION_METRICS: Final = {
    "inputTokenCount": "inputTokens",
    "outputTokenCount": "outputTokens",
    "cacheReadInputTokenCount": "cacheReadInputTokens",
    "cacheWriteInputTokenCount": "cacheWriteInputTokens",
}


class StreamReader:
    """Takes every event of one stream.

    Attributes:
        observation: What the stream has said so far.
        is_complete: The provider has said its last word: whoever stops now has cancelled nothing.
        has_content: The first piece of an answer has come.
    """

    def __init__(self) -> None:
        self.observation = Observation()
        self.is_complete = False
        self.has_content = False

    def read(self, event: object) -> None:
        """Take one event; what is not known is passed over."""
        kind = get_text(event, "type") or get_text(event, "object") or get_text(event, "event_type")
        if kind is not None:
            self._read_named(kind, event)
        elif isinstance(event, Mapping):
            self._read_bedrock(cast("Mapping[str, Any]", event))
        elif (get(event, "usage_metadata") or get(event, "candidates")) is not None:
            self._read_gemini(event)

    def _read_named(self, kind: str, event: object) -> None:
        if kind in ("chat.completion.chunk", "text_completion"):
            self._read_chat_chunk(event)
        elif kind.startswith("response."):
            self._read_response_event(kind, event)
        elif kind == "message_start":
            self._take(answers.anthropic_message(get(event, "message")))
            # What has been written when a message begins is not what it will have cost.
            (self.observation.usage or {}).pop("output_tokens", None)
        elif kind in ("content_block_delta", "content-delta"):
            self.has_content = True
        elif kind == "message_delta":
            self._read_anthropic_delta(event)
        elif kind == "message_stop":
            self.is_complete = True
        elif kind == "message-start":
            self.observation.response_id = get_text(event, "id")
        elif kind == "message-end":
            self._take(answers.cohere(get(event, "delta")))
            self.is_complete = True

    def _read_chat_chunk(self, chunk: object) -> None:
        choices = list(items(chunk, "choices"))
        self.has_content = self.has_content or bool(choices)
        if get(chunk, "usage") is not None:
            is_litellm = get(chunk, "_hidden_params") is not None
            self._take(answers.litellm(chunk) if is_litellm else answers.openai_chat(chunk))
            self.is_complete = True
        elif self.observation.response_id is None:
            self._take(answers.openai_chat(chunk))
        elif (tier := get_text(chunk, "service_tier")) is not None:
            self.observation.service_tier = tier

    def _read_response_event(self, kind: str, event: object) -> None:
        if kind.endswith(".delta"):
            self.has_content = True
        if kind == "response.created" or kind in _RESPONSE_ENDS:
            self._take(answers.openai_response(get(event, "response")))
        self.is_complete = self.is_complete or kind in _RESPONSE_ENDS

    def _read_anthropic_delta(self, event: object) -> None:
        usage = get(event, "usage")
        said = counts(as_mapping(usage)) or {}
        if said:
            # Cumulative: the last word on each count holds, and nothing is added up.
            self.observation.usage = {**(self.observation.usage or {}), **said}

    def _read_gemini(self, chunk: object) -> None:
        self.has_content = True
        found = answers.gemini(chunk)
        self._take(found)
        if any(get(candidate, "finish_reason") is not None for candidate in items(chunk, "candidates")):
            self.is_complete = True
        elif found.usage is not None and self.observation.usage is not None:
            # Until it ends, a chunk says what has been written so far.
            for name in ("candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount", "candidatesTokensDetails"):
                self.observation.usage.pop(name, None)

    def _read_bedrock(self, event: Mapping[str, Any]) -> None:
        if "metadata" in event:
            self._take(answers.bedrock_converse(event["metadata"]))
            self.is_complete = True
        elif "contentBlockDelta" in event:
            self.has_content = True
        elif (piece := get(event, "chunk", "bytes")) is not None:
            self.has_content = True
            if b"amazon-bedrock-invocationMetrics" in piece:
                self._read_invocation_metrics(piece)
        elif "usageMetadata" in event or "candidates" in event:
            self._read_gemini(event)

    def _read_invocation_metrics(self, piece: bytes) -> None:
        metrics = get(json.loads(piece), "amazon-bedrock-invocationMetrics")
        said = {ours: get(metrics, theirs) for theirs, ours in _INVOCATION_METRICS.items()}
        usage = {name: count for name, count in said.items() if isinstance(count, int)}
        self._take(Observation(provider="aws.bedrock", usage_api="bedrock.converse", usage=usage))
        self.is_complete = True

    def _take(self, found: Observation) -> None:
        for name in Observation.__slots__:
            value: Any = getattr(found, name)
            if value is not None:
                setattr(self.observation, name, value)
