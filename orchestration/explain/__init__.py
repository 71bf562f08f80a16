"""Why spend moved between any two periods, asked of what is published.

Belongs here: `make explain`. Does not belong here: the arithmetic (`dbt_project/macros/decomposition.sql`, which the
marts use too), and comparisons that stand ready (`spend_change_drivers`).
"""
