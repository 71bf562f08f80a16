"""Writes the sample company: draws each part of each day, hands it to every observer, then closes the books.

Belongs here: order, files, parallelism. Does not belong here: what is drawn or written, and whether it needs
to be (`sample`).
"""

from __future__ import annotations

import csv
import gzip
from collections import deque
from collections.abc import Generator as Yields
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO

import numpy as np

from orchestration.sample_company.attempts import draw_attempts
from orchestration.sample_company.catalog import REQUEST_MODEL_IDS
from orchestration.sample_company.columns import ReleaseCalendar
from orchestration.sample_company.company import Company, Release, build_company
from orchestration.sample_company.gateway_log import GatewayLog
from orchestration.sample_company.incidents import IncidentKind, IncidentPlan, plan_incidents
from orchestration.sample_company.ledger import Ledger, post
from orchestration.sample_company.operations import DAY_MS, Demand, draw_operations
from orchestration.sample_company.options import SampleManifest, SampleOptions
from orchestration.sample_company.oracle import build_bills, epoch_day, plain, uninstrumented_usage
from orchestration.sample_company.otel_log import OtelLog
from orchestration.sample_company.outcome_log import OutcomeCounts, draw_events
from orchestration.sample_company.prices import CUT_MODEL, CUT_USD_PER_MTOK, TokenClass
from orchestration.sample_company.request_log import RequestLog
from orchestration.sample_company.sample import Progress, write_json
from orchestration.sample_company.tables import (
    build_budgets,
    build_releases,
    build_tables,
    months_of,
    write_tables,
)
from orchestration.sample_company.text_columns import Ints, Text, concat, recycled_memory, take, text_buffer
from orchestration.sample_company.truth import GroundTruth, cut_ms, spend_by_date, write_cost_table

COMPRESSED_DAYS = range(5, 8)
"""Day numbers whose request log has been compressed by log rotation."""
THREADS = 2
"""numpy and Arrow leave the interpreter lock while they work; more threads only add memory."""

_PRICE_COLUMNS = (
    "price_id", "provider", "model", "usage_class", "service_tier", "context_from_tokens", "region",
    "utc_time_from", "utc_time_to", "valid_from", "valid_to", "known_from", "known_to", "price_usd_per_mtok",
    "price_usd_per_kcount", "precedence", "source", "source_version", "source_url", "captured_on", "note",
)  # fmt: skip


@dataclass(frozen=True)
class _Part:
    ledger: Ledger
    events: list[tuple[int, Ints, Text]]
    outcomes: OutcomeCounts
    request_lines: int
    spans: int
    gateway_lines: int


