"""The sample company's providers on loopback: usage reports and bills over real HTTP, in their own shapes.

Belongs here: paths, parameters, limits, paging, grouping and errors as OpenAI and Anthropic document them,
answered from `bills/*.json`. Does not belong here: what was used and what it costs (`oracle`).

Sources: OpenAI's API reference (`/v1/organization/usage/*`, `/v1/organization/costs`) and Anthropic's Admin
API (`/v1/organizations/usage_report/messages`, `/v1/organizations/cost_report`), as of 2026-11. Reports have
daily buckets only; the narrower widths are refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Row = dict[str, Any]
Headers = Mapping[str, str] | Message

REVISIONS = (1, 2)

OPENAI_KEY = "sample-company-openai-admin"
ANTHROPIC_KEY = "sample-company-anthropic-admin"
USER_HASH_KEY = "sample-company-user-hash"
"""Not secrets: they open nothing but this server."""

_DAY = timedelta(days=1)


class RequestRefusedError(Exception):
    """The request is one that the provider would answer with an error."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        self.status = status
        self.message = message
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class _Report:
    """One report: where its rows are, and what may be asked of it.

    Attributes:
        section: Key of its rows in a day of the document; empty when the sample company has no such usage.
        object_name: OpenAI's `object` of a result.
        groups: What it may be grouped by.
        described: Fields that are filled when grouped by the key.
        measures: Fields that are added up.
        most, usual: Largest and default number of buckets a page.
    """

    section: str
    object_name: str
    groups: tuple[str, ...]
    measures: tuple[str, ...]
    most: int = 31
    usual: int = 7
    described: Mapping[str, tuple[str, ...]] | None = None

    def fields_of(self, group: str) -> tuple[str, ...]:
        """Return the fields that grouping by `group` fills."""
        return (group, *((self.described or {}).get(group, ())))


_BY_MODEL = ("project_id", "user_id", "api_key_id", "model")
_COMPLETION_MEASURES = (
    "input_tokens", "input_uncached_tokens", "input_cached_tokens", "input_cache_write_tokens",
    "input_text_tokens", "input_audio_tokens", "input_image_tokens", "input_cached_text_tokens",
    "input_cached_audio_tokens", "input_cached_image_tokens", "output_tokens", "output_text_tokens",
    "output_audio_tokens", "output_image_tokens", "num_model_requests",
)  # fmt: skip
_COMPLETION_GROUPS = (*_BY_MODEL, "batch", "service_tier")


def _unused(object_name: str, groups: tuple[str, ...] = _BY_MODEL) -> _Report:
    return _Report("", f"organization.usage.{object_name}.result", groups, ())


_OPENAI: Mapping[str, _Report] = {
    "/v1/organization/usage/completions": _Report(
        "completions", "organization.usage.completions.result", _COMPLETION_GROUPS, _COMPLETION_MEASURES
    ),
    "/v1/organization/usage/decisions": _unused("decisions", _COMPLETION_GROUPS),
    "/v1/organization/usage/embeddings": _Report(
        "embeddings",
        "organization.usage.embeddings.result",
        _BY_MODEL,
        ("input_tokens", "num_model_requests"),
    ),
    "/v1/organization/usage/moderations": _unused("moderations"),
    "/v1/organization/usage/images": _unused("images", (*_BY_MODEL, "size", "source")),
    "/v1/organization/usage/audio_speeches": _unused("audio_speeches"),
    "/v1/organization/usage/audio_transcriptions": _unused("audio_transcriptions"),
    "/v1/organization/usage/vector_stores": _unused("vector_stores", ("project_id",)),
    "/v1/organization/usage/code_interpreter_sessions": _unused("code_interpreter_sessions", ("project_id",)),
    "/v1/organization/usage/file_search_calls": _unused(
        "file_searches", ("project_id", "user_id", "api_key_id", "vector_store_id")
    ),
    "/v1/organization/usage/web_search_calls": _unused("web_searches", (*_BY_MODEL, "context_level")),
    "/v1/organization/costs": _Report(
        "costs",
        "organization.costs.result",
        ("project_id", "line_item", "api_key_id"),
        ("amount", "quantity"),
        most=180,
        described={"line_item": ("quantity_unit",)},
    ),
}

