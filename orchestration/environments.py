"""Programs that cannot live in trueup's own environment: each gets a virtual environment beside it.

Belongs here: finding a Python that a program runs on, making its environment, running it. Does not belong here: what a
program is asked (`focus.official`, `bi.metrics`, `bi.superset`, `pricebook.litellm_function`).

Such a program judges what trueup made or reads it as a user's own tool does; nothing in a run needs one.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LAST_WORDS = 2000


class ProgramUnavailableError(Exception):
    """A program cannot be installed or run here; the message says what it needs."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds one program.

    Attributes:
        folder: Where it lies.
    """

    folder: Path

    def run(
        self,
        program: str,
        *arguments: str | Path,
        cwd: Path | None = None,
        variables: Mapping[str, str] | None = None,
        given: str | None = None,
    ) -> str:
        """Run a program of the environment and return what it printed.

        Args:
            program: Its name, such as `python`.
            arguments: Its arguments.
            cwd: Its working directory.
            variables: The whole of its environment variables; this process's for None.
            given: What it reads on its standard input.

        Raises:
            ProgramUnavailableError: When it cannot be started or ends with an error; holds its last words.
        """
        return output([self.folder / "bin" / program, *arguments], cwd=cwd, variables=variables, given=given)


def environment(folder: Path, requirements: Path, pythons: Sequence[str]) -> Environment:
    """Return the environment in `folder`, made anew when it does not hold what the requirements say.

    Args:
        folder: Where it lies or will lie.
        requirements: A lock: every package with its hashes, and nothing else is installed.
        pythons: Versions that the program runs on, such as `3.12`, best first.

    Raises:
        ProgramUnavailableError: When no such Python is found, or the packages cannot be installed.
    """
    installed = folder / "installed"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not installed.exists() or installed.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        output([find_python(pythons), "-m", "venv", folder])
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        output([*pip, "--require-hashes", "--no-deps", "--requirement", requirements])
        installed.write_text(wanted)
    return Environment(folder)


def find_python(versions: Sequence[str]) -> str:
    """Return a Python of one of the versions: this one, else of the path, of pyenv, of uv.

    Raises:
        ProgramUnavailableError: When there is none.
    """
    for version in versions:
        for candidate in _candidates(version):
            try:
                if output([candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]) == version:
                    return candidate
            except ProgramUnavailableError:
                continue
    raise ProgramUnavailableError(
        f"it needs Python {' or '.join(versions)}, and there is none here (looked on the path, in pyenv, at uv)"
    )


def output(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
    given: str | None = None,
) -> str:
    """Run a command and return what it printed, without surrounding blanks.

    Raises:
        ProgramUnavailableError: When it cannot be started or ends with an error; holds its last words.
    """
    try:
        done = subprocess.run(  # noqa: S603 - commands are assembled in this package
            command, cwd=cwd, env=variables, input=given, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ProgramUnavailableError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-_LAST_WORDS:]
        raise ProgramUnavailableError(f"{' '.join(map(str, command))}:\n{words}")
    return done.stdout.strip()


def _candidates(version: str) -> Iterator[str]:
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        yield sys.executable
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    kept = Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")
    yield from (str(path) for path in sorted(kept, reverse=True))
    if uv := shutil.which("uv"):
        try:
            yield output([uv, "python", "find", version])
        except ProgramUnavailableError:
            return
