"""Data sets of annotated recordings in their published layouts: DEAM and PMEmo.

DEAM (Aljanaki, Yang, Soleymani 2017, and the manual that comes with it): songs named by number, static annotations on
1-9 in two tables, and dynamic ones in [-1, 1] every 500 ms from 15 s on, where the raters had settled. PMEmo (Zhang et
al. 2018): choruses named by number, annotations from 0 to 1. Neither has a split of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from ..errors import DataError
from .listing import MISSING, TWICE, UNLABELLED, Candidate, Listing, Unusable
from .sound import Course, course, is_sound, sound_candidate
from .tables import NINE_POINTS, UNIT, Scale, label, read_csv

DEAM_STATIC = "static_annotations_averaged_songs_*.csv"
DEAM_DYNAMIC = "dynamic (per second annotations)"
DEAM_SOUNDS = ("audio", "MEMD_audio", "DEAM_audio/MEMD_audio")
DEAM_COLUMNS = ("song_id", "valence_mean", "arousal_mean")
PMEMO_STATIC = Path("annotations", "static_annotations.csv")
PMEMO_SOUNDS = ("chorus",)
PMEMO_COLUMNS = ("musicId", "Valence(mean)", "Arousal(mean)")
_SAMPLE = re.compile(r"sample_(\d+)ms")


def read_deam(folder: Path, *, max_seconds: float | None = None) -> Listing:
    """The songs of DEAM with their static annotations, one label per song.

    Songs without a sound file, or with a label outside 1 to 9, and sound files without an annotation are left out with
    the reason. Raises `DataError` if the tables or the folder of sounds are missing, or are something else.
    """
    tables = sorted(folder.rglob(DEAM_STATIC)) or sorted((folder / "annotations").glob("*.csv"))
    if not tables:
        raise DataError(
            f"{folder}: expected DEAM's tables {DEAM_STATIC} somewhere below, found none; unpack them there"
        )
    return _static(Songs(folder, DEAM_SOUNDS), tables, DEAM_COLUMNS, NINE_POINTS, max_seconds)


def read_pmemo(folder: Path, *, max_seconds: float | None = None) -> Listing:
    """The choruses of PMEmo with their static annotations; what is left out and raised is as for `read_deam`."""
    return _static(Songs(folder, PMEMO_SOUNDS), [folder / PMEMO_STATIC], PMEMO_COLUMNS, UNIT, max_seconds)


def read_deam_dynamic(folder: Path, *, max_seconds: float | None = None) -> Listing:
    """The annotated part of DEAM's songs, with valence and arousal as they were rated from moment to moment.

    A frame is asked for the annotations around its end, linearly between them; frames before the first and after the
    last are dropped, and an empty cell is no annotation. What is left out and raised is as for `read_deam`; a song that
    only one of the two tables has is left out as well.
    """
    songs, listing = Songs(folder, DEAM_SOUNDS), Listing()
    valence, arousal = (_dynamic_table(folder, name) for name in ("valence.csv", "arousal.csv"))
    rated: dict[str, tuple[int, dict[str, str]]] = {}
    for line, row in read_csv(arousal, required=("song_id",)):
        song = number(row["song_id"])
        if song in rated:
            listing.leave_out(songs.name(song), f"{arousal}, line {line}, repeats an earlier one", TWICE)
        rated.setdefault(song, (line, row))
    listed = set()
    for line, row in read_csv(valence, required=("song_id",)):
        song, where = number(row["song_id"]), f"{valence}, line {line}"
        listed.add(song)
        with listing.row(songs.name(song)):
            if song not in rated:
                raise Unusable(f"{where} names the song {song}, but {arousal} doesn't", UNLABELLED)
            other_line, other = rated[song]
            labels = _course(_samples(row, where), _samples(other, f"{arousal}, line {other_line}"), where)
            listing.add(songs.candidate(song, where, labels, max_seconds))
    for song, (line, _) in rated.items():
        if song not in listed:
            reason = f"{arousal}, line {line}, names the song {song}, but {valence} doesn't"
            listing.leave_out(songs.name(song), reason, UNLABELLED)
    songs.account(listing, listed | rated.keys(), valence)
    return listing.checked()


class Songs:
    """The sound files of a data set that names its songs by number, in the first of some places that is there."""

    def __init__(self, folder: Path, places: tuple[str, ...]) -> None:
        self.folder = folder
        self.files: dict[str, list[str]] = {}
        found = next((folder / place for place in places if (folder / place).is_dir()), None)
        if found is None:
            raise DataError(
                f"{folder}: expected the sound files in {' or '.join(places)}, found no such folder; unpack them there"
            )
        for path in sorted(found.iterdir()):
            if is_sound(path):
                self.files.setdefault(number(path.stem), []).append(path.relative_to(folder).as_posix())

    def name(self, song: str) -> str:
        """What an item is called: its file if there is one."""
        return self.files.get(song, [f"song {song}"])[0]

    def candidate(self, song: str, where: str, labels: Course, max_seconds: float | None) -> Candidate:
        if song not in self.files:
            raise Unusable(f"{where} names the song {song}, but there is no sound file of it", MISSING)
        name = self.files[song][0]
        return sound_candidate(self.folder, name, group=name, labels=labels, max_seconds=max_seconds)

    def account(self, listing: Listing, listed: Collection[str], table: Path) -> None:
        """Leaves out the files of songs that aren't listed in a table, and the further files of one song."""
        for song, names in self.files.items():
            for name in names if song not in listed else ():
                listing.leave_out(name, f"it has no entry in {table}", UNLABELLED)
            for name in names[1:] if song in listed else ():
                listing.leave_out(name, f"{names[0]} is the same song, and is used", TWICE)


