"""Keeping content out of the two fields of a line that are objects.

Belongs here: which text of a usage object or of tags may be kept. Does not belong here: top-level fields; those
that no contract names are never read.

Nearly every value is plain, which one pattern over a column tells; the others are taken apart in Python.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute

from orchestration.connectors.line_format import FieldKind

# Its stubs are narrower than its functions.
pc: Any = pyarrow.compute

# What usage objects say in words: Anthropic `service_tier`, `inference_geo`; Gemini `modality`, `trafficType`;
# Bedrock `ttl`; others `type`, `object`, `speed`.
_WHAT_IS_COUNTED = frozenset(
    ("service_tier", "serviceTier", "inference_geo", "modality", "trafficType", "ttl", "type", "object", "speed")
)
_WORD = "[A-Za-z0-9_.:-]{0,64}"
_KEY = "[A-Za-z0-9_.:-]{1,64}"
_LABEL_CHARACTERS = 200
# Whole names, or their last part: `user`, `enduser.id`, `llm.prompt`.
_NOT_A_LABEL = (
    '(?:[^"]*[._-])?(?:user|user[._-]?id|user[._-]?name|e?mail|prompt|messages?|content|inputs?|outputs?|completion'
    "|query|question|answer|text|response)"
)

_NUMBER = "-?[0-9][0-9.eE+-]*"
_PLAIN_COUNTS = (
    f'^(?:[{{}},:\\[\\]]|{_NUMBER}|true|false|null|"{_KEY}":|"(?:{"|".join(sorted(_WHAT_IS_COUNTED))})":"{_WORD}")*$'
)
_PLAIN_LABELS = f'^\\{{(?:"{_KEY}":(?:"[^"\\\\]{{0,{_LABEL_CHARACTERS}}}"|{_NUMBER}|true|false|null),?)*\\}}$'
_HAS_NO_LABEL = f'"{_NOT_A_LABEL}":'


def without_content(objects: pa.Array[Any], kind: FieldKind) -> pa.Array[Any]:
    """Return JSON objects without what may be content or name a user.

    Args:
        objects: Valid JSON objects without insignificant white space; NULL stays NULL.
        kind: `COUNTS` keeps numbers, and the words that say what is counted. `LABELS` keeps short values.
    """
    if kind is FieldKind.COUNTS:
        is_plain, clean = pc.match_substring_regex(objects, _PLAIN_COUNTS), _clean_counts
    else:
        is_plain, clean = pc.match_substring_regex(objects, _PLAIN_LABELS), _clean_labels
        is_suspect = pc.match_substring_regex(objects, _HAS_NO_LABEL, ignore_case=True)
        is_plain = pc.and_not(is_plain, is_suspect)
    needs_care = pc.fill_null(pc.invert(is_plain), False)
    careful: list[Any] = objects.filter(needs_care).to_pylist()
    if not careful:
        return objects
    cleaned = [json.dumps(clean(json.loads(text)), separators=(",", ":")) for text in careful]
    return pc.replace_with_mask(objects, needs_care, pa.array(cleaned, pa.string()))


def _clean_counts(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return {
            key: _clean_counts(member)
            for key, member in members
            if re.fullmatch(_KEY, key)
            and (not isinstance(member, str) or (key in _WHAT_IS_COUNTED and re.fullmatch(_WORD, member)))
        }
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_clean_counts(item) for item in items if not isinstance(item, str)]
    return value


def _clean_labels(labels: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in labels.items()
        if re.fullmatch(_KEY, key)
        and not re.fullmatch(_NOT_A_LABEL, key, re.IGNORECASE)
        and not isinstance(value, dict | list)
        and len(str(value)) <= _LABEL_CHARACTERS
    }
