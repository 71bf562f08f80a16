"""What can go wrong between a source and the landing zone, said so that a person knows what to do next."""

from __future__ import annotations


class ConnectorError(Exception):
    """A source could not be read.

    The message names the source, what was asked, what was answered and what to do. It never holds a key.
    """

    def __init__(
        self,
        source_name: str,
        what: str,
        *,
        request: str | None = None,
        answered: str | None = None,
        do: str | None = None,
    ) -> None:
        self.source_name = source_name
        self.what = what
        self.request = request
        self.answered = answered
        self.do = do
        parts = [f"source {source_name}: {what}"]
        if request:
            parts.append(f"request: {request}")
        if answered:
            parts.append(f"answered: {answered}")
        if do:
            parts.append(f"what to do: {do}")
        super().__init__("; ".join(parts))


class MissingSecretError(ConnectorError):
    """An environment variable that a source names for its secret is not set."""

    def __init__(self, source_name: str, variable: str) -> None:
        self.variable = variable
        super().__init__(
            source_name,
            f"the environment variable {variable} is not set",
            do=f"set {variable} for the process that runs the pull, then run it again",
        )
