"""The sample company of one `TRUEUP_HOME`: generating it.

Belongs here: where it lies and which of its files the pipeline takes. Does not belong here: its content.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from orchestration.sample_company import SampleOptions, generate
from orchestration.settings import Settings


def generate_sample(
    settings: Settings, options: SampleOptions, on_progress: Callable[[float, str], None] | None = None
) -> None:
    """Generate the sample company unless it is already there, with the planted change of the price book."""
    generate(settings.sample, options, on_progress)
    target = settings.home / "pricing"
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted((settings.sample / "pricing").glob("*.csv")):
        shutil.copyfile(path, target / path.name)
