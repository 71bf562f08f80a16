"""What the landing zone refuses, said so that a person knows which table and why."""

from __future__ import annotations


class LandingError(Exception):
    """Something cannot be landed."""


class SchemaError(LandingError):
    """Data does not have the table's schema; the message names table, column, expected and got."""


class ConservationError(LandingError):
    """Rows read are not rows landed + quarantined + skipped: something would be lost silently."""


class SourceBusyError(LandingError):
    """Another process pulls the same source."""
