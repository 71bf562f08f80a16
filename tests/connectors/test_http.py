"""HTTP of sources against a real server: retries, paging, errors that say what to do, and the key."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from loopback import Answer, LoopbackServer, Request, pages
from pydantic import ValidationError

from orchestration.connectors.errors import ConnectorError
from orchestration.connectors.http import ApiKey, HttpApi, HttpOptions, ProviderError, check_base_url

KEY = "loopback-admin-key-4f9a71"
AT_ONCE = HttpOptions(retries=2, backoff_seconds=0, read_timeout_seconds=5)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record what a retry would have waited, instead of waiting."""
    seconds: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", seconds.append)
    return seconds


def api(base_url: str, options: HttpOptions = AT_ONCE, key: str = KEY) -> HttpApi:
    return HttpApi(
        "acme_bill",
        base_url,
        ApiKey("ACME_KEY", "an admin key of the organisation", key, prefix="Bearer "),
        options,
        {"x-version": "7"},
    )


def refusal(server: LoopbackServer, *answers: Answer, options: HttpOptions = AT_ONCE) -> ProviderError:
    server.serve("/v1/bill", *answers)
    with api(server.url, options) as acme, pytest.raises(ProviderError) as caught:
        acme.get("/v1/bill", [("group_by[]", "model"), ("group_by[]", "project_id")])
    return caught.value


def test_a_request_carries_the_key_the_headers_and_repeated_parameters(server: LoopbackServer) -> None:
    server.serve("/v1/bill", Answer({"total": 1}))
    with api(server.url + "/") as acme:
        page = acme.get("/v1/bill", [("group_by[]", "model"), ("group_by[]", "project_id")])
    (request,) = server.requests
    assert page.body == {"total": 1}
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["x-version"] == "7"
    assert request.headers["User-Agent"].startswith("trueup")
    assert request.all("group_by[]") == ["model", "project_id"]


def test_numbers_with_a_point_or_an_exponent_never_become_floats(server: LoopbackServer) -> None:
    server.serve("/v1/bill", Answer(b'{"a": 0.1, "b": 1e-7, "c": 12345678901234567890.123456789012, "d": 3}'))
    with api(server.url) as acme:
        body = acme.get("/v1/bill").body
    assert body == {
        "a": Decimal("0.1"),
        "b": Decimal("0.0000001"),
        "c": Decimal("12345678901234567890.123456789012"),
        "d": 3,
    }
    assert type(body["d"]) is int


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 529])
def test_a_passing_failure_is_tried_again(server: LoopbackServer, status: int) -> None:
    server.serve("/v1/bill", Answer(status=status), Answer(status=status), Answer({"total": 1}))
    with api(server.url) as acme:
        assert acme.get("/v1/bill").body == {"total": 1}
    assert len(server.requests) == 3


@pytest.mark.parametrize(("asked_for", "waited"), [("7", 7), ("9999", 20)])
def test_retry_after_is_honoured_up_to_the_longest_wait(
    server: LoopbackServer, waits: list[float], asked_for: str, waited: int
) -> None:
    server.serve("/v1/bill", Answer(status=429, headers={"Retry-After": asked_for}), Answer({"total": 1}))
    with api(server.url, HttpOptions(retries=1, max_wait_seconds=20)) as acme:
        assert acme.get("/v1/bill").body == {"total": 1}
    assert waits == [waited]


def test_waits_double_up_to_the_longest_wait(server: LoopbackServer, waits: list[float]) -> None:
    refusal(server, Answer(status=500), options=HttpOptions(retries=5, backoff_seconds=1.5, max_wait_seconds=10))
    assert waits == [3, 6, 10, 10]


