"""Random lines of every API, tier, place and account: the library makes of each what the warehouse makes of it.

The whole book in git is held against the library in `test_price_differential`; here a small one that has everything
that moves a price, and usage objects with everything that providers have been seen to do to them.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from harness import MADE_OF_PRICES, PRICE_COLUMNS, PRICES, Company, price, request
from trueup_middleware.prices import PriceFile, PriceFileError
from trueup_middleware.usage import semantics

from orchestration.pricebook.export import usage_semantics, write_price_file
from orchestration.pricebook.terms import MULTIPLIER_COLUMNS, TERM_COLUMNS

LINES = 1_500
FOREVER = {"valid_from": "1970-01-01T00:00:00Z"}

MORE_PRICES = [
    price("openai", "gpt-test", "input", "3", context_from_tokens="2000"),
    price("openai", "gpt-test", "reasoning", "6"),
    price("openai", "gpt-test", "input_image", "2.000003"),
    price("openai", "gpt-test", "input", "2.2", region="eu"),
    price("openai", "gpt-test", "web_search", "10", per="kcount"),
    price("openai", "gpt-test", "output", "7", utc_time_from="22:30", utc_time_to="03:15"),
    price(
        "openai",
        "gpt-test",
        "input",
        "1.9",
        precedence="30",
        valid_from="2026-09-01T00:00:00Z",
        valid_to="2026-09-02T00:00:00Z",
    ),
    price("openai", "image-test", "image", "40.0000005", per="kcount"),
    price("openai", "image-test", "request", "1", per="kcount"),
    price("anthropic", "claude-test", "input", "3.000001", service_tier="batch"),
    price("gcp.gemini", "gemini-test", "input_video", "4"),
    price("openai", "voice-test", "cache_read_audio", "0.4"),
    price("openai", "voice-test", "input_audio", "40"),
    price("openai", "voice-test", "input", "4"),
    price("openai", "voice-test", "output", "16"),
    price("openai", "voice-test", "output_audio", "64"),
]
MULTIPLIERS = [
    {"provider": "anthropic", "dimension": "inference_geo", "value": "us", "model": "", "multiplier": "1.1"},
    {"provider": "anthropic", "dimension": "speed", "value": "fast", "model": "claude-test", "multiplier": "5.333333"},
    {"provider": "aws.bedrock", "dimension": "region", "value": "regional", "model": "nova-test", "multiplier": "1.1"},
]
TERMS = [
    {"provider": "openai", "discount_pct": "8.0001"},
    {"provider": "openai", "provider_account": "org-eu", "model": "gpt-test", "discount_pct": "12.5"},
    {
        "provider": "openai",
        "provider_account": "org-eu",
        "model": "gpt-test",
        "usage_class": "output",
        "price_usd_per_mtok": "5.555555",
    },
    {
        "provider": "openai",
        "model": "gpt-test",
        "service_tier": "batch",
        "discount_pct": "50",
        "valid_to": "2026-10-01T00:00:00Z",
    },
]


def _write(path: Path, columns: Any, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(columns))
        writer.writeheader()
        writer.writerows([FOREVER | row for row in rows])


@pytest.fixture(scope="module")
def company(empty_company: Company, tmp_path_factory: pytest.TempPathFactory) -> Company:
    company = empty_company.copy(tmp_path_factory.mktemp("library") / "company")
    seeds = company.home / "seeds"
    _write(seeds / "model_prices.csv", PRICE_COLUMNS, [*PRICES, *MORE_PRICES])
    _write(seeds / "price_multipliers.csv", MULTIPLIER_COLUMNS, MULTIPLIERS)
    _write(seeds / "price_terms.csv", TERM_COLUMNS, TERMS)
    company.dbt("run", "--select", "stg_pricing__price_multipliers", "stg_pricing__price_terms", *MADE_OF_PRICES)
    return company


MODELS = {
    "openai.chat": [("openai", "gpt-test"), ("OpenAI", " GPT-Test-2026-01-01"), ("openai", "ft:gpt-test:org::id")],
    "openai.responses": [("openai", "gpt-test"), ("openai", "gpt-cut"), ("openai", "gpt-tes")],
    "openai.realtime": [("openai", "voice-test")],
    "openai.images": [("openai", "gpt-test"), ("openai", "image-test")],
    "openai.transcriptions": [("openai", "whisper-test"), ("openai", "gpt-test")],
    "openai.embeddings": [("openai", "embed-test")],
    "anthropic.messages": [("anthropic", "claude-test-20260101"), ("anthropic", "claude-test")],
    "gemini.generate_content": [("gcp.gemini", "gemini-test"), ("gemini", "gemini-test")],
    "bedrock.converse": [
        ("bedrock", "nova-test"),
        ("aws.bedrock", "arn:aws:bedrock:us-east-1::foundation-model/nova-test"),
    ],
    "cohere": [("cohere", "command-test"), ("cohere", "rerank-test")],
    "mistral.ocr": [("mistral", "ocr-test")],
    "usage_classes": [("openai", "gpt-test"), ("gcp.gemini", "gemini-test")],
    "somebody.else": [("openai", "gpt-test")],
}
FLAT = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    *("cache_write_tokens", "reasoning_tokens", "input_audio_tokens", "output_audio_tokens", "input_image_tokens"),
)
FEES = ("web_search_requests", "rerank_units", "images", "audio_seconds", "characters")


def _count(rng: random.Random) -> Any:
    odd: list[Any] = [0, 0, 1, None, -3, 10**12, 10**12 + 1, 2**63, 12.0, 12.5, "7", True, "many", 1e3]
    return rng.choice(odd) if rng.random() < 0.15 else int(10 ** rng.uniform(0, 4.5))


def _put(usage: dict[str, Any], path: str, value: Any) -> None:
    *holders, name = path.removeprefix("$.").split(".")
    for holder in holders:
        usage = usage.setdefault(holder, {})
    usage[name] = value


def _usage(api: str, rng: random.Random) -> dict[str, Any]:
    usage: dict[str, Any] = {}
    paths: list[Any] = []
    for name, where in semantics.USAGE_APIS.get(api, {"total": "$.total"}).items():
        if name in ("input_includes_cache", "others_mark") or where == "usage":
            continue
        for path in where.values() if name == "others" else [where]:
            paths += path if isinstance(path, list) else [path]
    for path in paths:
        if rng.random() < 0.3:
            continue
        if isinstance(path, str):
            _put(usage, path, _count(rng))
        else:
            items = usage.setdefault(path["list"].removeprefix("$."), [])
            items.append({"modality": path["modality"], "tokenCount": int(10 ** rng.uniform(0, 3))})
    return usage


def _line(number: int, rng: random.Random) -> dict[str, Any]:
    api = rng.choice(list(MODELS))
    provider, model = rng.choice(MODELS[api])
    started_at = datetime(2026, 8, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(90 * 86400), microseconds=number)
    if rng.random() < 0.3:  # on, or one microsecond beside, what moves a price
        edge = rng.choice(["2026-08-21T00:00", "2026-09-01T00:00", "2026-10-01T00:00", "2026-08-08T22:30"])
        started_at = datetime.fromisoformat(edge + "Z") + timedelta(microseconds=rng.choice((-1, 0, 1)))
    line: dict[str, Any] = {
        "ts": started_at.isoformat(),
        "request_id": f"r{number}",
        "provider": provider,
        "model": model,
        "outcome": rng.choices(["success", "error", "timeout", "rate_limited", "cancelled"], [8, 1, 1, 1, 1])[0],
    }
    if rng.random() < 0.8:
        line |= {"usage_api": api, "usage": _usage(api, rng)}
    flat = {name: int(10 ** rng.uniform(0, 4)) for name in FLAT if rng.random() < 0.4}
    fees = {name: rng.choice([0, 1, 2.5, "0.0000005", "1.2345675"]) for name in FEES if rng.random() < 0.1}
    choices = {
        "service_tier": [None, "default", "auto", "batch", "flex", "fast", "priority", "scale", "BATCH", "odd"],
        "region": [None, None, "eu", "us-east-1"],
        "inference_geo": [None, None, None, "us", "global"],
        "provider_account": [None, "org-eu", "org-other"],
        "operation_name": [None, "chat", "embeddings", "moderation"],
        "http_status": [None, None, 200, 400, 408, 499, 500],
        "response_cache_hit": [None] * 9 + [True],
    }
    line |= flat | fees | {name: rng.choice(values) for name, values in choices.items()}
    return {name: value for name, value in line.items() if value is not None}


def _landed(line: dict[str, Any]) -> dict[str, Any]:
    """The same line as the connector lands it."""
    columns = {name: value for name, value in line.items() if name not in ("ts", "usage")}
    columns |= {
        name: Decimal(str(line[name])).quantize(Decimal("0.000001"), ROUND_HALF_UP) for name in FEES if name in line
    }
    columns |= {name: line.get(name) for name in ("input_tokens", "output_tokens")}
    usage = json.dumps(line["usage"]) if "usage" in line else None
    return request(datetime.fromisoformat(line["ts"]), usage=usage, response_id=None, **columns)


def test_the_library_costs_every_line_as_the_warehouse_does(company: Company, tmp_path: Path) -> None:
    rng = random.Random(20261121)
    lines = [_line(number, rng) for number in range(LINES)]
    company.land("llm_requests", [_landed(line) for line in lines])
    rows = company.query(
        "select request_id, price_status, list_cost_usd, contracted_cost_usd from intermediate.int_llm_requests__priced"
    )
    by_id = {row["request_id"]: row for row in rows}
    write_price_file(company.home / "seeds", tmp_path / "prices.json.gz")
    prices = PriceFile.load(tmp_path / "prices.json.gz")
    wrong = []
    for line in lines:
        found, row = prices.estimate(line), by_id[line["request_id"]]
        expected = (row["price_status"], _pico(row["list_cost_usd"]), _pico(row["contracted_cost_usd"]))
        if (found.status, found.list_cost_pico_usd, found.cost_pico_usd) != expected:
            wrong.append((line, found, expected))
    assert wrong == []
    states = Counter(row["price_status"] for row in rows)
    assert min(states[status] for status in ("priced", "usage_unknown", "unpriced_model", "refused_by_provider")) > 20
    assert sum(row["list_cost_usd"] != row["contracted_cost_usd"] for row in rows) > 100


def _pico(usd: Decimal | None) -> int | None:
    return None if usd is None else int(usd.scaleb(12))


def test_the_library_reads_usage_by_the_macros_of_the_warehouse() -> None:
    shipped = Path(semantics.__file__).with_name("semantics.json")
    assert json.loads(shipped.read_text()) == usage_semantics(), (
        "run: python -m orchestration.pricebook export-semantics"
    )


def test_the_same_book_is_the_same_bytes(company: Company, tmp_path: Path) -> None:
    versions = {write_price_file(company.home / "seeds", tmp_path / name) for name in ("a", "b")}
    assert len(versions) == 1
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"not gzip", b"\x1f\x8b\x08\x00\x00"])
def test_what_is_no_price_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "prices").write_bytes(content)
    with pytest.raises(PriceFileError, match="prices: cannot be read as a price file"):
        PriceFile.load(tmp_path / "prices")
