"""A scripted HTTP server on 127.0.0.1, for tests of sources: real sockets, and answers as odd as they come.

Belongs here: serving what a test scripts, and remembering what was asked. Does not belong here: any
provider's behaviour; a test that wants one writes it as a function from request to answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]

    def all(self, name: str) -> list[str]:
        """Return every value of a query parameter, in order."""
        return [value for key, value in self.query if key == name]

    def one(self, name: str) -> str | None:
        """Return the only value of a query parameter, or None when it is absent."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} given {len(values)} times"
        return values[0] if values else None


@dataclass(frozen=True)
class Answer:
    """What the server says. `body` is sent as it is when it is bytes, else as JSON."""

    body: object = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    never_comes: bool = False
    """Keep the connection open and say nothing."""
    breaks_off: bool = False
    """Announce the whole body, send half of it and hang up."""

    def content(self) -> bytes:
        """Return the bytes of the body."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Script = Callable[[Request], Answer]


class LoopbackServer:
    """Serves scripts by path. Use it as a context manager."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._scripts: dict[str, Script] = {}
        self._closing = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> LoopbackServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The server's address, without a trailing slash."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def serve(self, path: str, *answers: Answer | Script) -> None:
        """Answer the n-th request to `path` with the n-th of `answers`; the last one stays."""
        left = list(answers)

        def script(request: Request) -> Answer:
            answer = left.pop(0) if len(left) > 1 else left[0]
            return answer if isinstance(answer, Answer) else answer(request)

        self._scripts[path] = script

    def asked(self, path: str) -> list[Request]:
        """Return the requests that were made to `path`, in order."""
        return [request for request in self.requests if request.path == path]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one write an answer: two would wait 40 ms for each other (Nagle, delayed ACK)

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qsl(parts.query, keep_blank_values=True)
                request = Request(parts.path, query, dict(self.headers.items()))
                server.requests.append(request)
                script = server._scripts.get(parts.path)
                answer = script(request) if script else Answer({"error": {"message": "no such path"}}, 404)
                if answer.never_comes:
                    server._closing.wait()
                    return
                content = answer.content()
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if answer.breaks_off:
                    content = content[: len(content) // 2]
                    self.close_connection = True
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Keep the test's output clean."""

        return Handler


def pages(*bodies: dict[str, object]) -> Script:
    """Serve `{"data": …}` bodies as pages; the cursor to the n-th page is `page_<n>`."""

    def script(request: Request) -> Answer:
        number = int((request.one("page") or "page_1").removeprefix("page_"))
        is_last = number == len(bodies)
        envelope = {"has_more": not is_last, "next_page": None if is_last else f"page_{number + 1}"}
        return Answer({"object": "page", **bodies[number - 1], **envelope})

    return script