_ANTHROPIC_DIMENSIONS = ("model", "service_tier", "context_window", "inference_geo")
_ANTHROPIC: Mapping[str, _Report] = {
    "/v1/organizations/usage_report/messages": _Report(
        "messages",
        "",
        ("api_key_id", "workspace_id", *_ANTHROPIC_DIMENSIONS, "account_id", "service_account_id"),
        (
            "uncached_input_tokens",
            "cache_read_input_tokens",
            "cache_creation",
            "output_tokens",
            "server_tool_use",
        ),
    ),
    "/v1/organizations/cost_report": _Report(
        "costs",
        "",
        ("workspace_id", "description"),
        ("amount",),
        described={"description": ("cost_type", "token_type", *_ANTHROPIC_DIMENSIONS)},
    ),
}

_OPENAI_FILTERS = {
    "project_ids": "project_id",
    "api_key_ids": "api_key_id",
    "models": "model",
    "line_items": "line_item",
}
_ANTHROPIC_FILTERS = {
    "api_key_ids": "api_key_id",
    "workspace_ids": "workspace_id",
    "models": "model",
    "service_tiers": "service_tier",
}


class LoopbackProviders:
    """Both providers behind one server on 127.0.0.1, for as long as the `with` block lasts.

    Attributes:
        revision: 1 answers the restated day as it was at first, 2 as it is now; may be changed at any time.
    """

    def __init__(self, sample: Path, revision: int = 2) -> None:
        self._documents = {
            name: json.loads((sample / "bills" / f"{name}.json").read_text(encoding="utf-8"))
            for name in ("openai", "anthropic")
        }
        self.revision = revision
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> LoopbackProviders:
        if self.revision not in REVISIONS:
            raise ValueError(f"revision must be one of {REVISIONS}, got {self.revision}")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="loopback-providers",
            daemon=True,
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    @property
    def openai_base_url(self) -> str:
        """What takes the place of `https://api.openai.com/v1`."""
        return f"{self._root}/v1"

    @property
    def anthropic_base_url(self) -> str:
        """What takes the place of `https://api.anthropic.com`."""
        return self._root

    @property
    def env(self) -> dict[str, str]:
        """Environment variables under which the sample's sources find the server and its keys."""
        return {
            "TRUEUP_SAMPLE_OPENAI_URL": self.openai_base_url,
            "TRUEUP_SAMPLE_OPENAI_KEY": OPENAI_KEY,
            "TRUEUP_SAMPLE_ANTHROPIC_URL": self.anthropic_base_url,
            "TRUEUP_SAMPLE_ANTHROPIC_KEY": ANTHROPIC_KEY,
            "TRUEUP_USER_HASH_KEY": USER_HASH_KEY,
        }

    @property
    def _root(self) -> str:
        if self._server is None:
            raise RuntimeError("the loopback providers only run inside a with block")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def _days(self, provider: str) -> dict[str, Row]:
        document = self._documents[provider]
        return {**document["days"], **document["revisions"].get(str(self.revision), {})}

    def answer(self, path: str, query: str, headers: Headers) -> tuple[int, Row]:
        """Return status and body for a GET request."""
        is_anthropic = path.startswith("/v1/organizations/")
        try:
            if is_anthropic:
                return 200, _anthropic_page(path, query, headers, self._days("anthropic"))
            return 200, _openai_page(path, query, headers, self._days("openai"))
        except RequestRefusedError as error:
            return error.status, _anthropic_error(error) if is_anthropic else _openai_error(error)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        providers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One write for head and body: with two, Nagle's algorithm costs 40 ms a request.
            wbufsize = -1

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                status, body = providers.answer(parts.path, parts.query, self.headers)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's)
                pass

        return Handler