def number(text: str) -> str:
    """A song's number in one form: tables and file names have 2, 2.0 and 0002 for the same."""
    whole = re.fullmatch(r"0*(\d+)(?:\.0*)?", text)
    return whole[1] if whole else text


def _static(
    songs: Songs, tables: list[Path], columns: tuple[str, str, str], scale: Scale, max_seconds: float | None
) -> Listing:
    """Tables with one row per song: its number, its valence and its arousal, in the columns of these names."""
    listing, listed = Listing(), set()
    for table in tables:
        for line, row in read_csv(table, required=columns):
            where, song = f"{table}, line {line}", number(row[columns[0]])
            listed.add(song)
            with listing.row(songs.name(song)):
                valence, arousal = (label(row[column], column, where, scale) for column in columns[1:])
                listing.add(songs.candidate(song, where, course(valence, arousal), max_seconds))
    songs.account(listing, listed, tables[0])
    return listing.checked()


def _dynamic_table(folder: Path, name: str) -> Path:
    tables = sorted(path for path in folder.rglob(name) if path.parent.name == DEAM_DYNAMIC)
    if not tables:
        raise DataError(
            f"{folder}: expected DEAM's table {name} in a folder {DEAM_DYNAMIC!r} somewhere below, found none; unpack "
            "it there, or use the static annotations: kind 'deam'"
        )
    return tables[0]


def _samples(row: Mapping[str, str], where: str) -> dict[float, float]:
    """Second → annotation, of the cells that have one."""
    samples = {
        float(match[1]) / 1000.0: (match[0], text) for key, text in row.items() if (match := _SAMPLE.fullmatch(key))
    }
    return {second: label(text, name, where) for second, (name, text) in sorted(samples.items()) if text}


def _course(valence: Mapping[float, float], arousal: Mapping[float, float], where: str) -> Course:
    """The annotations of the moments that have both; raises `Unusable` for less than two, which is no course."""
    seconds = [second for second in valence if second in arousal]
    if len(seconds) < 2:
        raise Unusable(f"{where}: expected at least two annotations, found {len(seconds)}", UNLABELLED)
    return Course(*(np.array(values) for values in zip(*((s, valence[s], arousal[s]) for s in seconds), strict=True)))