class Generator:
    """One generation."""

    def __init__(self, out: Path, options: SampleOptions, progress: Progress) -> None:
        self._out = out
        self._options = options
        self._progress = progress
        self._company: Company = build_company(options)
        self._plan: IncidentPlan = plan_incidents(options, self._company)
        self._releases: tuple[Release, ...] = build_releases(options, self._plan)
        self._demand = Demand(options, self._company, self._plan)
        self._cut_ms = cut_ms(self._plan, options)
        calendar = ReleaseCalendar(self._releases)
        self._request_log = RequestLog(self._company, calendar)
        self._otel_log = OtelLog(self._company, calendar, options.observed_share)
        self._gateway_log = GatewayLog(self._company, options.observed_share, self._cut_ms)
        self._ledger = Ledger()

    def write(self) -> SampleManifest:
        """Write everything but the marker."""
        options = self._options
        request_lines = spans = gateway_lines = outcome_lines = 0
        outcomes = OutcomeCounts(0, 0, 0, 0)
        pending: dict[int, list[tuple[Ints, Text]]] = {}
        with recycled_memory():
            for day, parts in self._parts():
                for part in parts:
                    self._ledger.merge(part.ledger)
                    outcomes = outcomes.plus(part.outcomes)
                    request_lines += part.request_lines
                    spans += part.spans
                    gateway_lines += part.gateway_lines
                    for event_day, at_ms, lines in part.events:
                        pending.setdefault(event_day, []).append((at_ms, lines))
                outcome_lines += self._write_outcomes(day, pending)
                what = f"{self._date(day)}: {request_lines:,} requests"
                self._progress(0.95 * (day + 1) / options.days, what)
        manifest = SampleManifest(
            self._out, options, request_lines, spans, gateway_lines, outcome_lines, generated=True
        )
        self._close_the_books(manifest, outcomes)
        self._progress(1.0, "done")
        return manifest

    def _parts(self) -> Iterator[tuple[int, list[_Part]]]:
        """Yield the parts of each day in order, drawn by a few threads that run a little ahead."""
        tasks = [
            (day, part, parts)
            for day in range(self._options.days)
            for parts in (self._demand.parts(day),)
            for part in range(parts)
        ]
        waiting: deque[tuple[int, Future[_Part]]] = deque()
        done: list[_Part] = []
        with ThreadPoolExecutor(THREADS) as pool:
            upcoming = iter(tasks)
            for day, part, parts in tasks[: THREADS + 1]:
                next(upcoming)
                waiting.append((day, pool.submit(self._part, day, part, parts)))
            while waiting:
                day, future = waiting.popleft()
                done.append(future.result())
                following = next(upcoming, None)
                if following is not None:
                    waiting.append((following[0], pool.submit(self._part, *following)))
                if not waiting or waiting[0][0] != day:
                    yield day, done
                    done = []

    def _part(self, day: int, part: int, parts: int) -> _Part:
        ops = draw_operations(self._demand, day, part, parts)
        attempts = draw_attempts(ops, self._plan, self._options, day=day, part=part)
        end_ms = (epoch_day(self._options.end_date) + 1) * DAY_MS
        events = draw_events(ops, attempts, self._company, self._options, day=day, part=part)
        name = f"day={self._date(day)}" + (f"-{part + 1:03d}" if parts > 1 else "")
        compressed = day in COMPRESSED_DAYS
        with _opened(self._out / "requests" / f"{name}.jsonl", compressed=compressed) as file:
            request_lines = self._request_log.write(ops, attempts, file)
        with _opened(self._out / "otel" / f"{name}.jsonl") as file:
            spans = self._otel_log.write(ops, attempts, file)
        with _opened(self._out / "gateway" / f"{name}.jsonl") as file:
            gateway_lines = self._gateway_log.write(ops, attempts, file)
        return _Part(
            ledger=post(ops, attempts, self._cut_ms),
            events=[one for one in events.by_day() if one[0] * DAY_MS < end_ms],
            outcomes=events.counts(end_ms),
            request_lines=request_lines,
            spans=spans,
            gateway_lines=gateway_lines,
        )

    def _write_outcomes(self, day: int, pending: dict[int, list[tuple[Ints, Text]]]) -> int:
        """Write the outcomes that happened on a day; returns how many."""
        date_of_day = self._options.start_date + timedelta(days=day)
        batches = pending.pop(epoch_day(date_of_day), [])
        if not batches:
            return 0
        lines = concat([one for _, one in batches])
        order = np.argsort(np.concatenate([one for one, _ in batches]), kind="stable")
        with _opened(self._out / "outcomes" / f"day={date_of_day}.jsonl") as file:
            file.write(text_buffer(take(lines, order)))
        return len(lines)

    def _close_the_books(self, manifest: SampleManifest, outcomes: OutcomeCounts) -> None:
        options = self._options
        for key, used in uninstrumented_usage(options, self._plan).items():
            self._ledger.usage[key] = used
        bills = build_bills(self._ledger.usage, options, self._plan)
        write_json(manifest.bills / "openai.json", bills.openai)
        write_json(manifest.bills / "anthropic.json", bills.anthropic)
        spend = spend_by_date(bills, self._ledger.usage, options)
        budgets = self._budgets(spend)
        write_tables(manifest.company, build_tables(options, self._company, self._releases, budgets))
        write_price_overrides(manifest.price_overrides, self._plan.price_cut_date(options))
        write_cost_table(self._out / "truth" / "cost_by_tenant_feature_day.csv", self._ledger, self._company)
        truth = GroundTruth(
            options=options,
            company=self._company,
            plan=self._plan,
            releases=self._releases,
            ledger=self._ledger,
            bills=bills,
        )
        counts = {
            "attempts": sum(self._ledger.outcomes.values()),
            "request_lines": manifest.request_lines,
            "spans": manifest.spans,
            "gateway_lines": manifest.gateway_lines,
            "outcome_lines": manifest.outcome_lines,
            "outcomes": asdict(outcomes),
        }
        write_json(manifest.ground_truth, truth.as_json(spend, budgets, counts), indent=1)

    def _budgets(self, spend: dict[date, Decimal]) -> list[dict[str, object]]:
        options = self._options
        months = {
            month: sum((amount for day, amount in spend.items() if day.replace(day=1) == month), Decimal(0))
            for month in months_of(options)
        }
        burn = self._plan.of(IncidentKind.BUDGET_BURN)
        first_week = Decimal(0)
        if burn is not None:
            first, last = burn.dates(options)
            first_week = sum((amount for day, amount in spend.items() if first <= day <= last), Decimal(0))
        usual = sum(spend.values(), Decimal(0)) * 30 / options.days
        return build_budgets(options, months, first_week, usual)

    def _date(self, day: int) -> str:
        return (self._options.start_date + timedelta(days=day)).isoformat()


def write_price_overrides(path: Path, cut_from: date | None) -> None:
    """Write the price rows without which the planted price cut would be priced at the old price."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=_PRICE_COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        if cut_from is None:
            return
        moment = datetime.combine(cut_from, time(), tzinfo=UTC).isoformat().replace("+00:00", "Z")
        model = REQUEST_MODEL_IDS[CUT_MODEL]
        classes = {
            TokenClass.INPUT: "input",
            TokenClass.CACHE_READ: "cache_read",
            TokenClass.OUTPUT: "output",
        }
        for token_class, name in classes.items():
            price = CUT_USD_PER_MTOK[token_class]
            if price is None:
                continue
            writer.writerow(
                {
                    "price_id": f"sample:openai/{model}:{name}:standard@{cut_from}",
                    "provider": "openai",
                    "model": model,
                    "usage_class": name,
                    "service_tier": "standard",
                    "context_from_tokens": 0,
                    "valid_from": moment,
                    "known_from": moment,
                    "price_usd_per_mtok": plain(price),
                    "precedence": 30,
                    "source": "override",
                    "source_version": "sample",
                    "source_url": "https://example.com/sample-company/price-change",
                    "captured_on": cut_from.isoformat(),
                    "note": "Fictitious: the sample company's provider cuts this price by 20 %.",
                }
            )


@contextmanager
def _opened(path: Path, *, compressed: bool = False) -> Yields[IO[bytes] | gzip.GzipFile]:
    """Open a file for writing; nothing stays behind when nothing is written."""
    target = path.with_name(path.name + ".gz") if compressed else path
    with target.open("wb") as raw:
        if compressed:
            # Without a name and a time, so that the same lines give the same bytes.
            with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0) as file:
                yield file
        else:
            yield raw
    if target.stat().st_size == 0:
        target.unlink()
