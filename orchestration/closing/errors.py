"""What can go wrong with closed months, in words that say what to do.

Belongs here: the errors that callers catch. Does not belong here: errors of publishing and of dbt.
"""


class ClosingError(Exception):
    """Nothing was closed, replayed or compared; what was kept before stays. The message says what to do."""
