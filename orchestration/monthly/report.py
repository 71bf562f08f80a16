"""Writing the report of a month.

Belongs here: from the installation to the two files. Does not belong here: anything that they say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestration.closing.receipt import closed_folder, closed_months, month_start, next_month
from orchestration.monthly.document import write_document
from orchestration.monthly.figures import read_month
from orchestration.monthly.marts import open_months
from orchestration.monthly.render import render_html, render_pdf
from orchestration.publishing.reader import current_version
from orchestration.settings import Settings


@dataclass(frozen=True)
class MonthlyReport:
    """What was written."""

    html: Path
    pdf: Path
    is_closed: bool


def write_report(settings: Settings, month: str, into: Path | None = None) -> MonthlyReport:
    """Write a month's report as HTML and PDF; what an earlier one wrote there is replaced.

    Args:
        settings: The installation.
        month: `YYYY-MM`, of UTC days. Its figures, and those of the month before, are the closed ones where there are
            such.
        into: The folder; by default `TRUEUP_HOME/reports`.

    Raises:
        ClosingError: When `month` is none.
        NotPublishedError: When nothing is published.
        NothingPublishedError: When nothing of the month is published.
    """
    first_day = month_start(month)
    closed = closed_months(closed_folder(settings), before=next_month(first_day))
    receipt = next((each.receipt for each in closed if each.receipt.first_day == first_day), None)
    with open_months(settings, closed) as marts:
        figures = read_month(marts, first_day)
    document = write_document(figures, receipt, current_version(settings.published) or "none")
    folder = into or settings.home / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    report = MonthlyReport(folder / f"{month}.html", folder / f"{month}.pdf", receipt is not None)
    report.html.write_text(render_html(document), encoding="utf-8")
    report.pdf.write_bytes(render_pdf(document))
    return report
