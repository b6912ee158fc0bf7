"""One MIDI file as an item of a model, and what MelodyTransformer and DynamicsEngine learn from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .augmentation import Variation, vary_song
from .embedding import HALF, heard_embedding
from .feature_cache import file_sha256
from .features import HOP, RATE, frame_count, frame_ends
from .items import Recording
from .listing import Candidate
from .midi import DRUM_CHANNEL, Song, read_midi
from .midi_emotion import derived_emotion
from .performance import articulation, bar_at, bar_profile, played, without_gaps

MIDI = (".mid", ".midi")
VELOCITY_PLACES, TIMING_PLACES, EXPRESSION_PLACES = 8, 4, 4


@dataclass(frozen=True)
class Task:
    """What one model makes of a song: `inputs` of what is heard of its emotion, `[F, 64]`, and `targets` `[F, out]`."""

    inputs: Callable[[np.ndarray], np.ndarray]
    targets: Callable[[Song, int], np.ndarray]


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


MELODY = Task(inputs=lambda heard: heard, targets=melody_targets)
DYNAMICS = Task(inputs=dynamics_inputs, targets=dynamics_targets)


def is_midi(path: Path) -> bool:
    """Whether a file's name is that of a MIDI file."""
    return path.suffix.lower() in MIDI


def midi_candidate(
    folder: Path,
    name: str,
    task: Task,
    *,
    group: str,
    emotion: tuple[float, float] | None,
    max_seconds: float | None,
    split: str | None = None,
) -> Candidate:
    """The MIDI file `name` below a folder; without an emotion it gets the one that its notes suggest."""

    def read(variation: Variation) -> Recording:
        plain = read_midi(folder / name)
        valence, arousal = emotion or derived_emotion(plain)
        song = vary_song(plain, variation)
        seconds = song.seconds if max_seconds is None else min(song.seconds, max_seconds)
        frames = frame_count(round(seconds * RATE))
        item = name + variation.suffix
        return Recording(
            id=item,
            group=group,
            content_hash=variation.content_hash(file_sha256(folder / name)),
            inputs=task.inputs(heard_embedding(item, valence, arousal, frames)),
            targets=task.targets(song, frames),
            emotion=(valence, arousal),
            split=split,
        )

    return Candidate(name, read, split)
