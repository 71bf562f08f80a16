"""`python -m orchestration.warehouse`: parse the dbt project anew and say what is wrong with it."""

from __future__ import annotations

import sys

from orchestration.warehouse.project import DbtProjectError, parse_anew

if __name__ == "__main__":
    try:
        parse_anew()
    except DbtProjectError as error:
        sys.exit(str(error))
