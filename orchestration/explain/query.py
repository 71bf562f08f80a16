"""The SQL of a comparison, rendered from the macros that the dbt project itself uses.

Belongs here: standing in for the few things that dbt gives its macros. Does not belong here: SQL about money.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import jinja2

from orchestration.warehouse.project import DBT_PROJECT

_MACRO_FILES = ("cross_db.sql", "money.sql", "decomposition.sql", "drivers.sql")


def macro(name: str) -> Callable[..., str]:
    """Return a macro of the dbt project as a function from SQL fragments to SQL, in DuckDB's dialect.

    Only names of relations may be given to it; values belong into parameters of the query.

    Raises:
        AttributeError: When no file of `_MACRO_FILES` has such a macro.
    """
    return cast(Callable[..., str], getattr(_module(), name))


@cache
def _module() -> Any:
    text = "\n".join((DBT_PROJECT / "macros" / name).read_text() for name in _MACRO_FILES)
    # What dbt gives a macro: `return` hands its value on, `adapter.dispatch` picks the engine's variant.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - SQL, not HTML
    given_by_dbt = {"return": _returned, "adapter": _Adapter()}
    return environment.from_string(text, globals=given_by_dbt).module


def _returned(value: str) -> str:
    return value


class _Adapter:
    def dispatch(self, name: str) -> Callable[..., str]:
        return macro(f"default__{name}")
