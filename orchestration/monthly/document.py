"""A month's figures in words: key figures, sections, tables, all as text.

Belongs here: what the report says, in which order, to how many digits. Does not belong here: HTML and PDF (`render`).
Both are made of the same document, so they say the same.

Names come from logs. They are cut and their invisible characters spelled out here; that none of them is markup is the
concern of `render`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from orchestration.closing.receipt import Receipt
from orchestration.explain.change import Change
from orchestration.monthly.charts import daily_spend_svg
from orchestration.monthly.figures import Feature, Month, Provider
from orchestration.report import NO_RATIO, count, number, percent, safe_text, usd, usd_each

_SHOWN_DRIVERS = 8
_LONGEST_NAME = 60
_LONGEST_TEXT = 300

_STATUS = {
    "open": "not billed yet",
    "settling": "bill may still change",
    "disputed": "disputed",
    "reconciled": "reconciled",
}


@dataclass(frozen=True)
class KeyFigure:
    """A figure that stands alone, and what it is measured by."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Text in rows and columns.

    Attributes:
        columns: Headings; names first, figures after.
        names_count: How many columns hold words; the others hold figures, which stand to the right.
        rows: One text a column.
        total: A last row that sums the others; empty for none.
    """

    columns: Sequence[str]
    names_count: int
    rows: Sequence[Sequence[str]]
    total: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it: words, a chart, a table, more words."""

    heading: str
    lead: str = ""
    svg: str = ""
    table: Table | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Document:
    """The whole report."""

    title: str
    standing: str
    key_figures: Sequence[KeyFigure]
    sections: Sequence[Section] = field(default_factory=list[Section])


def write_document(month: Month, receipt: Receipt | None, published_version: str) -> Document:
    """Word a month.

    Args:
        month: Its figures.
        receipt: Of the closed month; None while it is open.
        published_version: The version that an open month is read from.
    """
    sections = [
        _spend(month),
        _features(month),
        _reconciliation(month),
        _unattributed(month),
        _plans(month),
        _tenants(month),
        _change(month),
        _movers(month),
        _rules(month),
        _incidents(month),
        _method(month),
    ]
    return Document(
        title=f"LLM cost report, {month.first_day:%B %Y}",
        standing=_standing(receipt, published_version),
        key_figures=_key_figures(month),
        sections=[section for section in sections if section is not None],
    )


def _standing(receipt: Receipt | None, published_version: str) -> str:
    if receipt is None:
        return (
            f"Open: the month is not closed, and its figures may still change. Published version {published_version}."
        )
    reason = f" Closed although days were not reconciled: {_text(receipt.reason)}." if receipt.reason else ""
    return f"Closed on {receipt.closed_at[:10]}, as known at {receipt.as_known_at[:16].replace('T', ' ')} UTC.{reason}"


def _key_figures(month: Month) -> list[KeyFigure]:
    totals, previous = month.totals, month.previous
    revenue = sum((plan.revenue_usd for plan in month.plans), Decimal(0))
    margin = sum((plan.gross_margin_usd for plan in month.plans), Decimal(0))
    billed = _sum(provider.billed_cost_usd for provider in month.providers)
    unattributed = _sum(each.amount_usd for each in month.unattributed) or Decimal(0)
    per_outcome_before = (
        usd_each(previous.effective_cost_usd, previous.accepted_outcomes_count) if previous else "nothing"
    )
    return [
        KeyFigure(
            "Cost of requests",
            usd(totals.effective_cost_usd, totals.unpriced_attempts_count),
            f"{_moved(totals.effective_cost_usd, previous.effective_cost_usd)} on the month before"
            if previous
            else "no month before",
        ),
        KeyFigure("On the bills", usd(billed), f"{usd(unattributed)} of it beyond any request"),
        KeyFigure(
            "Still an estimate",
            percent(totals.estimated_cost_usd, totals.effective_cost_usd),
            f"{usd(totals.estimated_cost_usd)} without a bill",
        ),
        KeyFigure("Gross margin", usd(margin), f"{percent(margin, revenue)} of {usd(revenue)} revenue"),
        KeyFigure(
            "Cost per accepted outcome",
            usd_each(totals.effective_cost_usd, totals.accepted_outcomes_count, totals.unpriced_attempts_count),
            f"{per_outcome_before} the month before",
        ),
        KeyFigure(
            "Requests",
            count(totals.attempts_count),
            f"for {count(totals.operations_count)} operations, {count(totals.accepted_outcomes_count)} accepted",
        ),
    ]


