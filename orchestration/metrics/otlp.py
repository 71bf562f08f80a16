"""Sending figures over OTLP/HTTP, once.

Belongs here: the SDK's meter, made for one export. Does not belong here: which figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestration.metrics.figures import Figure

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter

_TIMEOUT_SECONDS = 10


class ExportError(RuntimeError):
    """The figures did not arrive, or cannot be sent from here; the message says why."""


def http_exporter(endpoint: str) -> MetricExporter:
    """Return an exporter to `<endpoint>/v1/metrics`; headers are those of `OTEL_EXPORTER_OTLP_HEADERS`.

    Raises:
        ExportError: The exporter's package is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    except ImportError as error:
        raise ExportError(
            "TRUEUP_OTLP_ENDPOINT is set; `pip install 'trueup[otel]'` brings what sends to it"
        ) from error
    return OTLPMetricExporter(endpoint=f"{endpoint.rstrip('/')}/v1/metrics", timeout=_TIMEOUT_SECONDS)


def send(figures: Iterable[Figure], exporter: MetricExporter, version: str) -> int:
    """Send each figure as a gauge and wait for the answer; returns how many were sent.

    Args:
        figures: What to send.
        exporter: Where to.
        version: The published version that they are of.

    Raises:
        ExportError: The other side did not take them.
    """
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    reader = InMemoryMetricReader()
    resource = Resource.create({"service.name": "trueup", "trueup.published.version": version})
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    meter = provider.get_meter("trueup")
    sent = 0
    for figure in figures:
        meter.create_gauge(figure.name, unit=figure.unit).set(figure.value, dict(figure.attributes))
        sent += 1
    data = reader.get_metrics_data()
    try:
        if data is not None and exporter.export(data) is not MetricExportResult.SUCCESS:
            raise ExportError("the metrics endpoint did not take the figures; the log of the run says why")
    finally:
        exporter.shutdown()
        provider.shutdown()
    return sent
