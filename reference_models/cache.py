"""The cache folder: where it is, how processes share it, and how a folder comes into it whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import NotAvailable


def cache_folder() -> Path:
    """The one folder for everything that may be deleted: RTCONFORM_CACHE, else rtconform in the user's cache folder."""
    if chosen := os.environ.get("RTCONFORM_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "rtconform"


def say(line: str) -> None:
    """One line of progress, on stderr so that stdout stays the answer."""
    print(f"rtconform: {line}", file=sys.stderr, flush=True)


@contextmanager
def locked(folder: Path, name: str, *, doing: str) -> Iterator[None]:
    """Holds the lock `name` in `folder` against other threads and processes; `doing` names the work for who waits.

    The lock ends with the process, so a killed run leaves none behind. Raises NotAvailable if the folder can't be
    written to or the system has no file locks.
    """
    try:
        import fcntl
    except ImportError:
        raise NotAvailable(f"{doing} needs the file locks of a POSIX system, and {sys.platform} has none") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{name}.lock").open("w")
    except OSError as error:
        raise NotAvailable(
            f"{doing} needs a cache folder that can be written to, but {folder} gives: {error.strerror}. "
            "Set RTCONFORM_CACHE to another folder"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{doing}: waiting for another process that is at it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def work_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `parent`, deleted at the end with all that is still in it."""
    folder = Path(tempfile.mkdtemp(prefix=f".{prefix}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install_folder(finished: Path, target: Path) -> None:
    """Moves a finished folder to its place on the same disk in one step: readers see all of it or nothing."""
    if target.exists():
        shutil.rmtree(target)
    finished.rename(target)
