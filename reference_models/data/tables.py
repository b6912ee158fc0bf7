"""Tables and labels as data sets store them: CSV with a header, JSON, numbers on a stated scale."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError

DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Scale:
    """The numbers that a data set gives its labels, mapped linearly to [-1, 1]."""

    low: float
    high: float

    def mapped(self, number: float) -> float:
        return (number - (self.low + self.high) / 2) / ((self.high - self.low) / 2)


OURS = Scale(-1.0, 1.0)
NINE_POINTS = Scale(1.0, 9.0)
UNIT = Scale(0.0, 1.0)

SPLITS = {"train": "training", "validation": "validation", "test": "test"}


def read_csv(path: Path, *, required: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file as (line, {column: text}); `DataError` if it is missing, empty, or has a column
    twice or not at all.

    Comma, semicolon or tab, whichever the header has; quotes, a byte order mark, spaces around cells and either kind of
    line end are as good as none.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            header = stream.readline()
            stream.seek(0)
            delimiter = max(DELIMITERS, key=header.count)  # the first of them where there is none
            reader = csv.DictReader(stream, delimiter=delimiter, skipinitialspace=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [(reader.line_num, _cells(row, required)) for row in reader]
    except FileNotFoundError:
        raise DataError(
            f"{path}: expected a table with the columns {', '.join(required)}, found no such file; create it or "
            "point the config's path at the folder that holds it"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV table in UTF-8, found {error}") from error
    if twice := [name for name, count in Counter(columns).items() if name and count > 1]:
        raise DataError(f"{path}: expected each column once, found {', '.join(twice)} twice; rename or remove one")
    missing = [name for name in required if name not in columns]
    if missing:
        raise DataError(
            f"{path}: expected the columns {', '.join(required)}, found {', '.join(columns) or 'none'}; "
            f"add {', '.join(missing)}"
        )
    if not rows:
        raise DataError(f"{path}: expected one row per recording, found none; add rows")
    return rows


def _cells(row: dict[str, str | None], required: tuple[str, ...]) -> dict[str, str]:
    """Column → text; an empty cell only where it is required, for some tables are mostly empty."""
    texts = {column: (text or "").strip() for column, text in row.items() if column}
    return {column: text for column, text in texts.items() if text or column in required}


def read_json(path: Path) -> object:
    """The value of a JSON file; `DataError` if it is missing, isn't JSON, or has a key twice in one object."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except FileNotFoundError:
        raise DataError(
            f"{path}: expected a JSON file, found none; create it or point the config's path at its folder"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON in UTF-8, found {error}; repair the file") from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if twice := [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]:
        raise ValueError(f"the key {twice[0]!r} twice in one object")
    return dict(pairs)


def label(value: object, name: str, where: str, scale: Scale = OURS) -> float:
    """A valence or arousal on its data set's scale, mapped to [-1, 1]; `DataError` for anything else.

    A decimal comma is read as a point: tables with semicolons have it.
    """
    text = value.replace(",", ".") if isinstance(value, str) else value
    try:
        number = float(text) if isinstance(text, (str, int, float)) and not isinstance(text, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not scale.low <= number <= scale.high:
        raise DataError(
            f"{where}: expected {name} as a number from {scale.low:g} to {scale.high:g}, found {value!r}; map the "
            "labels to that scale or correct the row"
        )
    return scale.mapped(number)


def emotion(entry: object, where: str) -> tuple[float, float]:
    """Valence and arousal of `{"emotion": {"valence": 0.3, "arousal": -0.5}}`, or of the inner object alone.

    Raises `DataError` for anything else.
    """
    bare = isinstance(entry, dict) and "valence" in entry and "emotion" not in entry
    found = entry if bare or not isinstance(entry, dict) else entry.get("emotion")
    if not isinstance(found, dict):
        raise DataError(
            f'{where}: expected "emotion": {{"valence": …, "arousal": …}}, found {found!r}; add it to the entry'
        )
    return label(found.get("valence"), "valence", where), label(found.get("arousal"), "arousal", where)


def official_split(text: str, where: str) -> str | None:
    """The side that a data set gives an item, None for an empty cell; `DataError` for another word."""
    if text and text not in SPLITS:
        raise DataError(f"{where}: expected a split of {', '.join(SPLITS)}, found {text!r}; correct the row")
    return SPLITS.get(text)
