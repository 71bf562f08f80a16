"""The loopback providers, asked over real HTTP as the documentation says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from story import Story

from orchestration.connectors.anthropic_organization import AnthropicOrganization
from orchestration.connectors.base import Window
from orchestration.connectors.openai_organization import OpenaiOrganization
from orchestration.landing.store import LandingStore
from orchestration.sample_company import LoopbackProviders

Query = list[tuple[str, str]]


def _openai(providers: LoopbackProviders, path: str, query: Query, key: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {key or providers.env['TRUEUP_SAMPLE_OPENAI_KEY']}"}
    return requests.get(f"{providers.openai_base_url}/organization/{path}", query, headers=headers, timeout=10)


def _anthropic(providers: LoopbackProviders, path: str, query: Query, **headers: str) -> requests.Response:
    sent = {"x-api-key": providers.env["TRUEUP_SAMPLE_ANTHROPIC_KEY"], "anthropic-version": "2023-06-01", **headers}
    return requests.get(f"{providers.anthropic_base_url}/v1/organizations/{path}", query, headers=sent, timeout=10)


def _unix(day: date) -> str:
    return str(int(datetime.combine(day, datetime.min.time(), UTC).timestamp()))


def _whole(story: Story) -> Query:
    end = story.manifest.end_date + timedelta(days=1)
    return [("start_time", _unix(story.manifest.start_date)), ("end_time", _unix(end))]


def _whole_anthropic(story: Story) -> Query:
    end = story.manifest.end_date + timedelta(days=1)
    return [("starting_at", f"{story.manifest.start_date}T00:00:00Z"), ("ending_at", f"{end}T00:00:00Z")]


def _openai_pages(providers: LoopbackProviders, path: str, query: Query) -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = []
    cursor: Query = []
    while True:
        answer = _openai(providers, path, query + cursor)
        assert answer.status_code == 200, answer.text
        pages.append(json.loads(answer.text, parse_float=Decimal))
        assert pages[-1]["has_more"] == (pages[-1]["next_page"] is not None)
        if not pages[-1]["has_more"]:
            return pages
        cursor = [("page", pages[-1]["next_page"])]


def test_pages_follow_one_another_without_gap_or_overlap(story: Story, providers: LoopbackProviders) -> None:
    query = [*_whole(story), ("group_by[]", "model")]
    small = _openai_pages(providers, "usage/completions", query)
    large = _openai_pages(providers, "usage/completions", [*query, ("limit", "31")])
    assert (len(small), len(large)) == (9, 2)
    days = [bucket for page in small for bucket in page["data"]]
    assert days == [bucket for page in large for bucket in page["data"]]
    starts = [bucket["start_time"] for bucket in days]
    assert starts == [int(_unix(story.manifest.start_date)) + 86_400 * number for number in range(60)]


@pytest.mark.parametrize(("path", "limit"), [("usage/completions", 31), ("usage/embeddings", 31), ("costs", 180)])
def test_more_buckets_than_documented_are_refused(
    story: Story, providers: LoopbackProviders, path: str, limit: int
) -> None:
    assert _openai(providers, path, [*_whole(story), ("limit", str(limit))]).status_code == 200
    refused = _openai(providers, path, [*_whole(story), ("limit", str(limit + 1))])
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"


def test_every_grouping_adds_up_to_the_same(story: Story, providers: LoopbackProviders) -> None:
    totals = set()
    for groups in ([], ["model"], ["project_id", "api_key_id", "model", "batch", "service_tier"]):
        query = [*_whole(story), ("limit", "31"), *(("group_by[]", group) for group in groups)]
        results = [
            row
            for page in _openai_pages(providers, "usage/completions", query)
            for bucket in page["data"]
            for row in bucket["results"]
        ]
        totals.add(tuple(sum(row[name] for row in results) for name in ("input_tokens", "output_tokens")))
        for dimension in ("project_id", "model", "service_tier"):
            assert all((row[dimension] is None) == (dimension not in groups) for row in results)
    assert len(totals) == 1


def test_costs_are_exact_numbers_of_dollars(story: Story, providers: LoopbackProviders) -> None:
    query = [*_whole(story), ("limit", "180"), ("group_by[]", "project_id"), ("group_by[]", "line_item")]
    (page,) = _openai_pages(providers, "costs", query)
    for bucket in page["data"]:
        day = datetime.fromtimestamp(bucket["start_time"], UTC).date().isoformat()
        for row in bucket["results"]:
            assert isinstance(row["amount"]["value"], Decimal | int)
        total = sum((Decimal(row["amount"]["value"]) for row in bucket["results"]), Decimal(0))
        assert total == Decimal(story.truth["providers"]["openai"][day]["billed_usd"])


def test_the_restated_day_depends_on_the_revision(story: Story, providers: LoopbackProviders) -> None:
    incident = story.incident("restated_bill")
    day = date.fromisoformat(incident["first_date"])
    query = [("start_time", _unix(day)), ("end_time", _unix(day + timedelta(days=1))), ("group_by[]", "line_item")]

    def total() -> tuple[Decimal, list[str]]:
        (page,) = _openai_pages(providers, "costs", query)
        rows = page["data"][0]["results"]
        credited = [row["line_item"] for row in rows if row["amount"]["value"] < 0]
        return sum((Decimal(row["amount"]["value"]) for row in rows), Decimal(0)), credited

    assert total()[0] == Decimal(incident["billed_usd"])
    assert len(total()[1]) == 1
    providers.revision = 1
    assert total() == (Decimal(incident["first_billed_usd"]), [])


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_wrong_key_is_refused(story: Story, providers: LoopbackProviders, key: str) -> None:
    answer = _openai(providers, "costs", _whole(story), key=key or " ")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    answer = _anthropic(providers, "cost_report", _whole_anthropic(story), **{"x-api-key": key})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"


def test_arrays_are_read_as_each_provider_reads_them(story: Story, providers: LoopbackProviders) -> None:
    bare, bracketed = (
        _openai(providers, "usage/completions", [*_whole(story), (name, "model")]).json()
        for name in ("group_by", "group_by[]")
    )
    assert bare == bracketed
    assert (
        _anthropic(providers, "cost_report", [*_whole_anthropic(story), ("group_by", "description")]).status_code == 400
    )


@pytest.mark.parametrize(
    "query",
    [
        [("group_by[]", "colour")],
        [("colour", "blue")],
        [("limit", "many")],
        [("bucket_width", "1m")],
        [("page", "page_nonsense")],
    ],
)
def test_what_the_providers_do_not_know_is_an_error(story: Story, providers: LoopbackProviders, query: Query) -> None:
    assert _openai(providers, "usage/completions", [*_whole(story), *query]).status_code == 400
    assert _anthropic(providers, "usage_report/messages", [*_whole_anthropic(story), *query]).status_code == 400


def test_a_start_is_required_and_other_paths_are_not_found(providers: LoopbackProviders) -> None:
    assert _openai(providers, "costs", []).status_code == 400
    assert _anthropic(providers, "cost_report", []).status_code == 400
    assert _openai(providers, "usage/nothing", []).status_code == 404
    assert _anthropic(providers, "nothing", []).status_code == 404


def test_days_outside_the_sample_are_empty(story: Story, providers: LoopbackProviders) -> None:
    before = story.manifest.start_date - timedelta(days=3)
    query = [("start_time", _unix(before)), ("end_time", _unix(story.manifest.start_date))]
    (page,) = _openai_pages(providers, "usage/images", query)
    assert [bucket["results"] for bucket in page["data"]] == [[], [], []]


def test_anthropic_answers_in_cents_as_text(story: Story, providers: LoopbackProviders) -> None:
    query = [*_whole_anthropic(story), ("limit", "31"), ("group_by[]", "workspace_id"), ("group_by[]", "description")]
    page = _anthropic(providers, "cost_report", query).json()
    row = page["data"][0]["results"][0]
    assert isinstance(row["amount"], str)
    assert row["currency"] == "USD"
    assert row["model"].startswith("claude-")
    without = _anthropic(providers, "cost_report", _whole_anthropic(story)).json()["data"][0]["results"][0]
    assert without["model"] is without["token_type"] is without["workspace_id"] is None


def test_the_connectors_land_the_whole_bill(story: Story, providers: LoopbackProviders, tmp_path: Any) -> None:
    """The real connectors, the real landing zone: every line arrives with its last digit."""
    import duckdb  # noqa: PLC0415 (one test)

    env = providers.env
    window = Window(story.manifest.start_date, story.manifest.end_date + timedelta(days=1))
    store = LandingStore(tmp_path / "landing")
    openai = OpenaiOrganization.Config(base_url_env="TRUEUP_SAMPLE_OPENAI_URL", api_key_env="TRUEUP_SAMPLE_OPENAI_KEY")
    anthropic = AnthropicOrganization.Config(
        base_url_env="TRUEUP_SAMPLE_ANTHROPIC_URL", api_key_env="TRUEUP_SAMPLE_ANTHROPIC_KEY"
    )
    store.run("openai", OpenaiOrganization("openai", openai, env.__getitem__), window)
    store.run("anthropic", AnthropicOrganization("anthropic", anthropic, env.__getitem__), window)

    def landed(table: str, amount: str) -> Decimal:
        files = f"{tmp_path}/landing/*/{table}/usage_date=*/*.parquet"
        return duckdb.sql(f"select sum({amount}) from read_parquet('{files}')").fetchall()[0][0]

    billed = {
        name: sum((Decimal(entry["billed_usd"]) for entry in story.truth["providers"][name].values()), Decimal(0))
        for name in ("openai", "anthropic")
    }
    assert landed("openai_costs", "amount_usd") == billed["openai"]
    assert landed("anthropic_cost_report", "amount_cents") / 100 == billed["anthropic"]


def test_revisions_other_than_two_are_refused(story: Story) -> None:
    with pytest.raises(ValueError, match="revision"), LoopbackProviders(story.manifest.root, revision=3):
        pass
    with pytest.raises(RuntimeError, match="with block"):
        _ = LoopbackProviders(story.manifest.root).openai_base_url
