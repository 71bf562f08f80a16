"""The official validator's report is read, as its exit code says nothing."""

from __future__ import annotations

from pathlib import Path

from orchestration.focus.official import KNOWN_FALSE_FAILURES, OfficialReport, read_report

# As focus-validator 2.2.1 writes it.
REPORT = """<?xml version='1.0' encoding='utf-8'?>
<testsuites name="FOCUS Validations" tests="5" failures="2" errors="1" skipped="1" assertions="None" time="0">
  <testsuite name="BilledCost-C-000-BilledCost" time="0">
    <testcase name="BilledCost-C-001-M :: Type" time="0" />
    <testcase name="BilledCost-C-003-M :: Nullability" time="0">
      <failure name="BilledCost-C-003-M" message="Nullability check for BilledCost">Failed</failure>
    </testcase>
    <testcase name="BilledCost-C-004-M :: Type" time="0">
      <error message="Validation rule BilledCost-C-004-M failed" />
    </testcase>
    <testcase name="BilledCost-C-005-C :: Value" time="0">
      <skipped message="Rule skipped" />
    </testcase>
    <testcase name="InvoiceId-C-005-C :: Nullability" time="0">
      <failure name="InvoiceId-C-005-C" message="Nullability check for InvoiceId" type="AssertionError">Failed</failure>
    </testcase>
  </testsuite>
</testsuites>
"""


def test_failures_and_errors_count_and_the_known_false_one_does_not(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    assert "InvoiceId-C-005-C" in KNOWN_FALSE_FAILURES
    assert read_report(report) == OfficialReport(
        passed_count=1,
        skipped_count=1,
        failures=(
            "BilledCost-C-003-M: Nullability check for BilledCost",
            "BilledCost-C-004-M: Validation rule BilledCost-C-004-M failed",
        ),
    )
