"""What a data set lists, before any of it is read: its candidates, and an account of all that is left out."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from .augmentation import PLAIN, Variation
from .items import Recording

MISSING = "listed, but not there"
UNLABELLED = "there, but not listed"
UNREADABLE = "damaged, empty or too short"
SENSELESS = "a value outside its scale"
UNFIT = "nothing for this model in it"
TWICE = "listed more than once"
HELD_BACK = "held back by the data set's own split"
BEYOND = "beyond max_items"


@dataclass(frozen=True)
class LeftOut:
    """An item that isn't used, the reason in words, and the cause, one of the few above, by which they are counted."""

    item: str
    reason: str
    cause: str


class Unusable(DataError):
    """One item that can't be used for a cause other than damage."""

    def __init__(self, reason: str, cause: str) -> None:
        super().__init__(reason)
        self.cause = cause


@dataclass(frozen=True)
class Candidate:
    """An item that is listed and not read yet.

    `read(variation)` gives its recording, the plain one for `PLAIN`, and raises `DataError` with the reason if it has
    to be left out. `split` is the data set's own ("training", "validation", "test") or None.
    """

    id: str
    read: Callable[[Variation], Recording]
    split: str | None = None


class WrongTable(DataError):
    """A table with senseless values in more than half of its rows; `left_out` has them all."""

    def __init__(self, reason: str, left_out: tuple[LeftOut, ...]) -> None:
        super().__init__(reason)
        self.left_out = left_out


class Listing:
    """The candidates of a data set and what was left out so far, filled by a reader row by row.

    A row with a senseless value costs that row. Where more than half of the rows have one, not they are wrong but the
    table, a scale for instance, and what is left of it would train something else: `checked` then raises.
    """

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.left_out: list[LeftOut] = []
        self._ids: set[str] = set()
        self._rows = 0
        self._senseless: list[str] = []

    def add(self, candidate: Candidate) -> None:
        if candidate.id in self._ids:
            self.leave_out(candidate.id, "it is listed more than once; its first entry is used", TWICE)
            return
        self._ids.add(candidate.id)
        self.candidates.append(candidate)

    def leave_out(self, item: str, reason: str, cause: str) -> None:
        self.left_out.append(LeftOut(item, reason, cause))

    @contextmanager
    def row(self, item: str) -> Iterator[None]:
        """One row of the table: a DataError inside leaves it out, as senseless unless it is `Unusable`."""
        self._rows += 1
        try:
            yield
        except Unusable as error:
            self.leave_out(item, str(error), error.cause)
        except DataError as error:
            self._senseless.append(str(error))
            self.leave_out(item, str(error), SENSELESS)

    def leave_out_unlisted(self, folder: Path, found: Iterator[Path], listed: set[str], table: Path) -> None:
        """Accounts for the files that no row of the table names; `listed` are paths below the folder."""
        for path in sorted(found):
            name = path.relative_to(folder).as_posix()
            if name not in listed:
                self.leave_out(name, f"it has no entry in {table}", UNLABELLED)

    def checked(self) -> Listing:
        """Itself; raises WrongTable if more than half of its rows are senseless."""
        if 2 * len(self._senseless) > self._rows:
            raise WrongTable(
                f"{self._senseless[0]} ({len(self._senseless)} of {self._rows} rows are like that, and with more than "
                "half of them the table itself is wrong)",
                tuple(self.left_out),
            )
        return self


def check_named(folder: Path, name: str, where: str) -> None:
    """Raises `Unusable` unless the name that a table gives is that of a file below the folder."""
    if not name:
        raise Unusable(f"{where}: expected the name of a file, found an empty one; correct the row", MISSING)
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise Unusable(
            f"{where} names {name!r}: expected a path below {folder}, without '..'; move the file there, correct "
            "the row",
            MISSING,
        )
    try:
        mode = (folder / name).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise Unusable(f"{where} names it, but the file doesn't exist", MISSING) from None
    except (OSError, ValueError) as error:  # a link to itself, too long a name, a null byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise Unusable(f"{where} names it: expected a file, found: {reason}; correct the row", MISSING) from None
    if not stat.S_ISREG(mode):
        found = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise Unusable(f"{where} names it: expected a file, found {found}; correct the row", MISSING)


def read(candidate: Candidate, variation: Variation = PLAIN) -> Recording | LeftOut:
    """The candidate's recording, or why it is left out."""
    try:
        return candidate.read(variation)
    except Unusable as error:
        return LeftOut(candidate.id + variation.suffix, str(error), error.cause)
    except DataError as error:
        return LeftOut(candidate.id + variation.suffix, str(error), UNREADABLE)
    except OSError as error:
        reason = f"{error.filename}: expected a file that can be read, found: {error.strerror}"
        return LeftOut(candidate.id + variation.suffix, reason, UNREADABLE)
