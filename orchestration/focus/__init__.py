"""What LLM calls cost, in the words of FOCUS, the FinOps Open Cost and Usage Specification.

Belongs here: turning published marts into FOCUS datasets, and checking files against the specification's rules. Does
not belong here: any figure that the marts do not hold, and FOCUS files of providers (`connectors/focus_charges.py`).

`columns.csv` lists the columns of the datasets that are written, from the specification (CC BY 4.0, FinOps Foundation,
https://focus.finops.org): version 1.4, and the Cost and Usage dataset of 1.2, which most tools read.
"""
