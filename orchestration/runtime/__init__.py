"""How runs are stored, started and shown on a terminal.

Belongs here: the Dagster instance of one `TRUEUP_HOME`, its event storage, the progress bar. Does not belong
here: assets and jobs (they live in `orchestration/defs/`), and what they do.
"""
