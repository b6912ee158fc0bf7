"""Large collections of MIDI files in their published layouts: Lakh and MAESTRO.

Neither has emotion labels, so an item's emotion is the one that its notes suggest (midi_emotion.py), unless labels.json
is put beside the data: file or its name without folder and suffix → {"valence", "arousal"}, as in a `midi-folder`.

Lakh (Raffel 2016): files named by the md5 of their content, in folders named by its first digit (lmd_full) or by the
song of the Million Song Dataset that they match (lmd_matched). MAESTRO v3 (Hawthorne et al. 2019): performances in
folders by year, maestro-v3.0.0.csv and the same as .json, with a split of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from ..errors import DataError
from .listing import MISSING, UNLABELLED, Listing, Unusable, check_named
from .midi_folder import LABELS, read_labels
from .midi_item import DYNAMICS, MELODY, Task, is_midi, midi_candidate
from .tables import emotion, official_split, read_csv, read_json

MAESTRO = "maestro-v*"
MAESTRO_COLUMNS = ("midi_filename", "split")
_MATCHED_SONG = re.compile(r"TR[A-Z]{5}[0-9A-F]{11}")


def _read_lakh(folder: Path, *, task: Task, max_seconds: float | None = None) -> Listing:
    """The MIDI files of a folder of Lakh; with labels.json only those that it names.

    Files that match the same song of the Million Song Dataset are renderings of one composition. Damaged files,
    those of drums alone, labels without a file, files without a label and labels outside [-1, 1] are left out with the
    reason. Raises `DataError` if there is no MIDI file, or for a labels.json of another form.
    """
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if is_midi(path))
    if not files:
        raise DataError(f"{folder}: expected MIDI files in folders below, found none; unpack the collection there")
    labels, listing = Labels(folder), Listing()
    for name in files:
        with listing.row(name):
            parent = PurePosixPath(name).parent.name
            group = parent if _MATCHED_SONG.fullmatch(parent) else name
            pair = labels.of(name)
            listing.add(midi_candidate(folder, name, task, group=group, emotion=pair, max_seconds=max_seconds))
    labels.account(listing)
    return listing.checked()


def _read_maestro(folder: Path, *, task: Task, max_seconds: float | None = None) -> Listing:
    """The performances of MAESTRO with the data set's own split; works of one title are one composition.

    Left out are rows without a file, damaged files, unlisted files, unknown splits and, with a labels.json, files that
    it doesn't name and labels outside [-1, 1]. Raises `DataError` if the table is missing or is something else.
    """
    labels, listing, listed = Labels(folder), Listing(), set()
    table, rows = _maestro_rows(folder)
    for where, row in rows:
        name = row["midi_filename"]
        listed.add(name)
        with listing.row(name or where.rpartition(", ")[2]):
            split = official_split(row["split"], where)
            check_named(folder, name, where)
            work = f"{row.get('canonical_composer', '')}: {row.get('canonical_title', '')}"
            group = name if work == ": " else work
            pair = labels.of(name)
            listing.add(
                midi_candidate(folder, name, task, group=group, emotion=pair, max_seconds=max_seconds, split=split)
            )
    labels.account(listing)
    listing.leave_out_unlisted(folder, filter(is_midi, folder.rglob("*")), listed, table)
    return listing.checked()


def _maestro_rows(folder: Path) -> tuple[Path, list[tuple[str, dict[str, str]]]]:
    """The table of the latest version, CSV before JSON, and its rows as (place, {column: text}).

    The JSON of version 3 is an object of columns, each an object of values by row; those of versions 1 and 2 are lists
    of rows.
    """
    tables = sorted(folder.glob(f"{MAESTRO}.csv")) or sorted(folder.glob(f"{MAESTRO}.json"))
    if not tables:
        raise DataError(
            f"{folder}: expected maestro-v3.0.0.csv or maestro-v3.0.0.json, found neither; point the config's path at "
            "the folder that holds it"
        )
    table = tables[-1]
    if table.suffix == ".csv":
        return table, [(f"{table}, line {line}", row) for line, row in read_csv(table, required=MAESTRO_COLUMNS)]
    return table, list(_json_rows(table))


def _json_rows(table: Path) -> Iterator[tuple[str, dict[str, str]]]:
    found = read_json(table)
    if isinstance(found, dict) and all(isinstance(column, dict) for column in found.values()):
        numbers = found.get(MAESTRO_COLUMNS[0], {})
        found = [{name: column.get(number) for name, column in found.items()} for number in numbers]
    if not isinstance(found, list) or not found or not all(isinstance(row, dict) for row in found):
        raise DataError(f"{table}: expected rows, or columns of rows, found something else; unpack it again")
    for number, row in enumerate(found):
        if missing := [name for name in MAESTRO_COLUMNS if not isinstance(row.get(name), str)]:
            raise DataError(
                f"{table}, row {number}: expected texts for {', '.join(missing)}, found none; unpack it again"
            )
        yield f"{table}, row {number}", {name: str(value) for name, value in row.items() if value is not None}


class Labels:
    """The optional labels.json of a collection: without it no item has a label, with it the others are left out."""

    def __init__(self, folder: Path) -> None:
        self.table = folder / LABELS
        self.entries = read_labels(self.table) if self.table.is_file() else None
        self._used: set[str] = set()

    def of(self, name: str) -> tuple[float, float] | None:
        """The label of a file, None if there are no labels at all.

        Raises `Unusable` if there are, but not for this file, and `DataError` for one outside [-1, 1].
        """
        if self.entries is None:
            return None
        for key in (name, PurePosixPath(name).name, PurePosixPath(name).stem):
            if key in self.entries:
                self._used.add(key)
                return emotion(self.entries[key], f"{self.table}, {key}")
        raise Unusable(f"it has no entry in {self.table}", UNLABELLED)

    def account(self, listing: Listing) -> None:
        """Leaves out the labels of no file."""
        for key in sorted(set(self.entries or ()) - self._used):
            listing.leave_out(key, f"{self.table} names it, but there is no such file", MISSING)


read_lakh_melodies = partial(_read_lakh, task=MELODY)
read_lakh_dynamics = partial(_read_lakh, task=DYNAMICS)
read_maestro_melodies = partial(_read_maestro, task=MELODY)
read_maestro_dynamics = partial(_read_maestro, task=DYNAMICS)
