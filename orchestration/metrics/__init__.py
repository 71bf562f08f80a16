"""The marts' daily figures as OpenTelemetry metrics, for teams that page from Datadog, Grafana or CloudWatch.

Belongs here: which figures, and sending them over OTLP. Does not belong here: measuring (the marts do), and figures of
single calls, which `trueup-middleware` sends as they happen.

These are doubles, for paging. Finance reads the marts.
"""
