"""One sound file as an item: its log-mel features, and the emotion that is asked for at each frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .augmentation import PLAIN, Variation, mask, vary_sound
from .embedding import HALF, embedding
from .feature_cache import cached_array, file_sha256
from .features import PARAMETERS, RATE, frame_count, frame_ends, log_mel, mix_to_mono, read_audio
from .items import Recording
from .listing import UNREADABLE, Candidate, Unusable
from .wav import check_whole

SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@dataclass(frozen=True)
class Course:
    """Valence and arousal over time: float64 arrays of equal length, `seconds` rising. One entry holds throughout."""

    seconds: np.ndarray
    valence: np.ndarray
    arousal: np.ndarray

    def covers(self, times: np.ndarray) -> slice:
        """The times, in seconds and rising, for which there is an annotation."""
        if len(self.seconds) == 1:
            return slice(0, len(times))
        begin, end = np.searchsorted(times, self.seconds[0]), np.searchsorted(times, self.seconds[-1], side="right")
        return slice(int(begin), int(end))

    def embeddings(self, times: np.ndarray) -> np.ndarray:
        """What is asked of the recogniser at each time, float32 `[len(times), 64]`, linear between annotations."""
        if len(self.seconds) == 1:
            return np.broadcast_to(embedding(self.valence[0], self.arousal[0]), (len(times), 2 * HALF))
        pair = np.stack([np.interp(times, self.seconds, values) for values in (self.valence, self.arousal)], axis=1)
        return np.repeat(pair.astype(np.float32), HALF, axis=1)


def course(valence: float, arousal: float) -> Course:
    """One label for all of a recording."""
    return Course(np.zeros(1), np.array([valence]), np.array([arousal]))


def is_sound(path: Path) -> bool:
    """Whether a file's name is that of a sound file."""
    return path.suffix.lower() in SOUNDS


def sound_candidate(
    folder: Path, name: str, *, group: str, labels: Course, max_seconds: float | None, split: str | None = None
) -> Candidate:
    """The sound file `name` below a folder; frames without an annotation are no part of it.

    `max_seconds` limits what is left. Reading it raises `DataError` if it can't be heard or has no annotated frame.
    """

    def read(variation: Variation) -> Recording:
        features, digest = features_of(folder / name, variation)
        times = frame_ends(len(features)) * variation.tempo
        covered = labels.covers(times)
        features, times = features[covered], times[covered]
        if not len(features):
            raise Unusable(
                f"{folder / name}: expected annotations while it sounds, found none; leave it out", UNREADABLE
            )
        if max_seconds is not None:
            features = features[: frame_count(round(max_seconds * RATE))]
            times = times[: len(features)]
        return Recording(
            id=name + variation.suffix,
            group=group,
            content_hash=variation.content_hash(digest),
            inputs=mask(features, variation),
            targets=labels.embeddings(times),
            emotion=(float(labels.valence.mean()), float(labels.arousal.mean())),
            split=split,
        )

    return Candidate(name, read, split)


def features_of(path: Path, variation: Variation = PLAIN) -> tuple[np.ndarray, str]:
    """The log-mel features `[F, 128]` of a sound file, from the cache when they are there, and the file's sha256."""
    digest, varied = file_sha256(path), variation.of_sound()

    def compute() -> np.ndarray:
        check_whole(path)
        samples, rate = read_audio(path)
        return log_mel(vary_sound(mix_to_mono(samples), rate, variation) if varied else samples, rate)

    return cached_array(digest, {**PARAMETERS, **({"variation": varied} if varied else {})}, compute), digest
