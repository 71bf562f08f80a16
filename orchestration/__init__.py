"""trueup: what every tenant, feature, model and accepted outcome costs, tied to the provider's invoice.

Rooms, in the order in which data passes them: `connectors` (pull), `landing` (keep), `warehouse` (model, by
dbt), `publishing` (show), `alerting` (tell). `defs` wires them into Dagster and holds no logic.
"""
