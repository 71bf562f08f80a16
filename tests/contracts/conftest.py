"""Real recordings lie beside a checkout, not in it: their tests exist only where the recordings do."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"

collect_ignore = [] if SAMPLES.is_dir() else ["test_shared_samples.py"]
