"""HTTP for sources: JSON without floats, cursor paging, errors that say what to do.

Belongs here: what every source behind HTTP shares. Does not belong here: sending (`http_session`), the paths, fields
and units of any provider, and what becomes of the rows.

A key lives in one object, which puts it on a request and never prints it. It is cut out of every quotation,
and errors are raised outside `except` blocks, because the exceptions of `requests` carry the request and with
it the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, NoReturn, cast
from urllib.parse import urlencode, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orchestration.connectors.errors import ConnectorError

if TYPE_CHECKING:
    import requests

JsonObject = dict[str, object]
_Json = JsonObject | list[object] | str | int | Decimal
QueryParams = Sequence[tuple[str, str]]

# 529 is Anthropic's overloaded_error, 520 to 524 come from a proxy before the provider.
RETRIED_STATUSES = frozenset({408, 429, *range(500, 600)})
_QUOTED_CHARACTERS = 300


class ProviderError(ConnectorError):
    """A provider did not give what was asked for.

    Attributes:
        status: The HTTP status, or None when nothing was answered.
        answered_message: The provider's own error message, trimmed; empty when there was none.
        is_transient: Whether the same request may succeed later without anybody changing anything.
    """

    def __init__(
        self,
        source_name: str,
        what: str,
        *,
        request: str,
        answered: str,
        do: str,
        status: int | None = None,
        answered_message: str = "",
        is_transient: bool = False,
    ) -> None:
        super().__init__(source_name, what, request=request, answered=answered, do=do)
        self.status = status
        self.answered_message = answered_message
        self.is_transient = is_transient


def check_base_url(value: str) -> str:
    """Return an address without its trailing slash, fit to be sent a key.

    Raises:
        ValueError: When it is not http(s), is plain http to another machine, or holds a password, query or
            fragment. The message does not repeat the address.
    """
    parts = urlsplit(value.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a base URL must begin with https:// and name a host")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("a base URL must use https, as a key is sent to it; plain http is for this machine only")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("a base URL must not hold a user, a password, a query or a fragment")
    return value.strip().rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


BaseUrl = Annotated[str, AfterValidator(check_base_url)]


class HttpOptions(BaseModel):
    """How patient a source is. By default it gives up on a dead provider after a few minutes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect_timeout_seconds: float = Field(default=10, gt=0)
    read_timeout_seconds: float = Field(default=60, gt=0)
    retries: int = Field(default=5, ge=0)
    """Further attempts after the first: on timeouts, broken connections, 408, 429 and 5xx."""
    backoff_seconds: float = Field(default=1, ge=0)
    """The n-th retry waits `backoff_seconds × 2^(n-1)` seconds, the first none; `Retry-After` goes before."""
    max_wait_seconds: int = Field(default=60, ge=0)
    """Longest wait before a retry, also when `Retry-After` asks for more."""
    max_pages: int = Field(default=10_000, ge=1)
    """More pages than this for one question are an error. A year of hours, one bucket a page, is 8,760."""


@dataclass(frozen=True)
class ApiKey:
    """A key and how it is sent.

    Attributes:
        variable: Name of the environment variable that holds it, for messages.
        expected: What kind of key the provider wants, in words, for messages.
        value: The key.
        header: The header that carries it.
        prefix: What stands before the key in the header, e.g. `Bearer `.
    """

    variable: str
    expected: str
    value: str = field(repr=False)
    header: str = "Authorization"
    prefix: str = ""


@dataclass(frozen=True)
class Page:
    """One answered page.

    Attributes:
        number: 1 for the first page.
        request: The request as text, for messages.
        body: The page's JSON object; numbers with a point or an exponent are `Decimal`.
    """

    number: int
    request: str
    body: JsonObject = field(repr=False)


@dataclass(frozen=True)
class Silence:
    """No complete answer came.

    Attributes:
        what: What happened.
        answered: What came instead, in the words of others; it may hold the key.
        do: What to do about it.
    """

    what: str
    answered: str = field(repr=False)
    do: str