def _spend(month: Month) -> Section:
    days = month.totals.days_count
    return Section(
        "Spend by day",
        lead=f"{usd(month.totals.effective_cost_usd)} on {days} UTC days with requests; what has no bill is hatched.",
        svg=daily_spend_svg(month.days),
    )


def _features(month: Month) -> Section:
    totals, previous = month.totals, month.previous
    waste = _sum(feature.waste_cost_usd for feature in month.features)
    return Section(
        "Features",
        table=Table(
            ["Feature", "Cost", "Month before", "Operations", "Accepted", "Per accepted", "Waste"],
            1,
            [_feature_row(feature) for feature in month.features],
            [
                "Total",
                usd(totals.effective_cost_usd, totals.unpriced_attempts_count),
                _if_any(previous.effective_cost_usd, previous.attempts_count, previous.unpriced_attempts_count)
                if previous
                else NO_RATIO,
                count(totals.operations_count),
                count(totals.accepted_outcomes_count),
                usd_each(totals.effective_cost_usd, totals.accepted_outcomes_count, totals.unpriced_attempts_count),
                percent(waste, totals.effective_cost_usd),
            ],
        ),
        notes=[
            "Waste: failed retries, failures, abandoned and rejected answers, missed cache, as a share of the cost."
        ],
    )


def _feature_row(feature: Feature) -> list[str]:
    unpriced = feature.unpriced_attempts_count
    return [
        _name(feature.feature),
        _if_any(feature.effective_cost_usd, feature.attempts_count, unpriced),
        _if_any(feature.previous_cost_usd, feature.previous_attempts_count),
        count(feature.operations_count),
        count(feature.accepted_outcomes_count),
        usd_each(feature.effective_cost_usd, feature.accepted_outcomes_count, unpriced)
        if feature.attempts_count
        else NO_RATIO,
        percent(feature.waste_cost_usd, feature.effective_cost_usd),
    ]


def _reconciliation(month: Month) -> Section:
    providers = month.providers
    return Section(
        "Reconciliation with the invoices",
        table=Table(
            ["Provider", "Status", "Estimate", "Billed", "Usage gap", "Price gap", "No request", "Coverage"],
            2,
            [_provider_row(provider) for provider in providers],
            [
                "Total",
                "",
                usd(_sum(provider.contracted_cost_usd for provider in providers)),
                usd(_sum(provider.billed_cost_usd for provider in providers)),
                usd(_sum(provider.usage_gap_usd for provider in providers)),
                usd(_sum(provider.price_gap_usd for provider in providers)),
                usd(_sum(provider.unattributed_cost_usd for provider in providers)),
                "",
            ],
        ),
        notes=[
            "Billed less estimate, on days that are billed, is the usage gap (the provider counted what nobody logged) "
            "and the price gap (it charged other prices than ours). No request: what of the bill no request explains. "
            "Coverage: logged tokens per token that the provider counted."
        ],
    )


def _provider_row(provider: Provider) -> list[str]:
    status = _STATUS.get(provider.reconciliation_status, provider.reconciliation_status)
    days = {
        "disputed": provider.disputed_days_count,
        "settling": provider.settling_days_count,
        "open": provider.open_days_count,
    }.get(provider.reconciliation_status)
    return [
        _name(provider.provider),
        status if days is None else f"{status}, {days} of {provider.days_count} days",
        usd(provider.contracted_cost_usd),
        _if_known(provider.billed_cost_usd),
        _if_known(provider.usage_gap_usd),
        _if_known(provider.price_gap_usd),
        _if_known(provider.unattributed_cost_usd),
        percent(_decimal(provider.logged_tokens), _decimal(provider.provider_tokens)),
    ]


