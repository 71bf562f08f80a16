"""What a user's own tools are given, and whether it works in them.

Belongs here: checking the metrics (`metrics`) and the Superset bundle (`superset`) against the published marts, in the
real programs. Does not belong here: definitions of metrics (`dbt_project/models/semantics`), the bundle itself
(`bi/superset`), and the app of our own (`dashboards/`).
"""
