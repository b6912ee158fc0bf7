"""A folder of MIDI files, nested or not, with labels.json: file → {"emotion": {"valence", "arousal"}, "composition"?}.

It trains two models: MelodyTransformer (which notes come next) and DynamicsEngine (how they are played).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import DataError
from .embedding import HALF, heard_embedding
from .feature_cache import file_sha256
from .features import HOP, RATE, frame_count, frame_ends
from .items import Reading, Recording
from .midi import DRUM_CHANNEL, Song, read_midi
from .performance import articulation, bar_at, bar_profile, played, without_gaps
from .tables import emotion, read_json

LABELS = "labels.json"
MIDI = (".mid", ".midi")
VELOCITY_PLACES, TIMING_PLACES, EXPRESSION_PLACES = 8, 4, 4


def melody_targets(song: Song, frames: int) -> np.ndarray:
    """Which of the 128 notes sound in the hop after each frame (drums aside), 0 or 1, float32 `[frames, 128]`."""
    now = frame_ends(frames)
    targets = np.zeros((frames, 128), np.float32)
    first = np.searchsorted(now + HOP / RATE, song.start, side="right")
    last = np.searchsorted(now, song.end, side="left")
    for pitch, channel, begin, end in zip(song.pitch, song.channel, first, last, strict=True):
        if channel != DRUM_CHANNEL:
            targets[begin:end, pitch] = 1.0
    return targets


def dynamics_targets(song: Song, frames: int) -> np.ndarray:
    """How the bar around each frame is played, float32 `[frames, 16]` in [0, 1].

    0-7 velocity / 127 at the eight eighths of the bar; 8-11 timing in its four quarters, 0.5 on the sixteenth and 0 or
    1 half a sixteenth early or late; 12-15 expression in its four quarters, the articulation from 0 detached to 1
    connected. Where no note begins, the bar's mean stands.
    """
    where, bars = played(song), len(song.bars) - 1
    profile = np.hstack(
        [
            without_gaps(bar_profile(song.velocity / 127.0, where, bars, VELOCITY_PLACES)),
            without_gaps(bar_profile(0.5 + where.deviation, where, bars, TIMING_PLACES)),
            without_gaps(bar_profile(articulation(song), where, bars, EXPRESSION_PLACES)),
        ]
    )
    return profile[bar_at(song, frame_ends(frames))].astype(np.float32)


def dynamics_inputs(heard: np.ndarray) -> np.ndarray:
    """The half of the embedding that DynamicsEngine gets, `[F, 32]`: 16 dims of valence and 16 of arousal."""
    return np.hstack([heard[:, : HALF // 2], heard[:, HALF : HALF + HALF // 2]])


def _read_midi_folder(
    folder: Path,
    *,
    inputs: Callable[[np.ndarray], np.ndarray],
    targets: Callable[[Song, int], np.ndarray],
    max_seconds: float | None = None,
) -> Reading:
    """The labelled MIDI files of a folder; missing or damaged ones and those without a label are left out.

    Raises `DataError` for a label outside [-1, 1] or a labels.json of another form.
    """
    labels = read_json(folder / LABELS)
    if not isinstance(labels, dict):
        raise DataError(f"{folder / LABELS}: expected an object of files, found {type(labels).__name__}")
    recordings, left_out = [], []
    for name, entry in sorted(labels.items()):
        where = f"{folder / LABELS}, {name}"
        valence, arousal = emotion(entry, where)
        path = folder / name
        if not path.is_file():
            left_out.append((name, f"{folder / LABELS} names it, but the file doesn't exist"))
            continue
        try:
            song = read_midi(path)
        except DataError as error:
            left_out.append((name, str(error)))
            continue
        seconds = song.seconds if max_seconds is None else min(song.seconds, max_seconds)
        frames = frame_count(round(seconds * RATE))
        heard = heard_embedding(name, valence, arousal, frames)
        group = str(entry.get("composition") or name)
        recordings.append(Recording(name, group, file_sha256(path), inputs(heard), targets(song, frames)))
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in MIDI and name not in labels:
            left_out.append((name, f"it has no entry in {folder / LABELS}"))
    return Reading(tuple(recordings), tuple(left_out))


read_melodies = partial(_read_midi_folder, inputs=lambda heard: heard, targets=melody_targets)
read_dynamics = partial(_read_midi_folder, inputs=dynamics_inputs, targets=dynamics_targets)