def _unattributed(month: Month) -> Section | None:
    if not month.unattributed:
        return None
    return Section(
        "Billed, and taken by no request",
        table=Table(
            ["Provider", "Reason", "What to do", "Amount"],
            3,
            [
                [_name(each.provider), _words(each.reason), _text(each.what_to_do), usd(each.amount_usd)]
                for each in month.unattributed
            ],
            ["Total", "", "", usd(_sum(each.amount_usd for each in month.unattributed))],
        ),
    )


def _plans(month: Month) -> Section | None:
    if not month.plans:
        return None
    revenue = sum((plan.revenue_usd for plan in month.plans), Decimal(0))
    margin = sum((plan.gross_margin_usd for plan in month.plans), Decimal(0))
    return Section(
        "Margin by plan",
        table=Table(
            ["Plan", "Tenants", "Revenue", "LLM cost", "Gross margin", "Of revenue"],
            1,
            [
                [
                    _name(plan.plan_name or ("no plan" if plan.plan_id == "none" else plan.plan_id)),
                    count(plan.tenants_count),
                    usd(plan.revenue_usd),
                    usd(plan.llm_cost_usd),
                    usd(plan.gross_margin_usd),
                    _rate(plan.gross_margin_usd, plan.revenue_usd),
                ]
                for plan in month.plans
            ],
            [
                "Total",
                count(sum(plan.tenants_count for plan in month.plans)),
                usd(revenue),
                usd(sum((plan.llm_cost_usd for plan in month.plans), Decimal(0))),
                usd(margin),
                _rate(margin, revenue),
            ],
        ),
        notes=["Cost that no customer caused, and what bills hold beyond any request, stand with “no plan”."],
    )


def _tenants(month: Month) -> Section | None:
    if not month.lowest_margins:
        return None
    return Section(
        "Tenants that bring least",
        lead=f"Tenants that cost more than they pay: {month.losing_tenants_count or 'none'}.",
        table=Table(
            ["Customer", "Plan", "Revenue", "LLM cost", "Gross margin", "Of revenue"],
            2,
            [
                [
                    _name(tenant.customer_name or tenant.tenant_id),
                    _name(tenant.plan_name),
                    usd(tenant.revenue_usd),
                    usd(tenant.llm_cost_usd),
                    usd(tenant.gross_margin_usd),
                    _rate(tenant.gross_margin_usd, tenant.revenue_usd),
                ]
                for tenant in month.lowest_margins
            ],
        ),
    )


def _change(month: Month) -> Section:
    change = month.change
    if change is None:
        return Section("Why spend moved", lead="There is no month before to compare with.")
    a_day = " a day" if change.is_daily_mean else ""
    largest = sorted(change.drivers, key=lambda driver: abs(driver.effect_usd), reverse=True)[:_SHOWN_DRIVERS]
    rows = [
        [_text(driver.words), usd(driver.effect_usd), percent(driver.effect_usd, change.change_usd)]
        for driver in change.drivers
        if driver in largest
    ]
    if others := [driver.effect_usd for driver in change.drivers if driver not in largest]:
        rest = sum(others, Decimal(0))
        rows.append([f"{len(others)} others", usd(rest), percent(rest, change.change_usd)])
    return Section(
        "Why spend moved",
        lead=f"{usd(change.baseline_usd)}{a_day} from {change.baseline.first} to {change.baseline.last}, "
        f"{usd(change.current_usd)}{a_day} from {change.current.first} to {change.current.last}.",
        table=Table(
            ["Driver", f"Effect{a_day}", "Of the change"],
            1,
            rows,
            ["Change", usd(change.change_usd), percent(change.change_usd, change.change_usd)],
        ),
    )


