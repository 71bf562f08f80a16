"""The landing zone: typed Parquet, verbatim fields of the source, one version per pull, never overwritten.

It is the source of truth; the warehouse is a cache over it. Belongs here: paths, schemas, versions, the manifest,
quarantine. Does not belong here: how a source is read (`connectors`) and what its fields mean (`dbt_project`).
"""
