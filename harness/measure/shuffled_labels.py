"""Copies of data sets in which the labels have changed hands: nothing can be learnt from them that holds elsewhere."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def shuffle_labels(kind: str, source: Path, target: Path, seed: int) -> None:
    """Copies a data set of one of the kinds of training.json, its labels permuted among all its items.

    What counts as the label: valence and arousal of a recording or a MIDI file, the chords of a progression, the
    recorded performance of a groove.
    """
    shutil.copytree(source, target)
    SHUFFLERS[kind](target, random.Random(seed))


def _permute(items: Sequence[dict[str, Any]], keys: Sequence[str], generator: random.Random) -> None:
    """Deals the values of some keys out again among the items, one permutation for all of the keys."""
    order = list(range(len(items)))
    generator.shuffle(order)
    values = [{key: items[place][key] for key in keys} for place in order]
    for item, dealt in zip(items, values, strict=True):
        item.update(dealt)


def _table(name: str, keys: Sequence[str]) -> Callable[[Path, random.Random], None]:
    def shuffle(folder: Path, generator: random.Random) -> None:
        with (folder / name).open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            rows, columns = list(reader), reader.fieldnames
        _permute(rows, keys, generator)
        with (folder / name).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(rows)

    return shuffle


def _midi_labels(folder: Path, generator: random.Random) -> None:
    path = folder / "labels.json"
    labels = json.loads(path.read_text(encoding="utf-8"))
    _permute(list(labels.values()), ["emotion"], generator)
    path.write_text(json.dumps(labels), encoding="utf-8")


def _progressions(folder: Path, generator: random.Random) -> None:
    path = folder / "progressions.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    _permute(document["progressions"], ["chords"], generator)
    path.write_text(json.dumps(document), encoding="utf-8")


SHUFFLERS: dict[str, Callable[[Path, random.Random], None]] = {
    "audio-folder": _table("labels.csv", ["valence", "arousal"]),
    "midi-folder": _midi_labels,
    "chord-json": _progressions,
    "groove-midi": _table("info.csv", ["midi_filename"]),
}
