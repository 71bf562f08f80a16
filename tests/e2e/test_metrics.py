"""The daily figures arrive over real OTLP/HTTP, and are what the marts say."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from company import LAST_DAY, Company
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from orchestration.metrics.figures import Figure, figures_of_day, newest_whole_day
from orchestration.metrics.otlp import ExportError, http_exporter, send
from orchestration.publishing.reader import open_marts


@dataclass
class Collector:
    """A collector that keeps what it gets; `status` is what it answers."""

    endpoint: str
    status: int = 200
    bodies: list[bytes] = field(default_factory=list[bytes])

    def points(self) -> dict[str, list[tuple[float, dict[str, str]]]]:
        """Return (value, attributes) of each point, by metric."""
        found: dict[str, list[tuple[float, dict[str, str]]]] = defaultdict(list)
        for body in self.bodies:
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        for point in metric.gauge.data_points:
                            attributes = {pair.key: pair.value.string_value for pair in point.attributes}
                            found[metric.name].append((point.as_double, attributes))
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/metrics":
                kept.bodies.append(body)
            self.send_response(kept.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the test's output free of access lines."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_figures_of_a_day_arrive_and_sum_to_its_cost(small_company: Company, collector: Collector) -> None:
    with open_marts(small_company.home / "published") as marts:
        figures = list(figures_of_day(marts, LAST_DAY, tenants=3))
        cost, accepted = marts.execute(
            "select sum(effective_cost_usd)::double, sum(accepted_outcomes_count) from unit_economics_by_feature_day "
            f"where usage_date = date '{LAST_DAY}'"
        ).fetchall()[0]
    assert send(figures, http_exporter(collector.endpoint), "v1") == len(figures)
    points = collector.points()
    assert sum(len(found) for found in points.values()) == len(figures)
    assert sum(value for value, _ in points["trueup.day.cost"]) == pytest.approx(cost, rel=1e-12)
    assert sum(value for value, _ in points["trueup.day.outcomes.accepted"]) == accepted
    assert {*points["trueup.day.cost"][0][1]} == {"trueup.feature", "gen_ai.provider.name", "gen_ai.response.model"}
    tenants = points["trueup.day.tenant.cost"]
    assert len({attributes["trueup.tenant.id"] for _, attributes in tenants}) == 4
    assert sum(value for value, _ in tenants) == pytest.approx(cost, rel=1e-12)


def test_no_series_of_a_tenant_unless_somebody_asked(small_company: Company) -> None:
    with open_marts(small_company.home / "published") as marts:
        names = {figure.name for figure in figures_of_day(marts, LAST_DAY)}
        midnight = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, tzinfo=UTC) + timedelta(days=1)
        assert newest_whole_day(marts, midnight) == LAST_DAY
        assert newest_whole_day(marts, midnight - timedelta(seconds=1)) == LAST_DAY - timedelta(days=1)
    assert "trueup.day.tenant.cost" not in names
    assert len(names) >= 12


def test_an_endpoint_that_refuses_fails_the_step(collector: Collector) -> None:
    collector.status = 400
    with pytest.raises(ExportError, match="did not take"):
        send([Figure("trueup.day.cost", "USD", 1.0, {})], http_exporter(collector.endpoint), "v1")
