"""Does the bundle work in Superset, and do its charts say what the marts say?

Belongs here: starting Superset in an environment of its own, importing the bundle, asking each chart's data through the
API, comparing. Does not belong here: the bundle (`bundle`), and what each chart must say (`bi/superset/checks`).
"""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.bi.bundle import write_bundle
from orchestration.environments import Environment, environment
from orchestration.publishing.reader import open_marts
from orchestration.settings import PROJECT_ROOT, Settings

REQUIREMENTS = PROJECT_ROOT / "bi" / "superset" / "requirements.txt"
CHECKS = PROJECT_ROOT / "bi" / "superset" / "checks"
PYTHONS = ("3.11", "3.12")

_CONFIG = PROJECT_ROOT / "bi" / "superset" / "check_config.py"
_ASK = PROJECT_ROOT / "bi" / "superset" / "ask_charts.py"
_RELATIVE_TOLERANCE = 1e-12
"""Superset hands decimals out as doubles."""

Row = Mapping[str, Any]
Key = tuple[str, ...]
Cells = Mapping[Key, float | None]


@dataclass(frozen=True)
class SupersetReport:
    """What Superset answered.

    Attributes:
        charts_count: Charts that were asked.
        values_count: Values that were compared.
        differences: What differs, in words; empty when every chart says what the marts say.
    """

    charts_count: int
    values_count: int
    differences: tuple[str, ...]


def check_superset(settings: Settings, published: Path | None = None) -> SupersetReport:
    """Import the bundle into a Superset of its own, on SQLite, and compare every chart with the marts.

    Args:
        settings: The installation; environment, metadata and bundle lie below its home.
        published: What Superset reads, where it is not what the installation publishes.

    Raises:
        NotPublishedError: When nothing has been published.
        ProgramUnavailableError: When Superset cannot be installed or run, or refuses the bundle.
    """
    published = published or settings.published
    folder = settings.home / "superset"
    bundle = folder / "trueup.zip"
    write_bundle(published, bundle)
    program = environment(folder / "environment", REQUIREMENTS, PYTHONS)
    answers = _ask(program, folder, bundle)
    differences: list[str] = []
    values_count = 0
    expected = {path.stem: path.read_text() for path in sorted(CHECKS.glob("*.sql"))}
    with open_marts(published) as marts:
        for chart in sorted({*expected, *answers}):
            if chart not in answers or chart not in expected:
                differences.append(
                    f"{chart}: {'no such chart' if chart in expected else 'bi/superset/checks lacks it'}"
                )
                continue
            relation = marts.execute(expected[chart])
            names = [column[0] for column in relation.description or []]
            rows = [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
            should, is_ = cells(rows), cells(answers[chart])
            values_count += len(should)
            differences += compare(chart, should, is_)
    return SupersetReport(len(answers), values_count, tuple(differences))


def compare(chart: str, expected: Cells, found: Cells) -> list[str]:
    """Return in words where a chart differs from the marts; a missing row holds nothing known."""
    return [
        f"{chart}, {', '.join(key)}: {found.get(key)}, but the marts say {expected.get(key)}"
        for key in sorted({*expected, *found})
        if not _is_same(expected.get(key), found.get(key))
    ]


def cells(rows: Sequence[Row]) -> dict[Key, float | None]:
    """Return the figures of rows by figure and by what names them: dates and texts."""
    found: dict[Key, float | None] = {}
    for row in rows:
        names = [_name(name, value) for name, value in row.items() if not _is_figure(name)]
        for name, value in row.items():
            if _is_figure(name):
                found[(name, *names)] = None if value is None else float(value)
    return found


def _ask(program: Environment, folder: Path, bundle: Path) -> Mapping[str, Sequence[Row]]:
    """Return the rows of every chart by the name of its file."""
    answer = folder / "charts.json"
    variables = {
        **os.environ,
        "SUPERSET_CONFIG_PATH": str(_CONFIG),
        "FLASK_APP": "superset.app:create_app()",
        "TRUEUP_SUPERSET_METADATA": f"sqlite:///{folder / 'metadata.db'}",
        "TRUEUP_SUPERSET_SECRET": secrets.token_urlsafe(42),
        "TRUEUP_SUPERSET_PASSWORD": secrets.token_urlsafe(16),
    }
    # Tables are made anew: a password or an asset of an earlier check must not count.
    (folder / "metadata.db").unlink(missing_ok=True)
    program.run("superset", "db", "upgrade", cwd=folder, variables=variables)
    program.run("superset", "init", cwd=folder, variables=variables)
    program.run("python", _ASK, bundle, answer, cwd=folder, variables=variables)
    content: Mapping[str, Sequence[Row]] = json.loads(answer.read_text())
    return content


def _is_figure(name: str) -> bool:
    return name.endswith(("_usd", "_count", "_rate", "_share", "_coverage")) or name == "tokens"


def _name(name: str, value: object) -> str:
    """Return what names a row as text; Superset states a day in milliseconds."""
    if name.endswith("_date") and isinstance(value, int | float):
        return str(datetime.fromtimestamp(value / 1000, UTC).date())
    return str(value)


def _is_same(expected: float | None, found: float | None) -> bool:
    if expected is None or found is None:
        return expected is found
    return math.isclose(expected, found, rel_tol=_RELATIVE_TOLERANCE, abs_tol=_RELATIVE_TOLERANCE)
