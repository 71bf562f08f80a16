"""How dbt is asked to build the warehouse, and how it is known what need not be built again.

Belongs here: dbt's arguments as pure functions, the process that runs dbt, the fingerprints of what was
built, the translation of dbt nodes into Dagster assets. Does not belong here: SQL (it lives in
`dbt_project/`), pulling sources, publishing, and the wiring of assets into jobs (it lives in
`orchestration/defs/`).
"""
