"""Names that logs may bring, and a publication of the small company in which tenants and features bear them."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.publishing.versions import current_version, marts_path, switch
from orchestration.sql import ROOT_VARIABLE, literal

TENANTS = (
    "=cmd('calc')!A1",
    "<script>alert(1)</script>",
    "\"quoted\" 'and' `ticked` \\ $x$ {{y}} | z",
    "🧾🦊 émoji",
    "x" * 500,
    "שלום\u202eright-to-left",
    "**bold** [link](javascript:alert(1)) :red[red] &amp; <img src=x onerror=alert(1)>",
    "line\nbreak\tand\u0001control",
)
FEATURES = ("@SUM(A1:A9)", "<b>feature</b>", "+1'; drop table alerts; --", "機能 \u2066isolate", "-" * 300)


def publish_hostile(published: Path, target: Path) -> None:
    """Write a version like the newest of `published` whose dearest tenants and features are called as above."""
    target.mkdir(parents=True)
    version = current_version(published)
    assert version is not None
    with duckdb.connect(str(marts_path(target, version))) as marts:
        marts.execute("set TimeZone = 'UTC'")
        marts.execute(f"set variable {ROOT_VARIABLE} = {literal(str(published))}")
        marts.execute(f"attach {literal(str(marts_path(published, version)))} as source (read_only)")
        tenants = _dearest(marts, "unit_economics_by_tenant_day", "tenant_id", len(TENANTS))
        features = _dearest(marts, "unit_economics_by_feature_day", "feature", len(FEATURES))
        renamed = {"tenant_id": (tenants, TENANTS), "scope_id": (tenants, TENANTS), "feature": (features, FEATURES)}
        names = [name for (name,) in marts.execute("select mart from source.published_info").fetchall()]
        for mart in (*names, "published_info", "published_files"):
            columns = [name for name, *_ in marts.execute(f"describe source.{mart}").fetchall()]
            marts.execute(f"create table {mart} as from source.{mart}")
            for column in renamed.keys() & columns:
                old, new = renamed[column]
                marts.execute(
                    f"update {mart} set {column} = $new[list_position($old, {column})] "
                    f"where list_contains($old, {column})",
                    {"old": old, "new": list(new[: len(old)])},
                )
        marts.execute("update dim_customers set customer_name = tenant_id")
    switch(target, version)


def _dearest(marts: duckdb.DuckDBPyConnection, mart: str, column: str, most: int) -> list[str]:
    found = marts.execute(
        f"select {column} from source.{mart} group by {column} "
        "order by sum(effective_cost_usd) desc nulls last limit $1",
        [most],
    ).fetchall()
    return [name for (name,) in found]
