"""A provider in OpenAI's shapes on loopback: real HTTP, real event streams, its own book of usage."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Counted:
    """What the provider counted for one HTTP request; None is nothing counted."""

    path: str
    http_status: int
    model: str
    response_id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass
class OpenAiLoopback:
    """The running provider; `refusals` maps a request's number (from 1) to the status it gets."""

    base_url: str
    counted: list[Counted] = field(default_factory=list[Counted])
    refusals: dict[int, int] = field(default_factory=dict[int, int])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer one request and write down what was counted."""
        model = request.get("model", "")
        with self._lock:
            number = len(self.counted) + 1
            status = self.refusals.get(number, 200)
            if request.get("temperature", 0) > 2:
                status = 400
            if status != 200:
                self.counted.append(Counted(path, status, model))
                return status, {"error": {"message": "refused", "type": "refused", "param": None}}
            prompt = json.dumps(request.get("messages", request.get("input", "")))
            input_tokens = len(prompt) + 1000 * number
            if path.endswith("/embeddings"):
                self.counted.append(Counted(path, 200, model, None, input_tokens))
                return 200, _embeddings(model, input_tokens)
            if path.endswith("/messages"):
                self.counted.append(Counted(path, 200, model, f"msg_{number:06d}", input_tokens, 10 * number))
                return 200, _message(f"msg_{number:06d}", model, input_tokens, 10 * number)
            response_id, output_tokens = f"chatcmpl-{number:06d}", 10 * number
            self.counted.append(Counted(path, 200, model, response_id, input_tokens, output_tokens))
            return 200, _completion(response_id, model, input_tokens, output_tokens)


def _usage(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": input_tokens // 2, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": output_tokens // 2, "audio_tokens": 0},
    }


def _completion(response_id: str, model: str, input_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "id": response_id,
        "object": "chat.completion",
        "created": 1_795_168_800,
        "model": f"{model}-2025-04-14",
        "service_tier": "default",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "answer text"}}],
        "usage": _usage(input_tokens, output_tokens),
    }


def _embeddings(model: str, input_tokens: int) -> dict[str, Any]:
    return {
        "object": "list",
        "model": model,
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}],
        "usage": {"prompt_tokens": input_tokens, "total_tokens": input_tokens},
    }


def _message(response_id: str, model: str, input_tokens: int, output_tokens: int) -> dict[str, Any]:
    """An answer in Anthropic's shape, for tests with both clients."""
    return {
        "id": response_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": "answer text"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens, "service_tier": "standard"},
    }


def _chunks(completion: dict[str, Any], *, include_usage: bool) -> Iterator[dict[str, Any]]:
    shared = {name: completion[name] for name in ("id", "created", "model", "service_tier")}
    shared["object"] = "chat.completion.chunk"
    for word in ("answer ", "text"):
        yield {**shared, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
    yield {**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if include_usage:
        yield {**shared, "choices": [], "usage": completion["usage"]}


@contextmanager
def openai_loopback(refusals: dict[int, int] | None = None) -> Iterator[OpenAiLoopback]:
    """Run the provider on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, body = provider.answer(self.path, request)
            if request.get("stream") and status == 200:
                include_usage = (request.get("stream_options") or {}).get("include_usage", False)
                chunks = _chunks(body, include_usage=include_usage)
                events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
                self._send(status, events.encode(), "text/event-stream")
            else:
                self._send(status, json.dumps(body).encode(), "application/json")

        def _send(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            # The client's own back-off, made short enough not to be waited for.
            self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Keep the test's output free of access lines."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = OpenAiLoopback(f"http://127.0.0.1:{server.server_port}/v1", refusals=refusals or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