@pytest.mark.parametrize(
    ("status", "what", "do", "is_transient", "attempts"),
    [
        (400, "the provider refused the request", "check the configuration of this source", False, 1),
        (401, "the key in ACME_KEY was refused", "set ACME_KEY to an admin key", False, 1),
        (403, "the key in ACME_KEY may not read this", "give it the right to read usage and costs", False, 1),
        (404, "the provider does not know this address", "check the base URL", False, 1),
        (429, "the provider limits the rate of requests", "pull less often", True, 3),
        (503, "the provider failed", "pull again later", True, 3),
    ],
)
def test_a_failure_says_what_was_asked_what_was_answered_and_what_to_do(
    server: LoopbackServer, *, status: int, what: str, do: str, is_transient: bool, attempts: int
) -> None:
    body = {"error": {"message": "not today", "type": "some_error", "param": None, "code": "no_luck"}}
    error = refusal(server, Answer(body, status, {"x-request-id": "req_0815"}))
    assert len(server.requests) == attempts
    assert error.status == status
    assert error.is_transient is is_transient
    assert str(error).startswith(f"source acme_bill: {what}; request: GET {server.url}/v1/bill?group_by[]=model")
    assert f"answered: {status} " in str(error)
    assert ": not today / no_luck (request id req_0815)" in str(error)
    assert f"what to do: {do}" in str(error)
    assert ("3 attempts" in str(error)) is is_transient


def test_a_redirect_is_not_followed(server: LoopbackServer) -> None:
    server.serve("/elsewhere", Answer({"total": 1}))
    error = refusal(server, Answer(status=302, headers={"Location": server.url + "/elsewhere"}))
    assert [request.path for request in server.requests] == ["/v1/bill"]
    assert f"answered: 302 Found to {server.url}/elsewhere" in str(error)


def test_an_error_page_in_html_is_quoted_on_one_line_and_not_at_length(server: LoopbackServer) -> None:
    page = b"<html>\n<h1>Bad gateway\x07</h1>" + b"<p>padding</p>\n" * 10_000
    error = refusal(server, Answer(page, 502, {"Content-Type": "text/html"}))
    assert "answered: 502 Bad Gateway: <html> <h1>Bad gateway</h1><p>padding</p> <p>" in str(error)
    assert len(str(error)) < 800
    assert str(error).isprintable()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"<html>please log in</html>", "not JSON: <html>please log in"),
        (b'{"data": [', 'not JSON: {"data": ['),
        (b'{"amount": NaN}', "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"[1, 2]", "JSON, but not an object"),
        (b"", "not JSON"),
    ],
)
def test_an_answer_that_is_no_json_object_is_refused(server: LoopbackServer, body: bytes, found: str) -> None:
    error = refusal(server, Answer(body, headers={"Content-Type": "text/html"}))
    assert "the answer is not a JSON object" in str(error)
    assert f"answered: 200, text/html, {found}" in str(error)
    assert not error.is_transient


def test_a_provider_that_says_nothing(server: LoopbackServer) -> None:
    options = HttpOptions(retries=1, backoff_seconds=0, read_timeout_seconds=0.05)
    error = refusal(server, Answer(never_comes=True), options=options)
    assert len(server.requests) == 2
    assert "the provider did not answer in time" in str(error)
    assert "answered: nothing within 0.05 s, 2 attempts" in str(error)
    assert error.is_transient


def test_an_answer_that_breaks_off_is_not_taken_for_whole(server: LoopbackServer) -> None:
    error = refusal(server, Answer(b'{"total": 1}' + b" " * 100, breaks_off=True))
    assert "the answer broke off" in str(error)
    assert error.is_transient


def test_nobody_at_the_address() -> None:
    with LoopbackServer() as closed:
        url = closed.url
    with api(url) as acme, pytest.raises(ProviderError, match="Connection refused") as caught:
        acme.get("/v1/bill")
    assert caught.value.is_transient


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401),
        Answer({"error": {"message": "x" * 290 + KEY}}, 400),
        Answer(f"<html>you sent Bearer {KEY}</html>".encode(), 502),
        Answer(f"<html>you sent Bearer {KEY}</html>".encode(), 200),
        Answer([KEY], 200),
        Answer({"has_more": True, "data": [], "next_page": None, "echo": KEY}, 200),
        Answer(status=307, headers={"Location": f"http://127.0.0.1:9/?key={KEY}"}),
        Answer(status=429, headers={"Retry-After": f"tomorrow {KEY}"}),
        Answer({"total": KEY}, breaks_off=True),
        Answer(never_comes=True),
    ],
)
def test_the_key_is_in_no_message_and_in_no_traceback(server: LoopbackServer, answer: Answer) -> None:
    server.serve("/v1/bill", answer)
    options = HttpOptions(retries=1, backoff_seconds=0, read_timeout_seconds=0.05)
    with api(server.url, options) as acme, pytest.raises(ProviderError) as caught:
        list(acme.pages("/v1/bill"))
    error = caught.value
    assert error.__traceback__ is not None
    # The whole chain and every local variable below this test, as an error tracker would send them off.
    frames = traceback.TracebackException(
        type(error), error, error.__traceback__.tb_next, capture_locals=True, compact=False
    )
    trace = "".join(frames.format())
    assert "    self = <orchestration.connectors.http.HttpApi" in trace
    for told in (str(error), repr(error), repr(vars(error)), trace):
        assert KEY not in told
    assert error.__context__ is None
    assert KEY not in repr(acme._key)


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "schlüssel", ""])
def test_a_key_that_cannot_be_sent_is_refused_unseen(value: str) -> None:
    with pytest.raises(ConnectorError, match="the value of ACME_KEY is empty or holds spaces") as caught:
        api("https://provider.example", key=value)
    assert not value or value not in str(caught.value)


