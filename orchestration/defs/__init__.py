"""Wiring only: which assets, checks, jobs, schedules and sensors there are.

Belongs here: names, partitions, order, times. Does not belong here: SQL, HTTP, pandas, and any rule about
money.
"""
