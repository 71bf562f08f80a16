"""What holds for every test: a law may take its time, because speed is measured elsewhere (`make bench`)."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