@dataclass(frozen=True)
class _Query:
    """A request's parameters, arrays told apart from scalars."""

    scalars: Mapping[str, str]
    arrays: Mapping[str, list[str]]

    def number(self, name: str, default: int | None = None) -> int:
        text = self.scalars.get(name)
        if text is None:
            if default is None:
                raise RequestRefusedError(400, f"Missing required parameter: '{name}'.")
            return default
        try:
            return int(text)
        except ValueError:
            raise RequestRefusedError(400, f"Invalid type for '{name}': expected an integer.") from None


def _parse(query: str, scalars: Sequence[str], arrays: Sequence[str], *, bare_arrays: bool) -> _Query:
    single: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.endswith("[]") and name[:-2] in arrays:
            several.setdefault(name[:-2], []).append(value)
        elif bare_arrays and name in arrays:
            several.setdefault(name, []).append(value)
        elif name in scalars:
            single[name] = value
        else:
            raise RequestRefusedError(400, f"Unknown parameter: '{name}'.")
    return _Query(single, several)


@dataclass(frozen=True)
class _Page:
    days: list[date]
    next_page: str | None


def _page(query: _Query, report: _Report, start: date, end: date) -> _Page:
    """Cut the asked range into the days of this page; the cursor names the next day."""
    limit = query.number("limit", report.usual)
    if not 1 <= limit <= report.most:
        raise RequestRefusedError(400, f"Invalid 'limit': expected a value between 1 and {report.most}, got {limit}.")
    cursor = query.scalars.get("page")
    if cursor is not None:
        start = _decode_cursor(cursor)
    days = [start + _DAY * number for number in range(max(0, min(limit, (end - start).days)))]
    following = start + _DAY * limit
    return _Page(days, _encode_cursor(following) if following < end else None)


def _encode_cursor(day: date) -> str:
    return "page_" + base64.urlsafe_b64encode(day.isoformat().encode()).decode()


def _decode_cursor(cursor: str) -> date:
    try:
        return date.fromisoformat(base64.urlsafe_b64decode(cursor.removeprefix("page_")).decode())
    except (ValueError, binascii.Error):
        raise RequestRefusedError(400, "Invalid 'page': not a cursor of this report.") from None


def _groups(query: _Query, report: _Report) -> tuple[str, ...]:
    groups = tuple(dict.fromkeys(query.arrays.get("group_by", [])))
    for group in groups:
        if group not in report.groups:
            known = ", ".join(report.groups)
            raise RequestRefusedError(400, f"Invalid 'group_by': '{group}' is not one of {known}.")
    return groups


def _width(query: _Query) -> None:
    width = query.scalars.get("bucket_width", "1d")
    if width != "1d":
        raise RequestRefusedError(400, f"Invalid 'bucket_width': '{width}'; the sample company has daily buckets only.")


def _add(left: Any, right: Any) -> Any:
    """Add two measures: whole numbers, decimal text, or an object of measures; unknown stays unknown."""
    if left is None or right is None:
        return None
    if isinstance(left, str):
        return str(Decimal(left) + Decimal(right))
    if isinstance(left, int):
        return left + right
    return {key: _add(left[key], right[key]) for key in left}


def _grouped(
    rows: Sequence[Row], report: _Report, groups: tuple[str, ...], filters: Mapping[str, list[str]]
) -> Iterator[Row]:
    """Add up rows that agree in what they are grouped by; every other dimension is null."""
    filled = [field for group in groups for field in report.fields_of(group)]
    dimensions = [field for group in report.groups for field in report.fields_of(group)]
    sums: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if any(row.get(field) not in allowed for field, allowed in filters.items()):
            continue
        key = tuple(row.get(field) for field in filled)
        known = sums.get(key)
        if known is None:
            sums[key] = {
                **{measure: row[measure] for measure in report.measures},
                **{field: row.get(field) if field in filled else None for field in dimensions},
            }
        else:
            for measure in report.measures:
                known[measure] = _add(known[measure], row[measure])
    yield from sums.values()