def test_a_netrc_entry_does_not_replace_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine provider.example login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with api("https://provider.example") as acme:
        prepared = acme._session._session.prepare_request(requests.Request("GET", "https://provider.example/v1/bill"))
    assert prepared.headers["Authorization"] == f"Bearer {KEY}"


def test_a_proxy_of_the_environment_is_not_for_this_machine(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.serve("/v1/bill", Answer({"total": 1}))
    with api(server.url) as acme:
        assert acme.get("/v1/bill").body == {"total": 1}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("provider.example", "must begin with https://"),
        ("ftp://provider.example", "must begin with https://"),
        ("https://", "name a host"),
        ("http://provider.example/v1", "must use https"),
        ("http://10.0.0.7", "must use https"),
        ("https://user:hunter2@provider.example", "must not hold a user"),
        ("https://provider.example/v1?key=hunter2", "must not hold"),
    ],
)
def test_addresses_that_no_key_is_sent_to(url: str, reason: str) -> None:
    with pytest.raises(ConnectorError, match=reason) as caught:
        api(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://provider.example/v1/", "http://localhost:8080/", "http://127.0.0.1:1", "http://[::1]:1"]
)
def test_addresses_that_a_key_is_sent_to(url: str) -> None:
    assert check_base_url(url) == url.rstrip("/")


def test_paging_follows_the_cursor_to_the_end(server: LoopbackServer) -> None:
    server.serve("/v1/bill", pages(*({"data": [number]} for number in range(40))))
    with api(server.url) as acme:
        found = list(acme.pages("/v1/bill", [("limit", "1")]))
    assert [page.body["data"] for page in found] == [[number] for number in range(40)]
    assert [page.number for page in found] == list(range(1, 41))
    assert [request.one("limit") for request in server.requests] == ["1"] * 40


def endless(request: Request) -> Answer:
    number = int(request.one("page") or 0)
    return Answer({"data": [], "has_more": True, "next_page": str(number + 1)})


@pytest.mark.parametrize(
    ("script", "what"),
    [
        (Answer({"data": [], "has_more": True, "next_page": "same"}), "the same cursor came a second time"),
        (Answer({"data": [], "has_more": True, "next_page": None}), "more pages announced, but no cursor"),
        (Answer({"data": [], "has_more": True, "next_page": ""}), "more pages announced, but no cursor"),
        (Answer({"data": [], "has_more": True, "next_page": 7}), "more pages announced, but no cursor"),
        (Answer({"data": []}), "a page without has_more"),
        (Answer({"data": [], "has_more": "false"}), "a page without has_more"),
        (endless, "more than 25 pages for one question"),
    ],
)
def test_paging_never_ends_early_in_silence(server: LoopbackServer, script: Answer, what: str) -> None:
    server.serve("/v1/bill", script)
    with api(server.url, HttpOptions(max_pages=25)) as acme, pytest.raises(ProviderError, match=what):
        list(acme.pages("/v1/bill"))


def test_a_failure_in_mid_list_names_the_page_and_its_cursor(server: LoopbackServer) -> None:
    first_two = pages({"data": [1]}, {"data": [2]}, {"data": [3]})
    server.serve("/v1/bill", first_two, first_two, Answer({"error": {"message": "oops"}}, 500))
    with api(server.url) as acme, pytest.raises(ProviderError, match=r"page=page_3 \(page 3\)"):
        list(acme.pages("/v1/bill"))


def test_options_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match="timeout"):
        HttpOptions.model_validate({"timeout": 3})
