"""The way back: limits and switches for the request path, and the counters that it keeps put right.

Belongs here: from published marts and reviewed rows to the files that `trueup-middleware` reads, the record of who
has thrown which switch, and comparing counters with what calls did cost. Does not belong here: deciding about a call
(the library does), measuring (dbt does), wiring (`orchestration/defs/limits.py`).

The folder, `TRUEUP_HOME/limits`:

    limits.json -> limits-<version>.json      who may spend how much; three versions are kept
    prices.json.gz -> prices-<version>.json.gz    what a call costs, by the price book
    switches.json -> switches-<version>.json  what is switched off or down now
    switch_events.jsonl                       who proposed, threw and lifted each switch, when and why: never rewritten
"""
