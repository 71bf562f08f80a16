"""The official FOCUS validator, in an environment of its own.

Belongs here: running it and reading its report. Does not belong here: our own rules (`rules`), which cover 1.4 and need
nothing.

It wants Python 3.12, which trueup itself does not, and brings the model of 1.2 along; other versions it would fetch.
It ends with code 0 even when rules fail, so the report counts, not the code (focus-validator 2.2.1).
"""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from orchestration.environments import ProgramUnavailableError, environment
from orchestration.focus.specification import COMPATIBLE_VERSION, COST_AND_USAGE

REQUIREMENTS = Path(__file__).with_name("validator-requirements.txt")

CRITERIA = (
    "UNIT_PRICING_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "REGION_SUPPORTED",
    "TAGGING_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
)
"""What the export claims to support. PUBLIC_PRICE_LIST_SUPPORTED is left out: the model then wants columns of virtual
currency, which go with two criteria of which it asks only one. Our own rules check list unit prices."""

KNOWN_FALSE_FAILURES = {
    "InvoiceId-C-005-C": "the model has no condition: it fails wherever a row has no invoice yet",
}


@dataclass(frozen=True)
class OfficialReport:
    """What the validator found.

    Attributes:
        passed_count: Rules that hold.
        skipped_count: Rules that do not apply, or that no program can check.
        failures: `rule: message` of those that do not hold, but `KNOWN_FALSE_FAILURES`.
    """

    passed_count: int
    skipped_count: int
    failures: tuple[str, ...]


def validate(file: Path, folder: Path) -> OfficialReport:
    """Validate a Parquet file of Cost and Usage 1.2.

    Args:
        file: The file.
        folder: Of the validator's virtual environment; made when missing.

    Raises:
        ProgramUnavailableError: When no Python of 3.12 is found, or the validator cannot be installed or run.
    """
    program = environment(folder, REQUIREMENTS, ["3.12"])
    packages = Path(program.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(  # noqa: S603 - the environment that was made above
        [
            str(folder / "bin" / "focus-validator"),
            *("--data-file", str(file.absolute()), "--validate-version", COMPATIBLE_VERSION, "--block-download"),
            *("--focus-dataset", COST_AND_USAGE, "--applicability-criteria", ",".join(CRITERIA)),
            *("--output-type", "unittest", "--output-destination", str(report)),
        ],
        # It opens its list of currencies relative to the folder above its package.
        cwd=packages,
        capture_output=True,
        text=True,
        check=False,
    )
    if not report.exists():
        raise ProgramUnavailableError(f"focus-validator wrote no report:\n{(done.stdout + done.stderr)[-1000:]}")
    return read_report(report)


def read_report(report: Path) -> OfficialReport:
    """Read a report of the kind `unittest`."""
    passed = skipped = 0
    failures: list[str] = []
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - written by the program that we ran
        bad = [*case.findall("failure"), *case.findall("error")]
        rule = case.get("name", "").partition(" ")[0]
        if bad and rule not in KNOWN_FALSE_FAILURES:
            failures.append(f"{rule}: {bad[0].get('message', '')}")
        elif case.find("skipped") is not None:
            skipped += 1
        elif not bad:
            passed += 1
    return OfficialReport(passed, skipped, tuple(failures))
