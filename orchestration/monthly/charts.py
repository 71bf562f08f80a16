"""The chart of a month's spend, as SVG that needs nothing else.

Belongs here: drawing figures. Does not belong here: asking for them. No name of a customer is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from orchestration.monthly.figures import Day

_WIDTH, _HEIGHT = 720, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 4, 10, 22
_BILLED, _ESTIMATED, _LINE, _WORDS = "#33587a", "#9db8cf", "#dcdfe3", "#5a6270"


def daily_spend_svg(days: Sequence[Day]) -> str:
    """Return bars, one a day, of US dollars: billed below, still estimated above it and hatched.

    Args:
        days: In order; a day of unknown cost has no bar.
    """
    costs = [day.effective_cost_usd or Decimal(0) for day in days]
    top = _round_up(max([*costs, Decimal(0)]))
    bottom = min([*costs, Decimal(0)])
    plot = _HEIGHT - _TOP - _BOTTOM
    unit = Decimal(plot) / (top - bottom)
    zero = _TOP + top * unit
    step = Decimal(_WIDTH - _LEFT - _RIGHT) / max(len(days), 1)
    marks = [
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LINE}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">${value:,.0f}</text>'
        for value, y in ((top * part / 4, zero - top * part / 4 * unit) for part in range(5))
    ]
    bars: list[str] = []
    for place, (day, cost) in enumerate(zip(days, costs, strict=True)):
        x, width = _LEFT + place * step, step * Decimal("0.76")
        estimated = day.estimated_cost_usd or Decimal(0)
        billed = cost - estimated
        title = f"<title>{day.usage_date}: ${cost:,.2f}, estimated ${estimated:,.2f}</title>"
        for base, height, fill in (
            (zero, billed * unit, _BILLED),
            (zero - billed * unit, estimated * unit, "url(#estimated)"),
        ):
            # A credit hangs below the line.
            y = base - max(height, Decimal(0))
            size = f'width="{width:.1f}" height="{abs(height):.2f}"'
            bars.append(f'<rect x="{x:.1f}" y="{y:.2f}" {size} fill="{fill}">{title}</rect>' if height else "")
        if day.usage_date.day == 1 or day.usage_date.day % 5 == 0:
            middle = x + width / 2
            bars.append(f'<text x="{middle:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{day.usage_date.day}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="US dollars a day" font-family="Helvetica, Arial, sans-serif" font-size="11" fill="{_WORDS}">'
        f'<defs><pattern id="estimated" width="4" height="4" patternUnits="userSpaceOnUse">'
        f'<rect width="4" height="4" fill="{_ESTIMATED}"/><path d="M0 4L4 0" stroke="{_BILLED}" stroke-width="0.7"/>'
        f"</pattern></defs>{''.join(marks)}{''.join(bars)}</svg>"
    )


def _round_up(amount: Decimal) -> Decimal:
    """Return the next of 1, 2, 4, 8 times a power of ten, so that quarters of it are round; 1 for nothing."""
    if amount <= 0:
        return Decimal(1)
    power = Decimal(10) ** amount.adjusted()
    return next(factor * power for factor in (1, 2, 4, 8, 10) if factor * power >= amount)