class HttpApi:
    """One provider's API as one source sees it: GET, JSON, cursor paging. Use it as a context manager."""

    def __init__(
        self,
        source_name: str,
        base_url: str,
        key: ApiKey,
        options: HttpOptions,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare the session; nothing is sent yet.

        Raises:
            ConnectorError: When the base URL may not be used, or the key cannot be sent in a header.
        """
        self.source_name = source_name
        self._key = key
        self._options = options
        self._base_url = self._checked_base_url(base_url)
        self._check_key()
        from orchestration.connectors.http_session import HttpSession  # noqa: PLC0415 - 0.2 s of imports

        # A proxy of the environment is for the way out, not for this machine.
        uses_proxy = not _is_loopback(urlsplit(self._base_url).hostname or "")
        self._session = HttpSession(key, options, headers or {}, uses_proxy=uses_proxy)

    def __enter__(self) -> HttpApi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def get(self, path: str, params: QueryParams = (), *, page_number: int = 1) -> Page:
        """GET `path` and return its JSON object as a page.

        Args:
            path: Path below the base URL, beginning with a slash.
            params: The query, in order; array parameters are repeated.
            page_number: Which page of a list this is, for messages.

        Raises:
            ProviderError: When the answer is not a 200 with a JSON object, after all retries.
        """
        request = self._request_text(path, params, page_number)
        response = self._session.get(self._base_url + path, params)
        if isinstance(response, Silence):
            raise ProviderError(
                self.source_name,
                response.what,
                request=request,
                answered=self._quote(response.answered),
                do=response.do,
                is_transient=True,
            )
        if response.status_code != 200:
            self._raise_for_status(response, request)
        return Page(number=page_number, request=request, body=self._json_object(response, request))

    def pages(self, path: str, params: QueryParams = ()) -> Iterator[Page]:
        """Yield every page of a list that is paged by `has_more`, `next_page` and `page`.

        Raises:
            ProviderError: When a page cannot be read, the cursor is missing or comes a second time, or there
                are more pages than `max_pages`. It never ends early without an error.
        """
        cursor: str | None = None
        seen: set[str] = set()
        for number in range(1, self._options.max_pages + 1):
            query = [*params, *([("page", cursor)] if cursor is not None else [])]
            page = self.get(path, query, page_number=number)
            has_more = page.body.get("has_more")
            if not isinstance(has_more, bool):
                self.reject(page.request, "a page without has_more", f"has_more: {has_more!r}")
            yield page
            if not has_more:
                return
            cursor = self._next_cursor(page, seen)
        raise ProviderError(
            self.source_name,
            f"more than {self._options.max_pages} pages for one question",
            request=self._request_text(path, params, self._options.max_pages),
            answered=f"has_more: true on page {self._options.max_pages}",
            do="pull a shorter window, or raise http.max_pages",
        )

    def reject(self, request: str, what: str, answered: str) -> NoReturn:
        """Raise a `ProviderError` for an answer that does not keep the provider's contract."""
        raise ProviderError(
            self.source_name,
            what,
            request=request,
            answered=self._quote(answered),
            do="compare the answer with the provider's API reference; nothing of this pull has landed",
            status=200,
        ) from None

    def _next_cursor(self, page: Page, seen: set[str]) -> str:
        cursor = page.body.get("next_page")
        if not isinstance(cursor, str) or not cursor:
            self.reject(page.request, "more pages announced, but no cursor to them", f"next_page: {cursor!r}")
        if cursor in seen:
            self.reject(page.request, "the same cursor came a second time", f"next_page: {cursor!r}")
        seen.add(cursor)
        return cursor

    def _checked_base_url(self, base_url: str) -> str:
        reason = ""
        try:
            return check_base_url(base_url)
        except ValueError as error:
            reason = str(error)
        raise ConnectorError(self.source_name, reason, do="correct the base URL of this source")

    def _check_key(self) -> None:
        # requests repeats a header that it cannot send in its own error, so it must never see such a key.
        if not re.fullmatch(r"[\x21-\x7e]+", self._key.value):
            raise ConnectorError(
                self.source_name,
                f"the value of {self._key.variable} is empty or holds spaces or non-ASCII characters",
                do=f"set {self._key.variable} to {self._key.expected}, and to nothing else",
            )

    def _request_text(self, path: str, params: QueryParams, page_number: int) -> str:
        query = "?" + urlencode(list(params), safe="[]:,") if params else ""
        return f"GET {self._base_url}{path}{query} (page {page_number})"

    def _quote(self, text: str) -> str:
        """Make foreign text fit for a message: without the key, on one line, not too long."""
        text = " ".join(text.replace(self._key.value, "…").split())
        text = "".join(character for character in text if character.isprintable())
        return text if len(text) <= _QUOTED_CHARACTERS else text[: _QUOTED_CHARACTERS - 1] + "…"

    def _json_object(self, response: requests.Response, request: str) -> JsonObject:
        match _parsed(response.content):
            case dict() as body:
                return body
            case None:
                found = "not JSON"
            case _:
                found = "JSON, but not an object"
        content_type = response.headers.get("Content-Type", "no content type")
        raise ProviderError(
            self.source_name,
            "the answer is not a JSON object",
            request=request,
            answered=self._quote(f"{response.status_code}, {content_type}, {found}: {_text(response)}"),
            do="check that the base URL is the provider's API and that no login page stands before it",
            status=response.status_code,
        )

    def _raise_for_status(self, response: requests.Response, request: str) -> NoReturn:
        status = response.status_code
        what, do = self._advice(status)
        message = self._quote(_error_message(response))
        request_id = _request_id(response)
        answered = f"{status} {response.reason}" if response.reason else str(status)
        if 300 <= status < 400:
            answered += f" to {response.headers.get('Location', 'nowhere')}"
        if message:
            answered += f": {message}"
        answered = self._quote(answered)
        if request_id:
            answered += f" (request id {self._quote(request_id)})"
        if status in RETRIED_STATUSES:
            answered += f", {self._options.retries + 1} attempts"
        raise ProviderError(
            self.source_name,
            what,
            request=request,
            answered=answered,
            do=do,
            status=status,
            answered_message=message,
            is_transient=status in RETRIED_STATUSES,
        )

    def _advice(self, status: int) -> tuple[str, str]:
        """Return what happened and what to do about it, for an HTTP status other than 200."""
        variable, expected = self._key.variable, self._key.expected
        known = {
            401: (f"the key in {variable} was refused", f"set {variable} to {expected}"),
            403: (
                f"the key in {variable} may not read this",
                f"give it the right to read usage and costs, or set {variable} to {expected}",
            ),
            404: (
                "the provider does not know this address",
                "check the base URL and the endpoints of this source",
            ),
            429: (
                "the provider limits the rate of requests",
                "pull less often, or raise http.retries and http.max_wait_seconds of this source",
            ),
        }
        if status in known:
            return known[status]
        if 300 <= status < 400:
            return (
                "the provider redirects, which is not followed, so that the key goes nowhere else",
                "set the base URL of this source to the final address",
            )
        if status in RETRIED_STATUSES:
            return "the provider failed", "pull again later; nothing of this pull has landed"
        return (
            "the provider refused the request",
            "check the configuration of this source against what the provider answered",
        )


def _refuse_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


def _parsed(content: bytes) -> _Json | None:
    """Parse JSON without going through float; None when it is not JSON."""
    try:
        return cast("_Json", json.loads(content, parse_float=Decimal, parse_constant=_refuse_constant))
    except (ValueError, RecursionError):
        return None


def _error_message(response: requests.Response) -> str:
    """Find the provider's own words: `error.message`, its parameter and code; else the whole body."""
    body = _parsed(response.content)
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return _text(response)
    error = cast("JsonObject", error)
    parts = [error.get("message"), error.get("param"), error.get("code") or error.get("type")]
    return " / ".join(part for part in parts if isinstance(part, str) and part)


def _text(response: requests.Response) -> str:
    # Not `response.text`, which guesses the encoding by statistics over the whole body.
    return response.content.decode("utf-8", errors="replace")


def _request_id(response: requests.Response) -> str:
    """Return the id under which the provider's support finds the request; empty when there is none."""
    value = response.headers.get("x-request-id") or response.headers.get("request-id") or ""
    return value if re.fullmatch(r"[\w.:-]{1,100}", value) else ""
