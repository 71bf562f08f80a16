"""OpenAI and Anthropic on loopback: real HTTP, real event streams, and a bill that is made before any usage object.

Belongs here: a provider that draws what a call used by disjoint classes, charges those, and only then says them in the
words of its API. Does not belong here: how our side reads them.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: USD a million tokens, a thousand searches: the round figures of the harness's price book.
USD = {
    "gpt-test": {"input": "2", "cache_read": "0.5", "output": "8"},
    "embed-test": {"input": "0.02"},
    "claude-test": {
        "input": "3",
        "cache_read": "0.3",
        "cache_write_5m": "3.75",
        "cache_write_1h": "6",
        "output": "15",
        "web_search": "10000",
    },
}
PLANTED_ANSWER = "the planted answer"

Json = dict[str, Any]


@dataclass
class Providers:
    """The running providers.

    Attributes:
        base_url: Of both; OpenAI's client wants `/v1` behind it.
        bill: USD of each answer, by its id.
        refuse_next: Statuses with which the next calls are refused, one each.
        is_silent: Calls get no answer before the block ends.
    """

    base_url: str = ""
    bill: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    refuse_next: list[int] = field(default_factory=list[int])
    is_silent: bool = False
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    lock: threading.Lock = field(default_factory=threading.Lock)
    end: threading.Event = field(default_factory=threading.Event)

    def charge(self, prefix: str, model: str, *classes: str) -> tuple[str, dict[str, int]]:
        """Draw what a call uses, put it on the bill, and return the answer's id and the counts."""
        with self.lock:
            used = {name: self.rng.randrange(0, 5000) for name in classes}
            if "web_search" in used:
                used["web_search"] %= 3
            response_id = f"{prefix}{len(self.bill):06d}"
            self.bill[response_id] = sum(
                (count * Decimal(USD[model][name]) for name, count in used.items()), Decimal(0)
            ) * Decimal("0.000001")
        return response_id, used


def _chat(providers: Providers, request: Json) -> tuple[Json, list[Json]]:
    response_id, used = providers.charge("chatcmpl-", "gpt-test", "input", "cache_read", "output")
    usage = {
        "prompt_tokens": used["input"] + used["cache_read"],
        "completion_tokens": used["output"],
        "total_tokens": sum(used.values()),
        "prompt_tokens_details": {"cached_tokens": used["cache_read"], "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": used["output"] // 2, "audio_tokens": 0},
    }
    message: Json = {"role": "assistant", "content": PLANTED_ANSWER}
    if request.get("tools"):
        function = {"name": "look_up", "arguments": '{"secret": "the planted argument"}'}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    shared = {"id": response_id, "created": 1, "model": "gpt-test-2026-01-01", "service_tier": "default"}
    body = {
        **shared,
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": usage,
    }
    chunk = {**shared, "object": "chat.completion.chunk"}
    choice = {"index": 0, "delta": {"content": PLANTED_ANSWER}, "finish_reason": None}
    return body, [*[{**chunk, "choices": [choice]}] * 3, {**chunk, "choices": [], "usage": usage}]


def _responses(providers: Providers, request: Json) -> tuple[Json, list[Json]]:
    del request
    response_id, used = providers.charge("resp-", "gpt-test", "input", "cache_read", "output")
    body = {
        "id": response_id,
        "object": "response",
        "created_at": 1,
        "model": "gpt-test-2026-01-01",
        "status": "completed",
        "service_tier": "default",
        "output": [
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": PLANTED_ANSWER, "annotations": []}],
            }
        ],
        "usage": {
            "input_tokens": used["input"] + used["cache_read"],
            "input_tokens_details": {"cached_tokens": used["cache_read"]},
            "output_tokens": used["output"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(used.values()),
        },
    }
    begun = {**body, "status": "in_progress", "usage": None, "output": []}
    delta = {"type": "response.output_text.delta", "delta": PLANTED_ANSWER, "item_id": "msg_1"}
    return body, [
        {"type": "response.created", "response": begun},
        delta,
        {"type": "response.completed", "response": body},
    ]


def _embeddings(providers: Providers, request: Json) -> tuple[Json, list[Json]]:
    del request
    _, used = providers.charge("embeddings-", "embed-test", "input")
    usage = {"prompt_tokens": used["input"], "total_tokens": used["input"]}
    data = [{"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}]
    return {"object": "list", "model": "embed-test", "data": data, "usage": usage}, []


def _messages(providers: Providers, request: Json) -> tuple[Json, list[Json]]:
    del request
    response_id, used = providers.charge("msg_", "claude-test", *USD["claude-test"])
    usage = {
        "input_tokens": used["input"],
        "cache_read_input_tokens": used["cache_read"],
        "cache_creation_input_tokens": used["cache_write_5m"] + used["cache_write_1h"],
        "cache_creation": {
            "ephemeral_5m_input_tokens": used["cache_write_5m"],
            "ephemeral_1h_input_tokens": used["cache_write_1h"],
        },
        "output_tokens": used["output"],
        "server_tool_use": {"web_search_requests": used["web_search"], "web_fetch_requests": 0},
        "service_tier": "standard",
        "inference_geo": "not_available",
    }
    body = {
        "id": response_id,
        "type": "message",
        "role": "assistant",
        "model": "claude-test-20260101",
        "content": [{"type": "text", "text": PLANTED_ANSWER}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    at_first = {**body, "content": [], "usage": {**usage, "output_tokens": 1, "server_tool_use": None}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": PLANTED_ANSWER}}
    ended = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": used["output"], "server_tool_use": usage["server_tool_use"]},
    }
    return body, [{"type": "message_start", "message": at_first}, delta, delta, ended, {"type": "message_stop"}]


_ANSWERS = {
    "/v1/chat/completions": _chat,
    "/v1/responses": _responses,
    "/v1/embeddings": _embeddings,
    "/v1/messages": _messages,
}


@contextmanager
def mixed_providers() -> Iterator[Providers]:
    """Run both providers on a free port until the block ends."""
    providers = Providers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if providers.is_silent:
                providers.end.wait()
                return
            if providers.refuse_next:
                refusal = {"type": "error", "error": {"type": "refused", "message": "refused"}}
                self._send(providers.refuse_next.pop(), json.dumps(refusal), "application/json")
                return
            body, events = _ANSWERS[self.path](providers, request)
            if request.get("stream"):
                named = "".join(f"event: {event.get('type', '')}\ndata: {json.dumps(event)}\n\n" for event in events)
                plain = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
                self._send(200, plain if self.path.endswith("completions") else named, "text/event-stream")
            else:
                self._send(200, json.dumps(body), "application/json")

        def _send(self, status: int, body: str, content_type: str) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    providers.base_url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield providers
    finally:
        providers.end.set()
        server.shutdown()
        server.server_close()
        thread.join()
