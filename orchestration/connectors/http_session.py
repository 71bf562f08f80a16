"""The session behind `http`: retries, time limits, the key on every request, and what silence means.

Belongs here: all that needs `requests`, which takes 0.2 s to import, and which only a pull over HTTP needs. Does not
belong here: what an answer says.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError, ReadTimeoutError, SSLError
from urllib3.util import Retry

from orchestration.connectors.http import RETRIED_STATUSES, ApiKey, HttpOptions, QueryParams, Silence


class _KeyAuth(AuthBase):
    """Puts the key on a request.

    A header of the session would not do: without an `auth`, `requests` replaces it by what `~/.netrc` holds.
    """

    def __init__(self, key: ApiKey) -> None:
        self._key = key

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers[self._key.header] = self._key.prefix + self._key.value
        return r


class HttpSession:
    """GET requests of one source, with its key."""

    def __init__(self, key: ApiKey, options: HttpOptions, headers: Mapping[str, str], *, uses_proxy: bool) -> None:
        self._options = options
        self._session = requests.Session()
        self._session.trust_env = uses_proxy
        adapter = HTTPAdapter(max_retries=_retry(options))
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.auth = _KeyAuth(key)
        self._session.headers.update({"User-Agent": _user_agent(), "Accept": "application/json", **headers})

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def get(self, url: str, params: QueryParams) -> requests.Response | Silence:
        """Return the answer, whatever its status, after all retries; or why there is none.

        Not an error: the exceptions of `requests` carry the request and with it the key.
        """
        timeout = (self._options.connect_timeout_seconds, self._options.read_timeout_seconds)
        try:
            return self._session.get(url, params=list(params), timeout=timeout, allow_redirects=False)
        except requests.RequestException as error:
            return self._explain(error)

    def _explain(self, error: requests.RequestException) -> Silence:
        options = self._options
        cause: object = error.args[0] if error.args else error
        attempts = ""
        if isinstance(cause, MaxRetryError):
            cause = cause.reason
            attempts = f", {options.retries + 1} attempts"
        if isinstance(error, requests.exceptions.SSLError) or isinstance(cause, SSLError):
            return Silence(
                "no trusted connection to the provider",
                f"nothing: {cause}",
                "check the certificates of this machine (REQUESTS_CA_BUNDLE) and of the proxy on the way",
            )
        if isinstance(error, requests.ConnectTimeout):
            return Silence(
                "no connection to the provider in time",
                f"nothing within {options.connect_timeout_seconds:g} s{attempts}",
                "check the network and the base URL, or raise http.connect_timeout_seconds",
            )
        if isinstance(error, requests.ReadTimeout) or isinstance(cause, ReadTimeoutError):
            return Silence(
                "the provider did not answer in time",
                f"nothing within {options.read_timeout_seconds:g} s{attempts}",
                "pull again later, pull a shorter window, or raise http.read_timeout_seconds",
            )
        if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
            return Silence("the answer broke off", f"a part: {cause}", "pull again; nothing of this pull has landed")
        return Silence(
            "no usable answer from the provider",
            str(cause),
            "check the network, the proxy and the base URL, then pull again",
        )


def _retry(options: HttpOptions) -> Retry:
    return Retry(
        total=options.retries,
        other=0,  # a certificate that is not trusted will not be trusted a second later
        status_forcelist=RETRIED_STATUSES,
        allowed_methods=frozenset({"GET"}),
        backoff_factor=options.backoff_seconds,
        backoff_max=options.max_wait_seconds,
        retry_after_max=options.max_wait_seconds,
        respect_retry_after_header=True,
        raise_on_status=False,  # the last answer is quoted
    )


def _user_agent() -> str:
    try:
        return f"trueup/{version('trueup')}"
    except PackageNotFoundError:
        return "trueup"
