"""Writes a miniature of each kind of data set in its published layout, from what the bundled data sets hold.

    python tools/make_miniatures.py FOLDER [KIND …]

A folder per kind, all of them if none is named, each with six items or a few more. The same script gives the same
tables and MIDI files; the sounds also depend on the version of libsndfile. Needs numpy and soundfile.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

DATASETS = Path(__file__).resolve().parents[1] / "fixtures" / "datasets"
ITEMS = 6
RATE = 22_050
DEAM_SECONDS = 17.5  # annotations of moments begin at 15 s
DEAM_MOMENTS = range(15_000, 17_500, 500)
DEAM_NUMBERS = (2, 3, 4, 1001, 2001, 2058)
PMEMO_NUMBERS = (1, 4, 5, 6, 7, 9)


def write_table(path: Path, rows: Sequence[Sequence[object]], *, between: str = ",") -> None:
    """A CSV file as data sets have it: a header first, quotes where they are needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        header, *others = rows
        stream.write(between.join(map(str, header)) + "\n")
        writer.writerows(others)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def recordings() -> list[tuple[Path, float, float]]:
    """One bundled recording of each of six tunes, with its valence and arousal."""
    with open(DATASETS / "audio" / "labels.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    first = {row["composition"]: row for row in reversed(rows)}
    chosen = [first[name] for name in sorted(first)[:ITEMS]]
    return [(DATASETS / "audio" / row["file"], float(row["valence"]), float(row["arousal"])) for row in chosen]


def songs() -> list[tuple[str, Path]]:
    """One bundled MIDI file of each of six tunes, with the tune's name; none that strikes a key which is still held."""
    folders = sorted(path for path in (DATASETS / "midi").iterdir() if path.is_dir())
    return [(folder.name, folder / "2.mid") for folder in folders[:ITEMS]]


def make_audio_folder(folder: Path) -> None:
    rows = [("file", "valence", "arousal", "composition")]
    folder.mkdir(parents=True, exist_ok=True)
    for path, valence, arousal in recordings():
        shutil.copy(path, folder)
        rows.append((path.name, valence, arousal, path.stem.rpartition("-")[0]))
    write_table(folder / "labels.csv", rows)


def make_deam(folder: Path) -> None:
    """Songs by number in `audio`, static annotations in two tables, dynamic ones in two more; headers with spaces."""
    (folder / "audio").mkdir(parents=True)
    base = folder / "annotations" / "annotations averaged per song"
    static: dict[str, list[Sequence[object]]] = {"1_2000": [], "2000_2058": []}
    moments = [f"sample_{milliseconds}ms" for milliseconds in DEAM_MOMENTS]
    courses: dict[str, list[Sequence[object]]] = {
        "valence": [("song_id", *moments)],
        "arousal": [("song_id", *moments)],
    }
    for number, (path, valence, arousal) in zip(DEAM_NUMBERS, recordings(), strict=True):
        samples, _ = soundfile.read(path)
        long = np.resize(samples, round(DEAM_SECONDS * RATE))
        suffix = "wav" if number == DEAM_NUMBERS[0] else "mp3"
        soundfile.write(folder / "audio" / f"{number}.{suffix}", long, RATE)
        cells = (number, round(5 + 4 * valence, 2), 1.1, round(5 + 4 * arousal, 2), 0.9)
        static["1_2000" if number <= 2000 else "2000_2058"].append(cells)
        for name, value in (("valence", valence), ("arousal", arousal)):
            course = np.linspace(value, value / 2, len(moments)).round(4).tolist()
            courses[name].append((number, *course))
    header = ("song_id", "valence_mean", "valence_std", "arousal_mean", "arousal_std")
    for songs_of, rows in static.items():
        write_table(
            base / "song_level" / f"static_annotations_averaged_songs_{songs_of}.csv", [header, *rows], between=", "
        )
    for name, rows in courses.items():
        write_table(base / "dynamic (per second annotations)" / f"{name}.csv", rows)


def make_pmemo(folder: Path) -> None:
    (folder / "chorus").mkdir(parents=True)
    rows: list[Sequence[object]] = [("musicId", "Arousal(mean)", "Valence(mean)")]
    for number, (path, valence, arousal) in zip(PMEMO_NUMBERS, recordings(), strict=True):
        samples, rate = soundfile.read(path)
        soundfile.write(folder / "chorus" / f"{number}.mp3", samples, rate)
        rows.append((number, round((arousal + 1) / 2, 4), round((valence + 1) / 2, 4)))
    write_table(folder / "annotations" / "static_annotations.csv", rows)


def make_midi_folder(folder: Path) -> None:
    labels = json.loads((DATASETS / "midi" / "labels.json").read_text(encoding="utf-8"))
    chosen = {}
    for tune, path in songs():
        (folder / tune).mkdir(parents=True)
        shutil.copy(path, folder / tune)
        chosen[f"{tune}/{path.name}"] = labels[f"{tune}/{path.name}"]
    write_json(folder / "labels.json", chosen)


def make_lakh_midi(folder: Path) -> None:
    """Files named by the md5 of their content, in folders named by its first digit."""
    for _, path in songs():
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        (folder / md5[0]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / md5[0] / f"{md5}.mid")


def make_maestro(folder: Path) -> None:
    """Performances by year, and the table as CSV and, by columns, as JSON."""
    splits = ("train", "train", "train", "train", "validation", "test")
    header = ["canonical_composer", "canonical_title", "split", "year", "midi_filename", "audio_filename", "duration"]
    rows: list[Sequence[object]] = []
    for number, (split, (tune, path)) in enumerate(zip(splits, songs(), strict=True)):
        year = 2004 + 2 * (number % 3)
        name = f"{year}/MIDI-Unprocessed_{number:02}_R1_{year}_wav--1"
        (folder / str(year)).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / f"{name}.midi")
        rows.append(("Traditional", f"{tune.title()}, Op. 1", split, year, f"{name}.midi", f"{name}.wav", 2.4))
    write_table(folder / "maestro-v3.0.0.csv", [header, *rows])
    columns = {key: {str(i): row[place] for i, row in enumerate(rows)} for place, key in enumerate(header)}
    write_json(folder / "maestro-v3.0.0.json", columns)


