"""What a web application says of a request holds for every call made in it, and only there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from trueup_middleware import Meter, asgi, wsgi

Logged = Callable[[], list[dict[str, Any]]]


def _call(meter: Meter) -> None:
    with meter.request(model="m") as call:
        call.finish()


def test_asgi(meter: Meter, logged: Logged) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        _call(meter)
        await asyncio.sleep(0)
        await asyncio.to_thread(_call, meter)

    bound = asgi.BindRequest(app, lambda scope: {"tenant_id": scope["tenant"]})

    async def serve() -> None:
        requests = [{"type": "http", "tenant": tenant} for tenant in ("acme", "globex")]
        await asyncio.gather(*(bound(request, None, None) for request in requests))  # type: ignore[arg-type]
        await bound({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    asyncio.run(serve())
    lines = logged()
    assert sorted(str(line.get("tenant_id")) for line in lines) == ["None", "None", "acme", "acme", "globex", "globex"]
    operations = {line["tenant_id"]: line["operation_id"] for line in lines if "tenant_id" in line}
    assert all(line["operation_id"] == operations[line["tenant_id"]] for line in lines if "tenant_id" in line)
    assert len(set(operations.values())) == 2


def test_wsgi(meter: Meter, logged: Logged) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        _call(meter)
        yield b"one"
        _call(meter)
        yield b"two"

    bound = wsgi.BindRequest(app, lambda environ: {"tenant_id": environ["tenant"]})
    pieces = zip(
        bound({"tenant": "acme"}, lambda *_: None), bound({"tenant": "globex"}, lambda *_: None), strict=True
    )  # interleaved, as a server of many threads has it
    assert list(pieces) == [(b"one", b"one"), (b"two", b"two")]
    lines = logged()
    assert [line["tenant_id"] for line in lines] == ["acme", "globex", "acme", "globex"]
    assert len({line["operation_id"] for line in lines}) == 2
