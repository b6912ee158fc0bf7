"""Chord progressions: progressions.json, a list (or one under `progressions` or `chord_progressions`) of items.

An item has `chords` (symbols) and `emotion` {valence, arousal}; optionally `name`, `composition`, `seconds_per_chord`
(1 if unsaid) and `melody` (for each chord, the MIDI notes played over it one after the other).
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..errors import DataError
from . import synthesis
from .augmentation import Variation, transpose_chord
from .chords import SIZE, chord_pitch_classes, parse_chord
from .embedding import heard_embedding
from .feature_cache import cached_array
from .features import PARAMETERS, RATE, frame_count, frame_ends, log_mel
from .items import Recording
from .listing import UNREADABLE, Candidate, Listing, Unusable
from .tables import emotion, read_json

FILE = "progressions.json"
KEYS = ("progressions", "chord_progressions")
BANDS = 64
LOWEST_CHORD_NOTE = 60


@dataclass(frozen=True)
class Progression:
    """Chords of the vocabulary, each `seconds` long, and the melody over each of them if there is one."""

    chords: tuple[int, ...]
    seconds: float
    melody: tuple[tuple[int, ...], ...] | None

    def notes(self) -> list[tuple[float, float, int]]:
        """What sounds, as (start, end, pitch): the melody over each chord in equal notes, or the chords."""
        if self.melody is None:
            return [
                (index * self.seconds, (index + 1) * self.seconds, LOWEST_CHORD_NOTE + pitch_class)
                for index, chord in enumerate(self.chords)
                for pitch_class in chord_pitch_classes(chord)
            ]
        notes = []
        for index, phrase in enumerate(self.melody):
            edges = [(index + step / max(1, len(phrase))) * self.seconds for step in range(len(phrase) + 1)]
            notes += [(begin, end, pitch) for (begin, end), pitch in zip(pairwise(edges), phrase, strict=True)]
        return notes

    def transposed(self, semitones: int) -> Progression:
        """All of it in another key; a melody that would leave the notes of MIDI goes an octave the other way."""
        pitches = [pitch for phrase in self.melody or () for pitch in phrase]
        shift = semitones
        if pitches:
            shift += 12 if min(pitches) + shift < 0 else -12 if max(pitches) + shift > 127 else 0
        melody = self.melody and tuple(tuple(pitch + shift for pitch in phrase) for phrase in self.melody)
        return Progression(tuple(transpose_chord(chord, semitones) for chord in self.chords), self.seconds, melody)


def read_progressions(folder: Path, *, max_seconds: float | None = None) -> Listing:
    """Embedding and sound of each frame, `[F, 128]`, and the chord that goes with it, one-hot `[F, 64]`.

    What sounds (the lower 64 mel bands) is the melody if the item has one, so that the model learns to harmonise it;
    else the chords themselves. Progressions that can't be read as that, and those with a valence or arousal outside
    [-1, 1], are left out with the reason. Raises `DataError` for a file of another form.
    """
    listing = Listing()
    for index, item in enumerate(_items(folder / FILE)):
        name = _name(item, index)
        where = f"{folder / FILE}, {name}"
        with listing.row(name):
            if not isinstance(item, dict):
                raise Unusable(f"{where}: expected an object with chords, found {item!r}; correct the item", UNREADABLE)
            pair = emotion(item, where)
            try:
                progression = _progression(item)
            except DataError as error:
                raise Unusable(f"{where}: {error}", UNREADABLE) from None
            listing.add(_candidate(name, str(item.get("composition") or name), progression, pair, max_seconds))
    return listing.checked()


def _candidate(
    name: str, group: str, progression: Progression, pair: tuple[float, float], max_seconds: float | None
) -> Candidate:
    def read(variation: Variation) -> Recording:
        played = progression.transposed(variation.transpose)
        notes, seconds = played.notes(), len(played.chords) * played.seconds
        content = {"chords": played.chords, "notes": notes, "seconds": seconds}
        sound = _sound(notes, seconds)
        if max_seconds is not None:
            sound = sound[: frame_count(round(max_seconds * RATE))]
        item = name + variation.suffix
        heard = heard_embedding(item, *pair, len(sound))
        playing = (frame_ends(len(sound)) / played.seconds).astype(int).clip(max=len(played.chords) - 1)
        return Recording(
            id=item,
            group=group,
            content_hash=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
            inputs=np.hstack([heard, sound[:, :BANDS]]),
            targets=np.eye(SIZE, dtype=np.float32)[np.array(played.chords)[playing]],
            emotion=pair,
        )

    return Candidate(name, read)


def _items(path: Path) -> list[object]:
    found = read_json(path)
    if isinstance(found, dict):
        found = next((found[key] for key in KEYS if key in found), found)
    if not isinstance(found, list) or not any(isinstance(item, dict) for item in found):
        raise DataError(
            f"{path}: expected a list of objects, or one under {' or '.join(KEYS)}, found {type(found).__name__}; "
            "see the format in the documentation"
        )
    return found


def _name(item: object, index: int) -> str:
    given = item.get("name") if isinstance(item, dict) else None
    return str(given or f"progression-{index:05}")


def _progression(item: dict) -> Progression:
    chords, seconds = _chords(item), _seconds_per_chord(item)
    if frame_count(math.ceil(len(chords) * seconds * RATE)) == 0:
        raise DataError(f"a progression of {len(chords) * seconds:g} s is shorter than one analysis frame")
    return Progression(chords, seconds, _melody(item, len(chords)))


def _chords(item: dict) -> tuple[int, ...]:
    symbols = item.get("chords")
    if not isinstance(symbols, list) or not symbols:
        raise DataError(f"expected chords as a list of symbols, found {symbols!r}")
    return tuple(parse_chord(symbol) for symbol in symbols)


def _seconds_per_chord(item: dict) -> float:
    seconds = item.get("seconds_per_chord", 1.0)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0.05 <= seconds <= 60.0:
        raise DataError(f"expected seconds_per_chord from 0.05 to 60, found {seconds!r}")
    return float(seconds)


def _melody(item: dict, chords: int) -> tuple[tuple[int, ...], ...] | None:
    melody = item.get("melody")
    if melody is None:
        return None
    if not isinstance(melody, list) or len(melody) != chords or not all(map(_is_phrase, melody)):
        raise DataError("expected melody as one list of MIDI notes (0-127) for each chord, found something else")
    return tuple(map(tuple, melody))


def _is_phrase(phrase: object) -> bool:
    return isinstance(phrase, list) and all(type(pitch) is int and 0 <= pitch <= 127 for pitch in phrase)


def _sound(notes: list[tuple[float, float, int]], seconds: float) -> np.ndarray:
    """The log-mel features of the synthesised notes, from the cache if they were computed before."""
    parameters = {**PARAMETERS, "synthesis": [synthesis.HARMONICS, synthesis.LEVEL, synthesis.DECAY_SECONDS]}
    key = hashlib.sha256(json.dumps([notes, seconds]).encode()).hexdigest()
    samples = math.ceil(seconds * RATE)
    return cached_array(key, parameters, lambda: log_mel(synthesis.tones(notes, samples / RATE), RATE))
