"""JSON text as whole columns: pieces of lines, many rows at a time, in Arrow's string arrays.

Belongs here: everything that touches Arrow. Does not belong here: what a line says.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Text: TypeAlias = pa.StringArray
"""A column of strings."""

# The published stubs know neither scalars among columns nor numpy arrays; in here Arrow is dynamic.
_arrow: Any = pa
_compute: Any = pc
_NOTHING: Any = _arrow.scalar(None, _arrow.string())


@contextmanager
def recycled_memory() -> Generator[None]:
    """Let Arrow take its memory from the C library, which keeps freed pages, for as long as the block lasts.

    Measured: Arrow's own allocator gives them back at once, and half of the time of a line goes into page faults.
    """
    before = _arrow.default_memory_pool()
    _arrow.set_memory_pool(_arrow.system_memory_pool())
    try:
        yield
    finally:
        _arrow.set_memory_pool(before)


def fixed_width(text: Bytes) -> Text:
    """Return the rows of a matrix of ASCII bytes as strings."""
    offsets = np.arange(len(text) + 1, dtype=np.int32) * text.shape[1]
    buffers = [None, _arrow.py_buffer(offsets), _arrow.py_buffer(text)]
    return _arrow.Array.from_buffers(_arrow.string(), len(text), buffers)


def pick(values: Sequence[str | None], codes: Ints) -> Text:
    """Return `values[code]` for each code."""
    return _arrow.array(values, _arrow.string()).take(_arrow.array(codes))


def take(text: Text, rows: Ints) -> Text:
    """Return the strings at these positions."""
    return _compute.take(text, _arrow.array(rows))


def concat(columns: Sequence[Text]) -> Text:
    """Return the columns one below the other."""
    return _arrow.concat_arrays(columns) if columns else _arrow.array([], _arrow.string())


def digits_of(values: npt.NDArray[Any]) -> Text:
    """Return numbers as text."""
    return _compute.cast(_arrow.array(values), _arrow.string())


def only_where(known: Flags, text: Text) -> Text:
    """Return the strings where `known`, null elsewhere."""
    return _compute.if_else(_arrow.array(known), text, _NOTHING)


def around(before: str, text: Text, after: str) -> Text:
    """Return each string with text around it; null stays null."""
    return _compute.binary_join_element_wise(before, text, after, "")


def number_field(name: str, values: Ints, known: Flags | None = None) -> Text:
    """Return `,"name":123` for each row, null where the value is not known."""
    text = digits_of(values)
    return around(f',"{name}":', text if known is None else only_where(known, text), "")


def text_field(name: str, text: Text, known: Flags | None = None) -> Text:
    """Return `,"name":"value"` for each row, null where the value is null or not known."""
    return around(f',"{name}":"', text if known is None else only_where(known, text), '"')


def join(*pieces: Text | str) -> Text:
    """Return the pieces of each row written one after the other; a null piece is left out."""
    return _compute.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement="")


def comma_joined(text: Text, group: Ints, groups: int) -> Text:
    """Return, for each of `groups` groups, its strings separated by commas; `group` must be sorted."""
    offsets = np.searchsorted(group, np.arange(groups + 1), side="left").astype(np.int32)
    return _compute.binary_join(_arrow.ListArray.from_arrays(_arrow.array(offsets), text), ",")


def moments(ms: Ints) -> Text:
    """Return UTC epoch milliseconds as RFC 3339 text."""
    text = _compute.cast(_arrow.array(ms.astype("datetime64[ms]")), _arrow.string()).cast(_arrow.binary())
    return around("", _compute.binary_replace_slice(text, 10, 11, b"T").cast(_arrow.string()), "Z")


def seconds(ms: Ints) -> Text:
    """Return epoch milliseconds as seconds with three decimals."""
    rest = _compute.utf8_lpad(digits_of(ms % 1000), 3, "0")
    return _compute.binary_join_element_wise(digits_of(ms // 1000), rest, ".")


def dashed(digits: Text, cuts: Sequence[int]) -> Text:
    """Return strings with a dash at each cut."""
    pieces = [_compute.utf8_slice_codeunits(digits, start, stop) for start, stop in pairwise([0, *cuts, None])]
    return _compute.binary_join_element_wise(*pieces, "-")


def text_buffer(lines: Text) -> memoryview:
    """Return the bytes of a column, all rows one after the other, without copying them."""
    column: Any = lines
    _, offsets, data = column.buffers()
    if data is None or len(lines) == 0:
        return memoryview(b"")
    ends: Any = np.frombuffer(offsets, dtype=np.int32)
    return memoryview(data)[int(ends[column.offset]) : int(ends[column.offset + len(lines)])]