def _openai_page(path: str, query: str, headers: Headers, days: Mapping[str, Row]) -> Row:
    if headers.get("Authorization") != f"Bearer {OPENAI_KEY}":
        raise RequestRefusedError(401, "Incorrect API key provided.", "invalid_api_key")
    report = _OPENAI.get(path)
    if report is None:
        raise RequestRefusedError(404, f"Invalid URL (GET {path})")
    scalars = ("start_time", "end_time", "bucket_width", "limit", "page", "batch")
    asked = _parse(query, scalars, ("group_by", "user_ids", *_OPENAI_FILTERS), bare_arrays=True)
    _width(asked)
    start = _utc_date(asked.number("start_time"))
    last_known = date.fromisoformat(max(days)) + _DAY
    end_time = asked.scalars.get("end_time")
    end = last_known if end_time is None else _utc_date(asked.number("end_time") - 1) + _DAY
    groups = _groups(asked, report)
    page = _page(asked, report, start, end)
    filters = {_OPENAI_FILTERS[name]: values for name, values in asked.arrays.items() if name in _OPENAI_FILTERS}
    return {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": _unix(day),
                "end_time": _unix(day + _DAY),
                "results": [
                    _openai_result(report, groups, row)
                    for row in _grouped(days.get(day.isoformat(), {}).get(report.section, []), report, groups, filters)
                ],
            }
            for day in page.days
        ],
        "has_more": page.next_page is not None,
        "next_page": page.next_page,
    }


def _openai_result(report: _Report, groups: tuple[str, ...], row: Row) -> Row:
    if report.section != "costs":
        return {"object": report.object_name, **row}
    by_line = "line_item" in groups
    return {
        "object": report.object_name,
        # A JSON number of dollars. Fifteen digits survive the way through a float, and no line has more.
        "amount": {"value": float(Decimal(row["amount"])), "currency": "usd"},
        **{key: value for key, value in row.items() if key not in ("amount", "quantity")},
        "quantity": row["quantity"] if by_line else None,
    }


def _anthropic_page(path: str, query: str, headers: Headers, days: Mapping[str, Row]) -> Row:
    if headers.get("x-api-key") != ANTHROPIC_KEY:
        raise RequestRefusedError(401, "invalid x-api-key")
    if not headers.get("anthropic-version"):
        raise RequestRefusedError(400, "anthropic-version: header is required")
    report = _ANTHROPIC.get(path)
    if report is None:
        raise RequestRefusedError(404, "Not found")
    scalars = ("starting_at", "ending_at", "bucket_width", "limit", "page")
    asked = _parse(query, scalars, ("group_by", *_ANTHROPIC_FILTERS), bare_arrays=False)
    _width(asked)
    start = _moment(asked, "starting_at").date()
    end = date.fromisoformat(max(days)) + _DAY
    if "ending_at" in asked.scalars:
        end = (_moment(asked, "ending_at") - timedelta(microseconds=1)).date() + _DAY
    groups = _groups(asked, report)
    page = _page(asked, report, start, end)
    filters = {_ANTHROPIC_FILTERS[name]: values for name, values in asked.arrays.items() if name in _ANTHROPIC_FILTERS}
    constants: Row = {"currency": "USD"} if report.section == "costs" else {}
    return {
        "data": [
            {
                "starting_at": f"{day.isoformat()}T00:00:00Z",
                "ending_at": f"{(day + _DAY).isoformat()}T00:00:00Z",
                "results": [
                    {**row, **constants}
                    for row in _grouped(days.get(day.isoformat(), {}).get(report.section, []), report, groups, filters)
                ],
            }
            for day in page.days
        ],
        "has_more": page.next_page is not None,
        "next_page": page.next_page,
    }


def _utc_date(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def _unix(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def _moment(query: _Query, name: str) -> datetime:
    text = query.scalars.get(name)
    if text is None:
        raise RequestRefusedError(400, f"{name}: Field required")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RequestRefusedError(400, f"{name}: Input should be a valid RFC 3339 datetime") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _openai_error(error: RequestRefusedError) -> Row:
    return {
        "error": {
            "message": error.message,
            "type": "invalid_request_error",
            "param": None,
            "code": error.code,
        }
    }


def _anthropic_error(error: RequestRefusedError) -> Row:
    kinds = {401: "authentication_error", 404: "not_found_error"}
    kind = kinds.get(error.status, "invalid_request_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": error.message},
        "request_id": "req_sample",
    }
