"""Receivers on loopback that answer, fail and hang, as they are told.

Belongs here: real servers. Does not belong here: what is sent to them.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


@dataclass
class Webhook:
    """An HTTP receiver.

    Attributes:
        answers: What to do with the next requests: a status, or `hang`; 200 when the list is empty.
        got: Headers and body of every request, also of those that were answered badly.
    """

    answers: list[int | str] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def webhook() -> Generator[Webhook]:
    """Serve one until the end of the block; what hangs is let go then."""
    receiver = Webhook()
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = receiver.answers.pop(0) if receiver.answers else 200
            receiver.got.append((dict(self.headers), body))
            if answer == "hang":
                is_over.wait()
                return
            self.send_response(int(answer))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        is_over.set()
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    """An SMTP receiver: `answers` as above, with SMTP's codes."""

    answers: list[str] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    url: str = ""

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a message."""
        self.got.append(envelope.content.decode())
        return self.answers.pop(0) if self.answers else "250 OK"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Serve one until the end of the block."""
    box = Mailbox()
    # aiosmtpd connects to the port that it was given to see whether it serves, so it must be told a real one.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        box.url = f"mailto://127.0.0.1:{port}/?from=alerts@trueup.test&to=on-call@trueup.test&mode=insecure"
        yield box
    finally:
        controller.stop()
