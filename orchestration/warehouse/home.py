"""What must lie in `TRUEUP_HOME` before dbt can read it.

Belongs here: empty files with the right columns, where a query over a folder would otherwise find no file and
fail. Does not belong here: anything with rows.
"""

from __future__ import annotations

from orchestration.alerting.events import ensure_events_file
from orchestration.landing.schemas import ensure_schema_files
from orchestration.settings import Settings


def prepare_home(settings: Settings) -> None:
    """Make sure that every landed table and the installation's own prices can be read, also when there are none."""
    ensure_schema_files(settings.landing)
    ensure_events_file(settings)
    own_prices = settings.home / "pricing"
    if any(own_prices.glob("*.csv")):
        return
    own_prices.mkdir(parents=True, exist_ok=True)
    with (settings.pricing / "price_overrides.csv").open() as overrides:
        (own_prices / "price_overrides.csv").write_text(overrides.readline())
