"""What goes wrong at the sample company, and when: the plan of the planted incidents.

Belongs here: days, scopes, causes and the strength of each incident. Does not belong here: how traffic is
changed by it (`operations`, `attempts`, `oracle`) and how large it became (`truth`).

Days are fractions of the period, so that every length of sample has the same story. Incidents that can only
be seen against a history are planted from `HISTORY_DAYS` days on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

from orchestration.sample_company import company as company_module
from orchestration.sample_company.catalog import FEATURE_NAMES, MODEL_IDS, Feature, Model
from orchestration.sample_company.company import Company
from orchestration.sample_company.options import SampleOptions

HISTORY_DAYS = 28


class IncidentKind(IntEnum):
    """The incidents; the number is the code that marks rows in the arrays, 0 means none."""

    NONE = 0
    NOISY_TENANT = 1
    PROMPT_GROWTH = 2
    RETRY_STORM = 3
    MODEL_DRIFT = 4
    CACHE_COLLAPSE = 5
    EMBEDDING_RUNAWAY = 6
    PRICE_CUT = 7
    UNTAGGED_TRAFFIC = 8
    UNPRICED_MODEL = 9
    UNINSTRUMENTED_SERVICE = 10
    RESTATED_BILL = 11
    VOLUME_DISCOUNT = 12
    BUDGET_BURN = 13
    OUTGROWN_PLAN = 14


NOISY_FACTOR = 6.0
PROMPT_GROWTH_FACTOR = 1.7
STORM_FAILURE_SHARE = 0.42
OUTGROWN_GROWTH_PER_DAY = 1.09
UNTAGGED_SHARE = 0.35
UNPRICED_SHARE = 0.5
CACHE_HIT_SHARE, COLLAPSED_CACHE_HIT_SHARE = 0.82, 0.065
DRIFTED_DRAFT_MODELS = ((Model.HAIKU_45, 0.05), (Model.SONNET_45, 0.37), (Model.OPUS_45, 0.58))


@dataclass(frozen=True)
class Incident:
    """One planted incident.

    Attributes:
        first_day, last_day: Day numbers, inclusive.
        rule: What should notice it: the `alert_rule` of an alert, or the mart in which it shows.
        tenant: Position in the ranking of tenants; None when it concerns all of them.
    """

    kind: IncidentKind
    first_day: int
    last_day: int
    rule: str
    cause: str
    tenant: int | None = None
    feature: Feature | None = None
    model: Model | None = None
    provider: str | None = None

    @property
    def incident_id(self) -> str:
        """The stable name of the incident."""
        return self.kind.name.lower()

    def covers(self, day: int) -> bool:
        """Tell whether the incident is on at this day number."""
        return self.first_day <= day <= self.last_day

    def dates(self, options: SampleOptions) -> tuple[date, date]:
        """Return the first and the last date, both inclusive."""
        start = options.start_date
        return start + timedelta(days=self.first_day), start + timedelta(days=self.last_day)

    def scope(self, company: Company) -> dict[str, str | None]:
        """Return whom and what it concerns, by name."""
        return {
            "tenant_id": None if self.tenant is None else company.tenants[self.tenant].tenant_id,
            "feature": None if self.feature is None else FEATURE_NAMES[self.feature],
            "model": None if self.model is None else MODEL_IDS[self.model],
            "provider": self.provider,
        }


@dataclass(frozen=True)
class IncidentPlan:
    """The incidents of one sample, and the planned changes that look like none but move the figures."""

    incidents: tuple[Incident, ...]
    tier_move_day: int

    def of(self, kind: IncidentKind) -> Incident | None:
        """Return the incident of this kind, None when the sample is too short for it."""
        return next((incident for incident in self.incidents if incident.kind is kind), None)

    def on(self, kind: IncidentKind, day: int) -> Incident | None:
        """Return the incident of this kind when it is on at this day number."""
        incident = self.of(kind)
        return incident if incident is not None and incident.covers(day) else None

    def price_cut_date(self, options: SampleOptions) -> date | None:
        """Return the first date of the cut price, None when there is none."""
        cut = self.of(IncidentKind.PRICE_CUT)
        return None if cut is None else options.start_date + timedelta(days=cut.first_day)


def budget_month(options: SampleOptions) -> date | None:
    """Return the first day of the month whose first week lies within the sample, the latest one."""
    month = options.end_date.replace(day=1)
    if options.end_date.day < 7:
        month = (month - timedelta(days=1)).replace(day=1)
    return month if month >= options.start_date else None


def plan_incidents(options: SampleOptions, company: Company) -> IncidentPlan:
    """Lay out the incidents over the period."""
    days = options.days
    last = days - 1

    def day(fraction: float) -> int:
        return min(last, int(fraction * days))

    tier_move_day = day(0.72)
    if not options.incidents:
        return IncidentPlan((), tier_move_day)
    found = [
        Incident(
            IncidentKind.EMBEDDING_RUNAWAY, day(0.34), day(0.34), "embedding_overrun",
            "an indexing job lost its cursor and embedded the whole knowledge base again and again",
            tenant=company.rank(company_module.INDEXING_RANK), feature=Feature.RAG_ANSWERS,
            model=Model.EMBEDDING_3_SMALL, provider="openai",
        ),
        Incident(
            IncidentKind.UNTAGGED_TRAFFIC, day(0.37), min(last, day(0.37) + 2), "unattributed_share",
            "a worker of draft_writer was deployed without the context that carries tenant and feature",
            feature=Feature.DRAFT_WRITER,
        ),
        Incident(
            IncidentKind.UNINSTRUMENTED_SERVICE, day(0.36), last, "unattributed_share",
            "the data science team calls the provider from notebooks that nobody instrumented",
            provider="openai",
        ),
        Incident(
            IncidentKind.UNPRICED_MODEL, day(0.84), min(last, day(0.84) + 6), "unpriced_requests",
            "half of ticket_classifier was moved to a preview deployment that is in no price list",
            feature=Feature.TICKET_CLASSIFIER, model=Model.INTERNAL_PREVIEW, provider="azure.ai.openai",
        ),
        Incident(
            IncidentKind.PRICE_CUT, day(0.67), last, "price_changed",
            "the provider cut the price of gpt-4.1 by 20 % from midnight UTC",
            model=Model.GPT_41, provider="openai",
        ),
        Incident(
            IncidentKind.RESTATED_BILL, max(0, last - 4), max(0, last - 4), "restatements",
            "the first answer lacked the day's last three hours; the later one has them and a credit",
            provider="openai",
        ),
        Incident(
            IncidentKind.VOLUME_DISCOUNT, 0, last, "recon_estimated_vs_billed_by_provider_day",
            "a volume agreement puts Anthropic's bill 8 % below list price; no log knows of it",
            provider="anthropic",
        ),
    ]  # fmt: skip
    month = budget_month(options)
    if month is not None:
        first = (month - options.start_date).days
        found.append(
            Incident(
                IncidentKind.BUDGET_BURN,
                first,
                min(last, first + 6),
                "budget_burned_in_first_week",
                "this month's company budget was entered about four times too low",
            )
        )
    if days >= HISTORY_DAYS:
        found += [
            Incident(
                IncidentKind.NOISY_TENANT, day(0.22), day(0.22) + 2, "tenant_spend_spike",
                "a script of this customer polls every feature; six times its usual traffic",
                tenant=company.rank(company_module.NOISY_RANK),
            ),
            Incident(
                IncidentKind.RETRY_STORM, day(0.44), day(0.44) + 1, "error_rate_with_rising_tokens",
                "a client time-out below the provider's latency: calls are billed, given up and sent again",
                feature=Feature.SEARCH_ASSIST,
            ),
            Incident(
                IncidentKind.PROMPT_GROWTH, day(0.56), last, "feature_token_regression",
                "a release of rag_answers put whole documents instead of passages into the prompt",
                feature=Feature.RAG_ANSWERS,
            ),
            Incident(
                IncidentKind.CACHE_COLLAPSE, day(0.69), day(0.69) + 3, "cache_hit_collapse",
                "a timestamp at the head of the system prompt made every prompt prefix new",
                feature=Feature.SUPPORT_COPILOT, provider="anthropic",
            ),
            Incident(
                IncidentKind.MODEL_DRIFT, day(0.8), min(last, day(0.8) + 6), "premium_model_share_drift",
                "a routing rule sends drafts to the premium models instead of the small one",
                feature=Feature.DRAFT_WRITER, provider="anthropic",
            ),
            Incident(
                IncidentKind.OUTGROWN_PLAN, day(0.63), last, "tenant_without_enterprise_tier",
                "a customer without an enterprise AI tier grows 9 % a day",
                tenant=company.rank(company_module.OUTGROWN_RANK),
            ),
        ]  # fmt: skip
    return IncidentPlan(tuple(sorted(found, key=lambda one: (one.first_day, one.kind))), tier_move_day)
