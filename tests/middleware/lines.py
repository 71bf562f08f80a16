"""Reading what a meter has logged, each line held against the schema that the warehouse reads by."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).parents[2] / "orchestration/connectors/schemas/llm_request.v1.json"


@cache
def schema() -> Any:
    """The schema that the warehouse reads by."""
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """Every line of the folder, each held against the schema, its fields all known to it."""
    lines: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            schema().validate(line)
            assert line.keys() <= schema().schema["properties"].keys()
            lines.append(line)
    return lines
