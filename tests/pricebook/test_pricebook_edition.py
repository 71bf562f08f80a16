"""`python -m orchestration.pricebook` on copies of the committed files."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from rows import moment

from orchestration.pricebook import edition
from orchestration.pricebook.__main__ import main
from orchestration.pricebook.book import ALIASES_FILE, PRICES_FILE, PriceRow, load_book, read_aliases, read_prices

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)


@pytest.fixture
def copy(tmp_path: Path, seeds: Path) -> Path:
    return Path(shutil.copytree(seeds, tmp_path / "pricing_seeds"))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def price(folder: Path, provider: str, model: str, at: str) -> PriceRow:
    row = load_book(folder).price_for(provider, model, "input", at=moment(at))
    assert row is not None
    return row


def test_a_refresh_of_the_committed_book_changes_nothing(copy: Path) -> None:
    """Also: the book is what the pinned package says, and without LiteLLM's map its rows stay."""
    before = contents(copy)
    found = edition.publish(copy, NOW)
    assert found.problems == []
    assert [(len(change.added), len(change.closed)) for change in found.changes] == [(0, 0)]
    assert (found.new_models, found.new_aliases, found.suspicions) == ([], [], [])
    assert contents(copy) == before
    assert any(row.source == "litellm" for row in read_prices(copy / PRICES_FILE))


def test_what_changed_in_either_source_is_closed_appended_and_told(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / PRICES_FILE
    text = path.read_text()
    line = next(one for one in text.splitlines() if one.startswith("genai-prices:cohere/command-a:input:standard,"))
    path.write_text(text.replace(line, line.replace(",2.5,", ",25,")))
    price_map = tmp_path / "map.json"
    rerank = {"litellm_provider": "cohere", "mode": "rerank", "input_cost_per_query": 0.0025}
    grok = {"litellm_provider": "azure_ai", "input_cost_per_token": 9e-6, "output_cost_per_token": 9e-6}
    price_map.write_text(json.dumps({"sample_spec": {}, "rerank-v3.5": rerank, "azure_ai/grok-4.3": grok}))
    assert price(copy, "azure.ai.inference", "grok-4.3", "2026-12-25").source == "genai-prices"

    assert main(["--seeds", str(copy), "--all", "refresh", "--litellm-map", str(price_map)]) == 0

    told = capsys.readouterr().out
    assert "litellm: 4 rows appended, 1 closed" in told
    for figure in ("$25/M", "$2.5/M", "$2/k", "$2.5/k", "tenfold_change"):
        assert figure in told

    reranks = [row for row in read_prices(path) if row.key.model == "rerank-v3.5"]
    first, past, present = sorted(reranks, key=lambda row: (row.known_from, row.valid_from))
    assert (first.valid_to, first.price_usd_per_kcount) == (None, 2)
    assert first.known_to == past.known_from == present.known_from
    assert (past.price_usd_per_kcount, present.price_usd_per_kcount) == (2, Decimal("2.5"))
    assert past.valid_to == present.valid_from
    assert present.note == "undated first_seen"

    today = first.known_to
    assert today is not None
    own = price(copy, "azure.ai.inference", "grok-4.3", (today + timedelta(days=1)).isoformat())
    assert (own.source, own.price_usd_per_mtok) == ("litellm", 9)


def test_nothing_is_written_while_the_book_would_not_be_sound_and_a_lost_one_is_made_anew(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generated = [row for row in read_prices(copy / PRICES_FILE) if row.source == "genai-prices"]
    names = {(row.provider, row.alias): row.model for row in read_aliases(copy / ALIASES_FILE)}
    models = {(row.key.provider, row.key.model) for row in read_prices(copy / PRICES_FILE)}
    overrides = copy / "price_overrides.csv"
    sound = overrides.read_text()
    line = sound.splitlines()[1].replace("override:", "override:again:", 1)
    (copy / PRICES_FILE).unlink()
    (copy / ALIASES_FILE).unlink()

    overrides.write_text(f"{sound}{line}\n")
    assert main(["--seeds", str(copy), "refresh"]) == 1
    assert "overlapping_validity" in capsys.readouterr().out
    assert not (copy / PRICES_FILE).exists()

    overrides.write_text(sound)
    assert edition.publish(copy, datetime.combine(generated[0].captured_on or NOW, NOW.timetz())).problems == []
    anew, committed = read_prices(copy / PRICES_FILE), set(generated)
    assert [row for row in anew if row in committed] == generated
    without_the_map = [row for row in anew if row not in committed]
    assert {row.note.split()[0] for row in without_the_map} == {"as_at_openai", "as_at_deepseek", "as_at_x-ai"}
    made = {(row.provider, row.alias): row.model for row in read_aliases(copy / ALIASES_FILE)}
    assert {name: model for name, model in made.items() if name not in models}.items() <= names.items()
    assert len(made) > 5000


def test_check_reads_further_overrides_and_names_both_rows(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = copy.parent / "mine.csv"
    lines = (copy / "price_overrides.csv").read_text().splitlines()
    mine.write_text("\n".join([lines[0], lines[1].replace("override:", "mine:", 1)]) + "\n")
    assert main(["--seeds", str(copy), "check"]) == 0
    assert main(["--seeds", str(copy), "check", str(mine)]) == 1
    told = capsys.readouterr().out.replace("\n", "")
    assert "override:openai/o3:cache_read:before-cut" in told
    assert "mine:openai/o3:cache_read:before-cut" in told
    with (copy / "price_terms.csv").open("a") as terms:
        terms.write("openai,,,,,101,,2026-01-01T00:00:00Z,,\n")
    with (copy / "price_multipliers.csv").open("a") as multipliers:
        multipliers.write("openai,mood,good,,1.1,2026-01-01T00:00:00Z,,manual,,\n")
    assert main(["--seeds", str(copy), "check"]) == 1
    told = capsys.readouterr().out
    assert "term_out_of_bounds" in told
    assert "unknown_dimension" in told


def test_a_file_that_cannot_be_read_is_an_error_and_not_a_trace(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", str(copy), "refresh", "--litellm-map", str(copy / "nothing.json")]) == 1
    assert "nothing.json" in capsys.readouterr().out
    with (copy / "price_overrides.csv").open("a") as handle:
        handle.write("x,openai\n")
    assert main(["--seeds", str(copy), "check"]) == 1
    assert "price_overrides.csv:" in capsys.readouterr().out
