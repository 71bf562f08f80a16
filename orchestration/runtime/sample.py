"""The sample company of one `TRUEUP_HOME`: generating it, and its days.

Belongs here: where it lies and which of its files the pipeline takes. Does not belong here: its content.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from orchestration.connectors.base import Window
from orchestration.partitions import ONE_DAY
from orchestration.sample_company.options import SampleOptions
from orchestration.settings import Settings


def generate_sample(
    settings: Settings, options: SampleOptions, on_progress: Callable[[float, str], None] | None = None
) -> None:
    """Generate the sample company unless it is already there, with the planted change of the price book."""
    from orchestration.sample_company import generate  # noqa: PLC0415 - pandas, and a dozen modules

    generate(settings.sample, options, on_progress)
    target = settings.home / "pricing"
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted((settings.sample / "pricing").glob("*.csv")):
        shutil.copyfile(path, target / path.name)


def sample_days(settings: Settings) -> Window | None:
    """Return the UTC days of the generated sample company; None when there is none."""
    import json  # noqa: PLC0415
    from datetime import date  # noqa: PLC0415

    marker = settings.sample / ".sample.json"
    if not marker.exists():
        return None
    options = json.loads(marker.read_text())["options"]
    end = date.fromisoformat(options["end_date"])
    return Window(end - (options["days"] - 1) * ONE_DAY, end + ONE_DAY)
