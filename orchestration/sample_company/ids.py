"""Identifiers and JSON text as whole columns.

Belongs here: turning numbers into ids, and pieces into lines, many rows at a time. Does not belong here: what a
line says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

U64 = npt.NDArray[np.uint64]

_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint16)


def mix(values: U64, salt: int) -> U64:
    """Scramble 64-bit numbers (the finaliser of SplitMix64); distinct inputs stay distinct."""
    with np.errstate(over="ignore"):
        x = values + np.uint64((salt * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def hex_ids(prefix: str, *words: U64, digits: int | None = None) -> pa.Array:
    """Return strings `prefix` + the words in hexadecimal, cut to `digits` hexadecimal digits."""
    rows = len(words[0])
    raw = np.stack([word.astype(">u8") for word in words], axis=1).view(np.uint8).reshape(rows, -1)
    body = _HEX[raw].view(np.uint8).reshape(rows, -1)[:, :digits]
    head = np.frombuffer(prefix.encode(), dtype=np.uint8)
    text = np.empty((rows, len(head) + body.shape[1]), dtype=np.uint8)
    text[:, : len(head)] = head
    text[:, len(head) :] = body
    offsets = np.arange(rows + 1, dtype=np.int32) * text.shape[1]
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def pick(values: Sequence[str | None], codes: npt.NDArray[Any]) -> pa.Array:
    """Return `values[code]` for each code, as strings."""
    return pa.array(values, pa.string()).take(pa.array(codes))


def number_field(name: str, values: npt.NDArray[Any], known: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Return `,"name":123` for each row, null where the value is not known."""
    mask = None if known is None else ~known
    text = pc.cast(pa.array(values, mask=mask), pa.string())
    return pc.binary_join_element_wise(f',"{name}":', text, "")


def text_field(name: str, values: pa.Array, known: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Return `,"name":"value"` for each row, null where the value is null or not known."""
    if known is not None:
        values = pc.if_else(pa.array(known), values, None)
    return pc.binary_join_element_wise(f',"{name}":"', values, '"', "")


def join(*pieces: pa.Array | str) -> pa.Array:
    """Return the pieces of each row written one after the other; a null piece is left out."""
    return pc.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement="")


def text_buffer(lines: pa.Array) -> memoryview:
    """Return the bytes of a string array, all rows one after the other, without copying them."""
    _, offsets, data = lines.buffers()
    if data is None or len(lines) == 0:
        return memoryview(b"")
    ends = np.frombuffer(offsets, dtype=np.int32)
    return memoryview(data)[int(ends[lines.offset]) : int(ends[lines.offset + len(lines)])]
