"""200 mixed calls of the real clients: what the library said they cost, the warehouse says, and the providers billed.

The providers are on loopback and make their bill before they say any usage; the log goes through the real connector and
landing zone. Nothing is built: from the landed line to its price everything is a view.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest
from harness import Company
from mixed_providers import PLANTED_ANSWER, Providers, mixed_providers
from trueup_middleware import Call, Meter
from trueup_middleware.context import bind

from orchestration.connectors.jsonl import LogConfig
from orchestration.connectors.llm_request_log import LlmRequestLog
from orchestration.landing.store import LandingStore
from orchestration.pricebook.export import write_price_file

CALLS = 200
PLANTED_KEY = "sk-planted-key"
PLANTED_PROMPT = "the planted prompt"
PLANTED_USER = "maria@planted.example"
PROMPT: list[Any] = [{"role": "user", "content": PLANTED_PROMPT}]


class App:
    """An application that calls models in every way; one method a way."""

    def __init__(self, meter: Meter, providers: Providers) -> None:
        self.meter = meter
        self.providers = providers
        options: dict[str, Any] = {"api_key": PLANTED_KEY, "max_retries": 0}
        to_openai = options | {"base_url": providers.base_url + "/v1"}
        to_anthropic = options | {"base_url": providers.base_url}
        self.openai = openai.OpenAI(**to_openai)
        self.anthropic = anthropic.Anthropic(**to_anthropic)
        self.openai_async = openai.AsyncOpenAI(**to_openai)
        self.anthropic_async = anthropic.AsyncAnthropic(**to_anthropic)

    def gpt(self, **attributes: Any) -> Call:
        return self.meter.request(provider="openai", model="gpt-test", feature="draft", **attributes)

    def claude(self, **attributes: Any) -> Call:
        return self.meter.request(provider="anthropic", model="claude-test", feature="search", **attributes)

    def chat(self) -> None:
        with self.gpt() as call:
            call.finish(self.openai.chat.completions.create(model="gpt-test", messages=PROMPT))

    def chat_with_tools(self) -> None:
        tools: list[Any] = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]
        with self.gpt() as call:
            call.finish(self.openai.chat.completions.create(model="gpt-test", messages=PROMPT, tools=tools))

    def chat_stream(self) -> None:
        with self.gpt() as call:
            options: Any = {"include_usage": True}
            stream = self.openai.chat.completions.create(
                model="gpt-test", messages=PROMPT, stream=True, stream_options=options
            )
            assert any(chunk.choices for chunk in list(call.stream(stream)))

    def chat_cancelled(self) -> None:
        with self.gpt() as call:
            stream = self.openai.chat.completions.create(model="gpt-test", messages=PROMPT, stream=True)
            with call.stream(stream) as chunks:
                next(chunks)

    def response(self) -> None:
        with self.gpt() as call:
            call.finish(self.openai.responses.create(model="gpt-test", input=PLANTED_PROMPT))

    def response_stream(self) -> None:
        with self.gpt() as call:
            stream = self.openai.responses.create(model="gpt-test", input=PLANTED_PROMPT, stream=True)
            list(call.stream(stream))

    def embeddings(self) -> None:
        with self.meter.request(provider="openai", model="embed-test", feature="search") as call:
            call.finish(
                self.openai.embeddings.create(model="embed-test", input=PLANTED_PROMPT, encoding_format="float")
            )

    def message(self) -> None:
        with self.claude() as call:
            call.finish(self.anthropic.messages.create(model="claude-test", max_tokens=10, messages=PROMPT))

    def message_stream(self) -> None:
        with self.claude() as call:
            stream = self.anthropic.messages.create(model="claude-test", max_tokens=10, messages=PROMPT, stream=True)
            list(call.stream(stream))

    def message_cancelled(self) -> None:
        with self.claude() as call:
            stream = self.anthropic.messages.create(model="claude-test", max_tokens=10, messages=PROMPT, stream=True)
            for event in call.stream(stream):
                if event.type == "content_block_delta":
                    break

    def refused_then_elsewhere(self) -> None:
        self.providers.refuse_next.append(429)
        with pytest.raises(openai.RateLimitError), self.gpt() as first:
            first.finish(self.openai.chat.completions.create(model="gpt-test", messages=PROMPT))
        with self.claude(retry_of=first) as second:
            second.finish(self.anthropic.messages.create(model="claude-test", max_tokens=10, messages=PROMPT))

    def overloaded(self) -> None:
        self.providers.refuse_next.append(529)
        with pytest.raises(anthropic.APIStatusError), self.claude() as call:
            call.finish(self.anthropic.messages.create(model="claude-test", max_tokens=10, messages=PROMPT))

    def asynchronous(self) -> None:
        async def both() -> None:
            async with self.gpt() as call:
                call.finish(await self.openai_async.chat.completions.create(model="gpt-test", messages=PROMPT))
            async with self.claude() as call:
                stream = await self.anthropic_async.messages.create(
                    model="claude-test", max_tokens=10, messages=PROMPT, stream=True
                )
                assert [event async for event in call.stream(stream)]

        self.loop.run_until_complete(both())

    def timed_out(self) -> None:
        self.providers.is_silent = True
        with pytest.raises(openai.APITimeoutError), self.gpt() as call:
            call.finish(self.openai.chat.completions.create(model="gpt-test", messages=PROMPT, timeout=0.1))
        self.providers.is_silent = False

    def run(self, calls: int) -> None:
        """Make calls in turn, each in an operation of its own."""
        ways = [
            *(self.chat, self.chat_with_tools, self.chat_stream, self.chat_cancelled, self.response),
            *(self.response_stream, self.embeddings, self.message, self.message_stream, self.message_cancelled),
            *(self.refused_then_elsewhere, self.overloaded, self.asynchronous),
        ]
        self.loop = asyncio.new_event_loop()
        for number in range(calls):
            with bind(tenant_id=f"tenant_{number % 7}", user_id=PLANTED_USER, operation_id=f"op_{number}"):
                ways[number % len(ways)]()
        with bind(tenant_id="tenant_0"):
            self.timed_out()
        self.loop.run_until_complete(self.openai_async.close())
        self.loop.run_until_complete(self.anthropic_async.close())
        self.loop.close()


@dataclass
class Costed:
    """What everybody says."""

    rows: list[dict[str, Any]]
    bill: dict[str, Decimal]
    log: str
    unpriced: int


@pytest.fixture(scope="module")
def costed(empty_company: Company, tmp_path_factory: pytest.TempPathFactory) -> Costed:
    folder = tmp_path_factory.mktemp("library_end_to_end")
    company = empty_company.copy(folder / "company")
    write_price_file(company.home / "seeds", folder / "prices.json.gz")
    log = folder / "log"
    meter = Meter(log, prices=folder / "prices.json.gz", user_hash_key=b"key", environment="test")
    with mixed_providers() as providers:
        App(meter, providers).run(CALLS)
    unpriced = meter.counts().unpriced
    assert meter.counts().mistakes == 0
    assert meter.close()
    # A kill between writing a line and forgetting it leaves it twice.
    first = next(log.glob("*.jsonl")).read_text().splitlines()[0]
    (log / "again.jsonl").write_text(first + "\n")
    store = LandingStore(company.home / "landing")
    result = store.run("app", LlmRequestLog("app", LogConfig(path=str(log)), lambda _: "key"), None)
    landed = result.tables["llm_requests"]
    assert (landed.rows_quarantined, landed.rows_skipped) == (0, 0)
    rows = company.query("select * from intermediate.int_llm_requests__priced order by started_at")
    text = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and log in path.parents)
    return Costed(rows, providers.bill, text.decode(errors="replace"), unpriced)


def test_the_library_the_warehouse_and_the_bill_agree_to_the_last_digit(costed: Costed) -> None:
    known = [row for row in costed.rows if row["list_cost_usd"] is not None]
    assert [row["caller_cost_usd"] for row in known] == [row["contracted_cost_usd"] for row in known]
    billed = {row["response_id"]: row["list_cost_usd"] for row in known if row["response_id"] is not None}
    assert billed == {response_id: costed.bill[response_id] for response_id in billed}
    embedded = sum(row["list_cost_usd"] for row in known if row["operation_name"] == "embeddings")
    assert embedded == sum(usd for response_id, usd in costed.bill.items() if response_id.startswith("embeddings-"))
    assert sum(row["list_cost_usd"] for row in known) == sum(billed.values()) + embedded


def test_only_what_nobody_counted_is_unknown_and_only_what_was_refused_is_free(costed: Costed) -> None:
    unknown = [row for row in costed.rows if row["list_cost_usd"] is None]
    assert Counter(row["outcome"] for row in unknown) == {"cancelled": 31, "error": 15, "timeout": 1}
    assert all(row["caller_cost_usd"] is None for row in unknown)
    assert len(unknown) == costed.unpriced
    free = [row for row in costed.rows if row["list_cost_usd"] == 0]
    assert Counter((row["outcome"], row["http_status"]) for row in free) == {("rate_limited", 429): 15}
    cut_off = {row["response_id"] for row in unknown if row["outcome"] == "cancelled"}
    assert cut_off < costed.bill.keys(), "the provider bills what nobody waited for"
    answered = {row["response_id"] for row in costed.rows if row["response_id"] is not None}
    assert {each for each in costed.bill if not each.startswith("embeddings-")} == answered


def test_every_attempt_is_one_request_of_its_operation(costed: Costed) -> None:
    assert len(costed.rows) == len({row["request_id"] for row in costed.rows}) == 231
    fallbacks = [row for row in costed.rows if row["is_fallback"]]
    assert {(row["attempt_number"], row["provider"]) for row in fallbacks} == {(2, "anthropic")}
    operations = {row["request_id"]: row["operation_id"] for row in costed.rows}
    assert all(row["operation_id"] == operations[row["retry_of"]] for row in fallbacks)


def test_no_key_prompt_answer_or_user_is_in_any_line(costed: Costed) -> None:
    planted = (PLANTED_KEY, PLANTED_PROMPT, PLANTED_ANSWER, PLANTED_USER, "planted")
    assert not [secret for secret in planted if secret in costed.log]
    assert len({row["user_hash"] for row in costed.rows}) == 2, "one user, and none"
