"""The pages, one module each: what is asked, and where it stands.

Belongs here: layout and words. Does not belong here: SQL (`queries`) and figures that no query gives.
"""
