"""What does not fit into memory spills beside the warehouse, and the next connection goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.environments import create

from orchestration.settings import PROJECT_ROOT


def profile(variables: dict[str, str]) -> dict[str, Any]:
    """What `profiles.yml` says, given these environment variables."""
    text = (PROJECT_ROOT / "dbt_project" / "profiles.yml").read_text()
    rendered = jinja2.Template(text).render(env_var=lambda name, default="": variables.get(name, default))
    output: dict[str, Any] = yaml.safe_load(rendered)["trueup"]["outputs"]["duckdb"]
    return {name: value for name, value in output.items() if name != "type"} | {"database": "warehouse"}


def test_a_connection_opens_after_another_has_spilled(tmp_path: Path) -> None:
    """DuckDB refuses to be told its temporary directory again once something lies there: 10 M requests failed so."""
    variables = {"TRUEUP_HOME": str(tmp_path), "TRUEUP_DUCKDB_MEMORY_LIMIT": "150MB"}
    (tmp_path / "tmp").mkdir()
    environment = create(DuckDBCredentials.from_dict(profile(variables)))

    try:
        first = environment.handle()
        first.cursor().execute(
            "create temp table big as select md5(cast(number as varchar)) as text from range(6000000) as t (number)"
        )
        assert list((tmp_path / "tmp").iterdir())
        second = environment.handle().cursor()
        second.execute("select current_setting('disabled_optimizers'), current_setting('TimeZone')")
        assert second.fetchall() == [("build_side_probe_side,common_subplan", "UTC")]
    finally:
        environment.close()
