"""The folder that a training writes to: made and tried at the start, and held until the end against other trainings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import ConfigError, WriteFailed

LOCK = ".training.lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Makes the folder and holds it; at the end it is removed if this made it and nothing was left in it.

    The lock ends with the process: of a killed run an empty file remains, which holds nobody up. Where the system has
    no file locks there is none. Raises ConfigError if another training holds the folder or it can't be written to,
    and WriteFailed for an OSError inside that names a file of the folder.
    """
    made = [path for path in (folder, *folder.parents) if not os.access(path, os.F_OK)]
    try:
        with _locked(folder):
            yield
    except OSError as error:
        if not isinstance(error.filename, str) or folder not in Path(error.filename).parents:
            raise
        raise WriteFailed(
            f"{error.filename}: expected a file that can be written, found: {error.strerror}; make room or see to the "
            "permissions, then train again, with resume if there is a checkpoint"
        ) from error
    finally:
        for path in made:
            with suppress(OSError):  # it isn't empty
                path.rmdir()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    path = folder / LOCK
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stream = path.open("w")
        except OSError as error:
            raise ConfigError(
                f"{folder}: expected a folder that can be made and written to, found: {error.strerror}; choose another"
            ) from None
        with stream:
            _lock(stream, folder)
            if not _is_at(path, stream):
                continue  # whoever held it has just removed it
            try:
                yield
            finally:
                with suppress(OSError):
                    path.unlink()
            return


def _lock(stream: IO[str], folder: Path) -> None:
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"{folder}: expected a folder that no other training writes to, found one that a training is writing to "
            "now; wait until that has ended, or choose another folder"
        ) from None
    except (ImportError, OSError):
        return  # neither every system nor every file system has locks


def _is_at(path: Path, stream: IO[str]) -> bool:
    """Whether an open file is the one at a path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False