def make_groove_midi(folder: Path) -> None:
    """Six beats to train and two to validate, a fill, and a beat that is held back."""
    with open(DATASETS / "groove" / "info.csv", newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    split, beat_type, name = (header.index(key) for key in ("split", "beat_type", "midi_filename"))
    train = [row for row in rows if row[split] == "train"]
    chosen = train[:6] + [row for row in rows if row[split] == "validation"][:2] + train[6:8]
    chosen[-2][beat_type], chosen[-1][split] = "fill", "test"
    for row in chosen:
        (folder / row[name]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DATASETS / "groove" / row[name], folder / row[name])
    write_table(folder / "info.csv", [header, *chosen])


def make_chord_json(folder: Path) -> None:
    items = json.loads((DATASETS / "chords" / "progressions.json").read_text(encoding="utf-8"))["progressions"]
    first = {item["composition"]: item for item in reversed(items)}
    write_json(folder / "progressions.json", {"progressions": [first[name] for name in sorted(first)[:ITEMS]]})


MAKERS = {
    "audio-folder": make_audio_folder,
    "deam": make_deam,
    "pmemo": make_pmemo,
    "midi-folder": make_midi_folder,
    "lakh-midi": make_lakh_midi,
    "maestro": make_maestro,
    "groove-midi": make_groove_midi,
    "chord-json": make_chord_json,
}


def main(arguments: list[str]) -> None:
    """Makes the kinds named, or all, in folders of their own."""
    if not arguments or (unknown := set(arguments[1:]) - set(MAKERS)):
        raise SystemExit(
            __doc__ if not arguments else f"unknown kinds {sorted(unknown)}; known are {', '.join(MAKERS)}"
        )
    for kind in arguments[1:] or MAKERS:
        MAKERS[kind](Path(arguments[0]) / kind)


if __name__ == "__main__":
    main(sys.argv[1:])