def _movers(month: Month) -> Section | None:
    if not month.movers:
        return None
    a_day = " a day" if any(mover.change.is_daily_mean for mover in month.movers) else ""
    return Section(
        "Tenants that moved most",
        table=Table(
            ["Tenant", "Why", f"Before{a_day}", f"Now{a_day}"],
            2,
            [
                [
                    _name(mover.tenant_id),
                    _reasons(mover.change),
                    usd(mover.change.baseline_usd),
                    usd(mover.change.current_usd),
                ]
                for mover in month.movers
            ],
        ),
    )


def _rules(month: Month) -> Section:
    if not month.rules:
        return Section("Rules in breach", lead="No rule fired.")
    return Section(
        "Rules in breach",
        table=Table(
            ["Rule", "Days", "Worst breach", "Breaches"],
            3,
            [
                [
                    _words(rule.alert_rule),
                    str(rule.first_date)
                    if rule.first_date == rule.last_date
                    else f"{rule.first_date} to {rule.last_date}",
                    f"{_name(' '.join(part for part in (rule.scope_kind, rule.scope_id) if part))}: "
                    f"{number(rule.observed)} above {number(rule.threshold)} {_text(rule.unit)}",
                    count(rule.breaches_count),
                ]
                for rule in month.rules
            ],
        ),
    )


def _incidents(month: Month) -> Section:
    if not month.incidents:
        return Section("Incidents", lead="Nobody had to be told of anything.")
    return Section(
        "Incidents",
        table=Table(
            ["Rule", "Scope", "Since", "State", "Owner", "Why"],
            6,
            [
                [
                    _words(incident.alert_rule),
                    _name(" ".join(part for part in (incident.scope_kind, incident.scope_id) if part)),
                    str(incident.opened_date),
                    incident.state if incident.state != "resolved" else f"resolved on {incident.last_date}",
                    _text(incident.owner),
                    _text(incident.top_drivers),
                ]
                for incident in month.incidents
            ],
        ),
    )


def _method(month: Month) -> Section:
    unpriced = month.totals.unpriced_attempts_count
    notes = [
        "Cost is the billed share of each request where its bill has arrived, and usage times the negotiated price in "
        "force when the request started until then. Amounts are US dollars, days are UTC.",
        "For every provider and day, what requests take of the bill and what none of them takes sum to the bill, "
        "exactly; figures are rounded here only.",
        "An accepted outcome counts on the day of the operation that it judges, less what was taken back. Revenue is "
        "earned evenly over its days of service, and counts on days from the first to the last with cost.",
        "Drivers are an exact decomposition (LMDI-I): effects sum to the change. Months of different lengths are "
        "compared by their mean day.",
    ]
    if unpriced:
        notes.append(
            f"≥ stands before amounts that lack some of {count(unpriced)} requests of which no price is known."
        )
    return Section("Method", notes=notes)


def _reasons(change: Change) -> str:
    """Return the sentence without the amount and the periods, which stand beside it."""
    _, separator, reasons = _text(change.sentence).partition(": ")
    return reasons if separator else "did not move"


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum of what is known; None when nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def _moved(now: Decimal | None, before: Decimal | None) -> str:
    if now is None or not before:
        return "unknown change"
    return f"{(now - before) / before:+.1%}"


def _rate(part: Decimal, whole: Decimal) -> str:
    """Return a share of a positive whole; a dash of any other, of which a share says nothing."""
    return percent(part, whole) if whole > 0 else NO_RATIO


def _if_any(amount: Decimal | None, attempts: int, unpriced: int = 0) -> str:
    """Return what attempts cost; a dash when there were none."""
    return usd(amount, unpriced) if attempts else NO_RATIO


def _if_known(amount: Decimal | None) -> str:
    return NO_RATIO if amount is None else usd(amount)


def _decimal(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _words(name: str) -> str:
    """Return an identifier of ours as words."""
    return _text(name).replace("_", " ")


def _name(value: str | None) -> str:
    return safe_text(value, longest=_LONGEST_NAME).plain


def _text(value: str | None) -> str:
    return safe_text(value, longest=_LONGEST_TEXT).plain
