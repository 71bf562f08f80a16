"""The built-in dashboards: what is published, for people who look before they read.

Belongs here: pages over `published/marts.duckdb`, which they open read-only. Does not belong here: figures that need
more than a query of published marts (they are dbt models), and anything that writes.

    queries/*.sql   one file a chart; filters are bound, the rows they narrow are called `usage` (`usage.py`)
    publication.py  one version of the publication for one page load
    filters.py      what a link says
    screens/        what is asked and where it stands; no SQL
"""
