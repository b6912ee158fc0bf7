"""Tables and labels as data sets store them: CSV with a header, JSON, numbers on a stated scale."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from ..errors import DataError


def read_csv(path: Path, *, required: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file as (line, {column: text}); `DataError` if it is missing, empty or lacks a column."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [(reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]
    except FileNotFoundError:
        raise DataError(
            f"{path}: expected a table with the columns {', '.join(required)}, found no such file; create it or "
            "point the config's path at the folder that holds it"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV table in UTF-8, found {error}") from error
    missing = [name for name in required if name not in columns]
    if missing:
        raise DataError(
            f"{path}: expected the columns {', '.join(required)}, found {', '.join(columns) or 'none'}; "
            f"add {', '.join(missing)}"
        )
    if not rows:
        raise DataError(f"{path}: expected one row per recording, found none; add rows")
    return rows


def read_json(path: Path) -> object:
    """The value of a JSON file; `DataError` with the line if it is missing or isn't JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{path}: expected a JSON file, found none; create it or point the config's path at its folder"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected JSON in UTF-8, found {error}; repair the file") from error


def label(value: object, name: str, where: str) -> float:
    """A valence or arousal in [-1, 1]; anything else stops the reading, for a wrong scale spoils every label."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not -1.0 <= number <= 1.0:
        raise DataError(
            f"{where}: expected {name} as a number from -1 to 1, found {value!r}; map the labels to that scale "
            "or correct the row"
        )
    return number


def emotion(entry: object, where: str) -> tuple[float, float]:
    """Valence and arousal of `{"emotion": {"valence": 0.3, "arousal": -0.5}}`; `DataError` for anything else."""
    found = entry.get("emotion") if isinstance(entry, dict) else entry
    if not isinstance(found, dict):
        raise DataError(
            f'{where}: expected "emotion": {{"valence": …, "arousal": …}}, found {found!r}; add it to the entry'
        )
    return label(found.get("valence"), "valence", where), label(found.get("arousal"), "arousal", where)
