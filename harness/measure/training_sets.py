"""Copies of data sets with one thing changed: whose the labels are, files that come twice, damage.

An item goes by the name that it has in the table of its data set: a file's path in the folder, or a progression's name.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
NOISE = b"neither sound nor notes"


@dataclass(frozen=True)
class Layout:
    """Where a kind of data set says what. `name` is an entry's key of the item's name, `label` are those of its label.

    `has_files` says that items are files; `renders` that several can be renderings of one composition, by a key of
    that name.
    """

    table: str
    name: str
    label: tuple[str, ...]
    has_files: bool = True
    renders: bool = True


LAYOUTS = {
    "audio-folder": Layout("labels.csv", "file", ("valence", "arousal")),
    "midi-folder": Layout("labels.json", "file", ("emotion",)),
    "chord-json": Layout("progressions.json", "name", ("chords",), has_files=False),
    "groove-midi": Layout("info.csv", "midi_filename", ("midi_filename",), renders=False),
}
"""The kinds of training.json. What counts as the label of a groove is the recorded performance."""


def read_entries(kind: str, folder: Path) -> list[Entry]:
    """The table of a data set, an entry for each item."""
    layout = LAYOUTS[kind]
    with open(folder / layout.table, newline="", encoding="utf-8") as stream:
        if layout.table.endswith(".csv"):
            return list(csv.DictReader(stream))
        document = json.load(stream)
    if layout.has_files:
        return [{layout.name: name, **entry} for name, entry in document.items()]
    return document["progressions"]


def write_entries(kind: str, folder: Path, entries: Sequence[Entry]) -> None:
    """The inverse of `read_entries`."""
    layout = LAYOUTS[kind]
    with open(folder / layout.table, "w", newline="", encoding="utf-8") as stream:
        if layout.table.endswith(".csv"):
            writer = csv.DictWriter(stream, list(entries[0]))
            writer.writeheader()
            writer.writerows(entries)
        elif layout.has_files:
            without = [{key: value for key, value in entry.items() if key != layout.name} for entry in entries]
            json.dump(dict(zip((entry[layout.name] for entry in entries), without, strict=True)), stream)
        else:
            json.dump({"progressions": list(entries)}, stream)


def compositions(kind: str, folder: Path) -> dict[str, str]:
    """{item: the composition that it is a rendering of}; its own name where the table says nothing."""
    layout = LAYOUTS[kind]
    return {entry[layout.name]: entry.get("composition") or entry[layout.name] for entry in read_entries(kind, folder)}


def content_sha256(kind: str, folder: Path, item: str) -> str | None:
    """The sha256 of an item's file; None for what is no file of the folder."""
    path = folder / item
    return hashlib.sha256(path.read_bytes()).hexdigest() if LAYOUTS[kind].has_files and path.is_file() else None


def shuffle_labels(kind: str, source: Path, target: Path, seed: int) -> None:
    """A copy in which the labels have changed hands: nothing can be learnt from them that holds elsewhere."""
    shutil.copytree(source, target)
    entries = read_entries(kind, target)
    order = list(range(len(entries)))
    random.Random(seed).shuffle(order)
    dealt = [{key: entries[place][key] for key in LAYOUTS[kind].label} for place in order]
    write_entries(kind, target, [{**entry, **label} for entry, label in zip(entries, dealt, strict=True)])


def change_labels(kind: str, source: Path, target: Path, names: Collection[str]) -> None:
    """A copy in which some items have other labels, of another mean and spread."""
    shutil.copytree(source, target)
    entries = read_entries(kind, target)
    for entry in entries:
        if entry[LAYOUTS[kind].name] in names:
            _change(entry)
    write_entries(kind, target, entries)


def _change(entry: Entry) -> None:
    if "chords" in entry:
        entry["chords"] = ["F#dim" if chord == "C" else "C" for chord in entry["chords"]]
    elif "bpm" in entry:
        entry["bpm"] = round(float(entry["bpm"]) * 0.8)
    else:
        emotion = entry.get("emotion", entry)
        emotion |= {key: round(-0.5 * float(emotion[key]), 3) for key in ("valence", "arousal")}


def add_twins(kind: str, source: Path, target: Path) -> dict[str, str]:
    """A copy to which the first item of each composition is added once more under a name that tells nothing.

    Returns {item: the name of its twin}.
    """
    shutil.copytree(source, target)
    layout = LAYOUTS[kind]
    entries, twins = read_entries(kind, target), {}
    firsts = {entry["composition"]: entry for entry in reversed(entries)}
    for index, entry in enumerate(firsts.values()):
        name = entry[layout.name]
        twins[name] = f"other-{index:02}{Path(name).suffix if layout.has_files else ''}"
        entries.append({**entry, layout.name: twins[name], "composition": f"other-{index:02}"})
        if layout.has_files:
            shutil.copy(target / name, target / twins[name])
    write_entries(kind, target, entries)
    return twins


def damage(fault: str, kind: str, source: Path, target: Path) -> str:
    """A copy that has been damaged in one of the ways of FAULTS. Returns the name of the item, or of the folder."""
    shutil.copytree(source, target)
    return FAULTS[fault](kind, target)


def _middle(entries: Sequence[Entry]) -> Entry:
    return entries[len(entries) // 2]


def _label_outside(kind: str, folder: Path) -> str:
    entries = read_entries(kind, folder)
    entry = _middle(entries)
    if "bpm" in entry:
        entry["bpm"] = "-120"
    else:
        entry.get("emotion", entry)["valence"] = 6.2
    write_entries(kind, folder, entries)
    return entry[LAYOUTS[kind].name]


def _one_corrupt(kind: str, folder: Path) -> str:
    name = _middle(read_entries(kind, folder))[LAYOUTS[kind].name]
    _spoil(kind, folder, [name])
    return name


def _one_missing(kind: str, folder: Path) -> str:
    name = _middle(read_entries(kind, folder))[LAYOUTS[kind].name]
    (folder / name).unlink()
    return name


def _all_corrupt(kind: str, folder: Path) -> str:
    _spoil(kind, folder, [entry[LAYOUTS[kind].name] for entry in read_entries(kind, folder)])
    return folder.name


def _no_table(kind: str, folder: Path) -> str:
    (folder / LAYOUTS[kind].table).unlink()
    return folder.name


def _half_a_table(kind: str, folder: Path) -> str:
    path = folder / LAYOUTS[kind].table
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + b"\xff\0")
    return folder.name


def _empty(kind: str, folder: Path) -> str:
    shutil.rmtree(folder)
    folder.mkdir()
    return folder.name


def _spoil(kind: str, folder: Path, names: Iterable[str]) -> None:
    """Files that are none of their kind; where items are no files, chords that are none."""
    names = set(names)
    if LAYOUTS[kind].has_files:
        for name in names:
            (folder / name).write_bytes(NOISE)
    else:
        entries = read_entries(kind, folder)
        write_entries(kind, folder, [{**e, "chords": ["H?"]} if e["name"] in names else e for e in entries])


ITEM_FAULTS: dict[str, Callable[[str, Path], str]] = {
    "label-outside-its-scale": _label_outside,
    "corrupt-file": _one_corrupt,
    "missing-file": _one_missing,
}
"""What is wrong with a single item: the rest can be trained on."""

FOLDER_FAULTS: dict[str, Callable[[str, Path], str]] = {
    "empty-folder": _empty,
    "no-labels": _no_table,
    "half-a-table": _half_a_table,
    "corrupt-files": _all_corrupt,
}
"""What leaves nothing to train on."""

FAULTS = {**ITEM_FAULTS, **FOLDER_FAULTS}
