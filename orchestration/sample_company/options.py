"""What may be asked of the sample company, and what it hands back: options, layout, manifest.

Belongs here: names and places. Does not belong here: how anything is generated.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

DEFAULT_END_DATE = date(2026, 10, 31)
"""The last day of the default sample: fixed, so that its bytes stay the same, and the end of a month."""


@dataclass(frozen=True)
class SampleOptions:
    """Size and seed of a sample company.

    Attributes:
        seed: Same seed and same options give the same bytes.
        days: Number of UTC days, at least 1. Incidents that need a history are planted from 28 days on.
        requests: Attempts to aim for; the true number lies within 3 % of it from 1,000 a day on.
        tenants: Number of paying customers, at least 5.
        end_date: The last UTC day, inclusive.
        observed_share: Share, 0 to 1, of what OpenTelemetry and the gateway could see that they do export.
        incidents: Whether anything goes wrong; without, every alert is a false one.
        restless: Whether days and hours of a tenant vary as they do in public traces, and operations arrive at random.
    """

    seed: int = 20
    days: int = 60
    requests: int = 200_000
    tenants: int = 85
    end_date: date = DEFAULT_END_DATE
    observed_share: float = 1.0
    incidents: bool = True
    restless: bool = False

    def __post_init__(self) -> None:
        for name, value, least in (("days", self.days, 1), ("tenants", self.tenants, 5)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if self.requests < 20 * self.days:
            raise ValueError(f"requests must be at least 20 a day ({20 * self.days}), got {self.requests}")
        if not 0.0 <= self.observed_share <= 1.0:
            raise ValueError(f"observed_share must lie in [0, 1], got {self.observed_share}")

    @property
    def start_date(self) -> date:
        """The first UTC day."""
        return self.end_date - timedelta(days=self.days - 1)

    def as_json(self) -> dict[str, Any]:
        """Return the options as JSON-ready values."""
        return {**asdict(self), "end_date": self.end_date.isoformat()}

    def fingerprint(self, code_version: str) -> str:
        """Return a hash over the options and the generator's own version."""
        text = json.dumps({"options": self.as_json(), "code": code_version}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class SampleManifest:
    """Where a generated sample company lies and how large it became.

    Attributes:
        root: The folder given to `generate`.
        options: The options it was generated with.
        request_lines: Lines in the application's request log, retries and repeated lines included.
        spans: Inference spans in the OTLP files (their parents not counted).
        gateway_lines: Lines in the gateway's log.
        outcome_lines: Lines in the outcome log.
        generated: False when an identical sample was already there and nothing was written.
    """

    root: Path
    options: SampleOptions
    request_lines: int
    spans: int
    gateway_lines: int
    outcome_lines: int
    generated: bool

    @property
    def start_date(self) -> date:
        """The first UTC day."""
        return self.options.start_date

    @property
    def end_date(self) -> date:
        """The last UTC day, inclusive."""
        return self.options.end_date

    @property
    def requests(self) -> Path:
        """Folder of the `llm.request` log: `day=YYYY-MM-DD[-NNN].jsonl[.gz]`."""
        return self.root / "requests"

    @property
    def otel(self) -> Path:
        """Folder of OTLP/JSON lines."""
        return self.root / "otel"

    @property
    def gateway(self) -> Path:
        """Folder of LiteLLM StandardLoggingPayload lines."""
        return self.root / "gateway"

    @property
    def outcomes(self) -> Path:
        """Folder of the `product.outcome` log."""
        return self.root / "outcomes"

    @property
    def company(self) -> Path:
        """Folder of `customers plans subscriptions revenue releases budgets`, each a CSV."""
        return self.root / "company"

    @property
    def bills(self) -> Path:
        """Folder of what the loopback providers serve."""
        return self.root / "bills"

    @property
    def price_overrides(self) -> Path:
        """The override rows that the planted price change needs; belongs into `TRUEUP_HOME/pricing/`."""
        return self.root / "pricing" / "price_overrides_sample.csv"

    @property
    def ground_truth(self) -> Path:
        """Every planted incident with its size, and the oracle's totals."""
        return self.root / "ground_truth.json"
