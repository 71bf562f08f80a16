"""The built-in sample company behind a source: its files, and its providers while a pull runs.

Belongs here: what makes a source of the sample company differ from one's own. Does not belong here:
generating the sample or its bills (`orchestration/sample_company`).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from orchestration.connectors.base import SecretResolver
from orchestration.connectors.errors import ConnectorError
from orchestration.settings import Settings

_SAMPLE_PREFIX = "TRUEUP_SAMPLE_"
_USER_HASH_KEY = "TRUEUP_USER_HASH_KEY"


@contextmanager
def sample_secrets(source_name: str, settings: Settings, fallback: SecretResolver) -> Generator[SecretResolver]:
    """Resolve the addresses and keys of the sample company's providers, and others by `fallback`.

    The providers run on loopback from the first time that one of theirs is asked for until the block ends.

    Raises:
        ConnectorError: When the sample company has not been generated.
    """
    require_sample(source_name, settings)
    with ExitStack() as running:
        environment: dict[str, str] = {}

        def resolve(name: str) -> str:
            if name == _USER_HASH_KEY:
                # People of the sample company do not exist; their pseudonyms need no secret.
                return settings.secret(name) or "sample company"
            if not name.startswith(_SAMPLE_PREFIX):
                return fallback(name)
            if not environment:
                from orchestration.sample_company import LoopbackProviders  # noqa: PLC0415 - only HTTP needs it

                environment.update(running.enter_context(LoopbackProviders(settings.sample)).env)
            return environment[name]

        yield resolve


def require_sample(source_name: str, settings: Settings) -> None:
    """Make sure that the sample company has been generated.

    Raises:
        ConnectorError: When it has not.
    """
    if not (settings.sample / "ground_truth.json").exists():
        raise ConnectorError(
            source_name,
            f"the sample company has not been generated in {settings.sample}",
            do="run `trueup sample`, or name your own sources with TRUEUP_SOURCES",
        )
