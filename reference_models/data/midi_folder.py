"""A folder of MIDI files, nested or not, with labels.json: file → {"emotion": {"valence", "arousal"}, "composition"?}.

It trains two models: MelodyTransformer (which notes come next) and DynamicsEngine (how they are played).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..errors import DataError
from .listing import Listing, check_named
from .midi_item import DYNAMICS, MELODY, Task, is_midi, midi_candidate
from .tables import emotion, read_json

LABELS = "labels.json"


def read_labels(table: Path) -> dict[str, object]:
    """The entries of a JSON file of labels; raises `DataError` if it is missing or another form."""
    labels = read_json(table)
    if not isinstance(labels, dict):
        raise DataError(f"{table}: expected an object of files, found {type(labels).__name__}")
    return labels


def _read_midi_folder(folder: Path, *, task: Task, max_seconds: float | None = None) -> Listing:
    """The labelled MIDI files of a folder.

    Missing or damaged ones, those without a label and those whose label is outside [-1, 1] are left out. Raises
    `DataError` for a labels.json of another form.
    """
    table, listing = folder / LABELS, Listing()
    labels = read_labels(table)
    for name, entry in sorted(labels.items()):
        with listing.row(name or "an entry without a name"):
            pair = emotion(entry, f"{table}, {name}")
            check_named(folder, name, str(table))
            group = str((isinstance(entry, dict) and entry.get("composition")) or name)
            listing.add(midi_candidate(folder, name, task, group=group, emotion=pair, max_seconds=max_seconds))
    listing.leave_out_unlisted(folder, filter(is_midi, folder.rglob("*")), set(labels), table)
    return listing.checked()


read_melodies = partial(_read_midi_folder, task=MELODY)
read_dynamics = partial(_read_midi_folder, task=DYNAMICS)
