"""Identifiers as whole columns.

Belongs here: turning numbers into ids. Does not belong here: which id goes where (`columns`).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from orchestration.sample_company.text_columns import Text, fixed_width

U64: TypeAlias = npt.NDArray[np.uint64]

_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint16)


def mix(values: U64, salt: int) -> U64:
    """Scramble 64-bit numbers (the finaliser of SplitMix64); distinct inputs stay distinct."""
    with np.errstate(over="ignore"):
        x = values + np.uint64((salt * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def hex_ids(before: str, *words: U64, after: str = "", digits: int | None = None) -> Text:
    """Return strings `before` + the words in hexadecimal, cut to `digits` digits, + `after`."""
    rows = len(words[0])
    raw = np.stack([word.astype(">u8") for word in words], axis=1).view(np.uint8).reshape(rows, -1)
    body = _HEX[raw].view(np.uint8).reshape(rows, -1)[:, :digits]
    head, tail = (np.frombuffer(one.encode(), dtype=np.uint8) for one in (before, after))
    text = np.empty((rows, len(head) + body.shape[1] + len(tail)), dtype=np.uint8)
    text[:, : len(head)] = head
    text[:, len(head) : len(head) + body.shape[1]] = body
    text[:, len(head) + body.shape[1] :] = tail
    return fixed_width(text)
