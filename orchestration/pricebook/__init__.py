"""The effective-dated price book: how it is read, checked, refreshed and what its rows mean.

Belongs here: everything about a price row that is true whatever the warehouse does with it. Does not belong
here: usage semantics of sources, and SQL; dbt reads the same CSV files, and `book.price_for` is the reference
it is tested against.
"""
