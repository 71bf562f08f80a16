"""What docs/bi.md says about reading the marts works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from company import Company

DOCS = Path(__file__).resolve().parents[2] / "docs" / "bi.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)


def test_every_block_of_python_and_sql_runs(small_company: Company, tmp_path: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks("python"):
        here = block.replace("data/published", str(small_company.home / "published"))
        exec(compile(here, str(DOCS), "exec"), names)  # noqa: S102 - our own documentation
    ((counted,),) = names["requests"]  # type: ignore[misc]
    assert counted == names["rows"] > 0  # type: ignore[operator]
    assert len(names["frame"]) > 0  # type: ignore[arg-type]
    for block in blocks("sql"):
        names["marts"].execute(block.replace("'lake/", f"'{tmp_path}/"))  # type: ignore[attr-defined]
    assert list(tmp_path.rglob("*.parquet"))
