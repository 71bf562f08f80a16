"""What readers see: Parquet per public mart, and `marts.duckdb` over it, switched in one step.

Belongs here: copying public marts out of the warehouse, proving that nothing was lost on the way, switching
from one version to the next, and opening the current one. Does not belong here: what a mart holds (that is
dbt's), when to publish (that is `defs`), and anything that a reader does with the figures.

The folder:

    marts.duckdb -> marts-<version>.duckdb        the current version
    marts-<version>.duckdb                        kept: the three newest, and any that a reader has open
    <mart>/usage_date=<day>/<version>.parquet     a day of a fact
    <mart>/usage_month=<month>/<version>.parquet  a month of a roll-up
    <mart>/<version>.parquet                      a mart without days

Each file is written when its rows change, and only then. In `marts.duckdb` a mart without days is a table,
the others are views over their files.

A version is a list of files (`published_files`), so unchanged files are shared by versions, and a folder
may hold files of older versions: ask the list, not a glob.
"""
