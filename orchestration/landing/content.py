"""What rows say, as a hash: equal hashes mean that a pull brought nothing new.

Belongs here: hashing rows whatever their order. Does not belong here: comparing versions (`pull`).
"""

from __future__ import annotations

import hashlib
from datetime import date

import duckdb
import pyarrow as pa

from orchestration.sql import identifier

NO_ROWS = hashlib.sha256(b"").hexdigest()


def content_hash(rows: pa.Table) -> str:
    """Return the SHA-256 of what rows say, in hex. Their order does not matter; how often a row comes does."""
    return _content_hashes(rows, "null").get(None, NO_ROWS)


def content_hash_by_day(rows: pa.Table) -> dict[date, str]:
    """Return the hash of each day's rows, by the column `usage_date`; a day without rows has none (`NO_ROWS`)."""
    hashes = _content_hashes(rows, "usage_date")
    return {day: content for day, content in hashes.items() if day is not None}


def _content_hashes(rows: pa.Table, group: str) -> dict[date | None, str]:
    # As text, which tells every type exactly, and as a list of JSON strings, in which nothing can run together.
    values = ", ".join(f"cast({identifier(name)} as varchar)" for name in rows.column_names)
    query = f"""
        select day, sha256(string_agg(row_hash, '' order by row_hash))
        from (select {group} as day, sha256(cast(to_json([{values}]) as varchar)) as row_hash from rows_to_hash)
        group by day
    """
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("rows_to_hash", rows)
        return {day: str(content) for day, content in connection.execute(query).fetchall()}
