"""Chord progressions: progressions.json, a list (or one under `progressions` or `chord_progressions`) of items.

An item has `chords` (symbols) and `emotion` {valence, arousal}; optionally `name`, `composition`, `seconds_per_chord`
(1 if unsaid) and `melody` (for each chord, the MIDI notes played over it one after the other).
"""

from __future__ import annotations

import hashlib
import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..errors import DataError
from . import synthesis
from .chords import SIZE, chord_pitch_classes, parse_chord
from .embedding import heard_embedding
from .feature_cache import cached_array
from .features import PARAMETERS, RATE, frame_count, frame_ends, log_mel
from .items import Reading, Recording
from .tables import emotion, read_json

FILE = "progressions.json"
KEYS = ("progressions", "chord_progressions")
BANDS = 64
LOWEST_CHORD_NOTE = 60


def read_progressions(folder: Path, *, max_seconds: float | None = None) -> Reading:
    """Embedding and sound of each frame, `[F, 128]`, and the chord that goes with it, one-hot `[F, 64]`.

    What sounds (the lower 64 mel bands) is the melody if the item has one, so that the model learns to harmonise it;
    else the chords themselves. Progressions that can't be read as that are left out with the reason; a valence or
    arousal outside [-1, 1] raises `DataError`.
    """
    recordings, left_out = [], []
    for index, item in enumerate(_items(folder / FILE)):
        name = _name(item, index)
        where = f"{folder / FILE}, {name}"
        valence, arousal = emotion(item, where)
        try:
            chords, seconds_per_chord = _chords(item), _seconds_per_chord(item)
            notes = _notes(item, chords, seconds_per_chord)
        except DataError as error:
            left_out.append((name, f"{where}: {error}"))
            continue
        seconds = len(chords) * seconds_per_chord
        content = {"chords": chords, "notes": notes, "seconds": seconds}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        sound = _sound(notes, seconds)
        if max_seconds is not None:
            sound = sound[: frame_count(round(max_seconds * RATE))]
        heard = heard_embedding(name, valence, arousal, len(sound))
        playing = (frame_ends(len(sound)) / seconds_per_chord).astype(int).clip(max=len(chords) - 1)
        targets = np.eye(SIZE, dtype=np.float32)[np.array(chords)[playing]]
        group = str(item.get("composition") or name)
        recordings.append(Recording(name, group, digest, np.hstack([heard, sound[:, :BANDS]]), targets))
    return Reading(tuple(recordings), tuple(left_out))


def _items(path: Path) -> list[dict]:
    found = read_json(path)
    if isinstance(found, dict):
        found = next((found[key] for key in KEYS if key in found), found)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise DataError(
            f"{path}: expected a list of objects, or one under {' or '.join(KEYS)}, found {type(found).__name__}; "
            "see the format in the documentation"
        )
    return found


def _name(item: dict, index: int) -> str:
    return str(item.get("name") or f"progression-{index:05}")


def _chords(item: dict) -> list[int]:
    symbols = item.get("chords")
    if not isinstance(symbols, list) or not symbols:
        raise DataError(f"expected chords as a list of symbols, found {symbols!r}")
    return [parse_chord(symbol) for symbol in symbols]


def _seconds_per_chord(item: dict) -> float:
    seconds = item.get("seconds_per_chord", 1.0)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0.05 <= seconds <= 60.0:
        raise DataError(f"expected seconds_per_chord from 0.05 to 60, found {seconds!r}")
    return float(seconds)


def _notes(item: dict, chords: list[int], seconds: float) -> list[tuple[float, float, int]]:
    """What sounds, as (start, end, pitch): the melody over each chord in equal notes, or the chords."""
    melody = item.get("melody")
    if melody is None:
        return [
            (index * seconds, (index + 1) * seconds, LOWEST_CHORD_NOTE + pitch_class)
            for index, chord in enumerate(chords)
            for pitch_class in chord_pitch_classes(chord)
        ]
    if not isinstance(melody, list) or len(melody) != len(chords) or not all(map(_is_phrase, melody)):
        raise DataError("expected melody as one list of MIDI notes (0-127) for each chord, found something else")
    notes = []
    for index, phrase in enumerate(melody):
        edges = [(index + step / max(1, len(phrase))) * seconds for step in range(len(phrase) + 1)]
        notes += [(begin, end, pitch) for (begin, end), pitch in zip(pairwise(edges), phrase, strict=True)]
    return notes


def _is_phrase(phrase: object) -> bool:
    return isinstance(phrase, list) and all(type(pitch) is int and 0 <= pitch <= 127 for pitch in phrase)


def _sound(notes: list[tuple[float, float, int]], seconds: float) -> np.ndarray:
    """The log-mel features of the synthesised notes, from the cache if they were computed before."""
    parameters = {**PARAMETERS, "synthesis": [synthesis.HARMONICS, synthesis.LEVEL, synthesis.DECAY_SECONDS]}
    key = hashlib.sha256(json.dumps([notes, seconds]).encode()).hexdigest()
    samples = math.ceil(seconds * RATE)
    if frame_count(samples) == 0:
        raise DataError(f"a progression of {seconds:g} s is shorter than one analysis frame")
    return cached_array(key, parameters, lambda: log_mel(synthesis.tones(notes, samples / RATE), RATE))
