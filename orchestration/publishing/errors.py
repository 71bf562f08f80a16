"""What can go wrong in publishing and reading, in words that say what to do.

Belongs here: the errors that callers catch. Does not belong here: errors of DuckDB, which stay the cause.
"""


class PublishError(Exception):
    """Nothing was published; readers keep the version they had. The message says what to do."""


class NotPublishedError(Exception):
    """There is nothing to read yet."""
