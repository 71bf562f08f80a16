"""Five providers on one loopback port, each in its own shapes, with one book of what they counted.

Belongs here: answers, event streams, counting. Does not belong here: anything of the library.
"""

from __future__ import annotations

import base64
import json
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Counted:
    """What the provider counted for one call: all input with what was cached of it, and all output."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int


@dataclass
class Provider:
    """The running providers."""

    url: str
    counted: list[Counted] = field(default_factory=list[Counted])

    def count(self) -> Counted:
        """Write down the next call: no two of them alike."""
        number = len(self.counted) + 1
        self.counted.append(Counted(1000 + number, 100 + number, 50 + number))
        return self.counted[-1]


@contextmanager
def providers() -> Iterator[Provider]:
    """Run them on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
            content_type, headers, body = answer(self.path, request, provider)
            self.send_response(200)
            for name, value in {"content-type": content_type, "content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(path: str, request: dict[str, Any], provider: Provider) -> tuple[str, dict[str, str], bytes]:
    """Return content type, headers and body of an answer."""
    counted = provider.count()
    if ":generateContent" in path:
        return _json(_gemini(counted))
    if ":streamGenerateContent" in path:
        so_far = _gemini(Counted(counted.input_tokens, counted.cached_tokens, 20), is_last=False)
        return _events([so_far, _gemini(counted)])
    if path.endswith("/converse"):
        message = {"role": "assistant", "content": [{"text": "hello"}]}
        return _json({"output": {"message": message}, "stopReason": "end_turn", "usage": _converse(counted)} | _LATENCY)
    if path.endswith("/converse-stream"):
        return _aws(
            ("messageStart", {"role": "assistant"}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "hello"}}),
            ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": _converse(counted)} | _LATENCY),
        )
    if path.endswith("/invoke"):
        body = json.dumps({"content": [{"type": "text", "text": "hello"}]}).encode()
        names = {"input": "inputTokens", "output": "outputTokens", "cache-read-input": "cacheReadInputTokens"}
        said = {f"x-amzn-bedrock-{ours}-token-count": str(_converse(counted)[its]) for ours, its in names.items()}
        return "application/json", said, body
    if path.endswith("/invoke-with-response-stream"):
        metrics = {f"{name.removesuffix('Tokens')}TokenCount": count for name, count in _converse(counted).items()}
        pieces = ({"type": "content_block_delta"}, {"amazon-bedrock-invocationMetrics": metrics})
        return _aws(*(("chunk", {"bytes": base64.b64encode(json.dumps(piece).encode()).decode()}) for piece in pieces))
    if path.endswith("/v2/chat"):
        return _cohere(counted, is_streamed=request.get("stream", False))
    if path.endswith("/v1/messages"):
        return _json(_anthropic(counted))
    return _openai(counted, is_streamed=request.get("stream", False))


_LATENCY = {"metrics": {"latencyMs": 1}}


def _gemini(counted: Counted, *, is_last: bool = True) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": "hello"}]}, "index": 0}
    return {
        "candidates": [candidate | ({"finishReason": "STOP"} if is_last else {})],
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r-1",
        "usageMetadata": {
            "promptTokenCount": counted.input_tokens,
            "cachedContentTokenCount": counted.cached_tokens,
            "candidatesTokenCount": counted.output_tokens - 7,
            "thoughtsTokenCount": 7,
            "totalTokenCount": counted.input_tokens + counted.output_tokens,
        },
    }


def _converse(counted: Counted) -> dict[str, int]:
    return {
        "inputTokens": counted.input_tokens - counted.cached_tokens,
        "outputTokens": counted.output_tokens,
        "totalTokens": counted.input_tokens + counted.output_tokens,
        "cacheReadInputTokens": counted.cached_tokens,
    }


def _cohere(counted: Counted, *, is_streamed: bool) -> tuple[str, dict[str, str], bytes]:
    counts = {"input_tokens": counted.input_tokens, "output_tokens": counted.output_tokens}
    usage = {"billed_units": counts, "tokens": counts, "cached_tokens": counted.cached_tokens}
    message = {"role": "assistant", "content": [{"type": "text", "text": "hello"}]}
    if not is_streamed:
        return _json({"id": "c-1", "finish_reason": "COMPLETE", "message": message, "usage": usage})
    text = {"message": {"content": {"text": "hello"}}}
    return _events(
        [
            {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}},
            {"type": "content-delta", "index": 0, "delta": text},
            {"type": "message-end", "id": "c-1", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
        ]
    )


def _anthropic(counted: Counted) -> dict[str, Any]:
    usage = {
        "input_tokens": counted.input_tokens - counted.cached_tokens,
        "cache_read_input_tokens": counted.cached_tokens,
        "output_tokens": counted.output_tokens,
    }
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "usage": usage}
    return {**answer, "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn"}


def _openai(counted: Counted, *, is_streamed: bool) -> tuple[str, dict[str, str], bytes]:
    usage = {
        "prompt_tokens": counted.input_tokens,
        "completion_tokens": counted.output_tokens,
        "total_tokens": counted.input_tokens + counted.output_tokens,
        "prompt_tokens_details": {"cached_tokens": counted.cached_tokens},
    }
    frame = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4.1-2025-04-14"}
    if not is_streamed:
        message = {"role": "assistant", "content": "hello"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return _json({**frame, "object": "chat.completion", "choices": [choice], "usage": usage})
    chunk = {**frame, "object": "chat.completion.chunk"}
    delta = {"index": 0, "delta": {"role": "assistant", "content": "hello"}, "finish_reason": None}
    stop = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return _events(
        [{**chunk, "choices": [delta]}, {**chunk, "choices": [stop]}, {**chunk, "choices": [], "usage": usage}],
        end="data: [DONE]\n\n",
    )


def _json(content: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
    return "application/json", {}, json.dumps(content).encode()


def _events(events: list[dict[str, Any]], end: str = "") -> tuple[str, dict[str, str], bytes]:
    return "text/event-stream", {}, ("".join(f"data: {json.dumps(event)}\n\n" for event in events) + end).encode()


def _aws(*events: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, str], bytes]:
    """Return events in AWS' binary framing (docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html)."""
    return "application/vnd.amazon.eventstream", {}, b"".join(_frame(name, content) for name, content in events)


def _frame(event_type: str, content: dict[str, Any]) -> bytes:
    said = {":event-type": event_type, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack(">B", len(name)) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in said.items()
    )
    payload = json.dumps(content).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))
