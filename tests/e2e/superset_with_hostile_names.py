"""`make check-superset`, second half: whatever a tenant is called, Superset hands out its figures under that name.

Belongs here: the charts asked of a publication whose names are hostile. Does not belong here: asking (`bi.superset`).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from orchestration.bi.superset import CHECKS, check_superset
from orchestration.publishing.reader import open_marts
from orchestration.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))
from hostile_names import TENANTS, publish_hostile


def main() -> int:
    """Compare every chart; 1 when one differs, or lacks a name."""
    settings = Settings.from_env()
    with tempfile.TemporaryDirectory() as folder:
        published = Path(folder) / "published"
        publish_hostile(settings.published, published)
        report = check_superset(settings, published)
        with open_marts(published) as marts:
            asked = {row[0] for row in marts.execute((CHECKS / "tenants.sql").read_text()).fetchall()}
    problems = [*report.differences, *(f"no chart shows {name!r}" for name in TENANTS if name not in asked)]
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"{report.values_count} values of {report.charts_count} charts, {len(TENANTS)} hostile names among them")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
