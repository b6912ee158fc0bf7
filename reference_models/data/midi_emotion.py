"""A stand-in for emotion labels where MIDI files have none: mode gives valence, pace and loudness give arousal.

That major sounds happier than minor, and that fast and loud music excites, are the cues on which listeners agree most
(Gabrielsson and Lindström 2010). The weights are ours. A stand-in is good for learning to follow an emotion; it says
nothing about what people feel.
"""

from __future__ import annotations

import numpy as np

from .listing import UNFIT, Unusable
from .midi import DRUM_CHANNEL, Song

# How well each pitch class fits a key, tonic first: the probe-tone ratings of Krumhansl and Kessler (1982).
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
MODE_WEIGHT = 4.0
MEDIUM_PACE = 4.0  # onsets per second
MEDIUM_VELOCITY, VELOCITY_SPAN = 64.0, 48.0


def derived_emotion(song: Song) -> tuple[float, float]:
    """Valence and arousal of a song, both in [-1, 1].

    Valence is 4 (r_major - r_minor), where r is the correlation of the pitch classes' durations with the best key's
    profile of that mode; arousal the mean of log4(onsets per second / 4) and (mean velocity - 64) / 48; all of them
    clipped. Raises `Unusable` for a song of drums alone, which has no mode.
    """
    pitched = song.channel != DRUM_CHANNEL
    if not pitched.any():
        raise Unusable("expected pitched notes to derive an emotion from, found drums alone; label it", UNFIT)
    lengths = np.maximum(song.end - song.start, 1e-3)[pitched]
    histogram = np.bincount(song.pitch[pitched] % 12, weights=lengths, minlength=12)
    valence = MODE_WEIGHT * (_fit(histogram, MAJOR) - _fit(histogram, MINOR))
    pace = np.log(len(np.unique(song.start[pitched])) / max(song.seconds, 1.0) / MEDIUM_PACE) / np.log(4.0)
    loudness = (song.velocity[pitched].mean() - MEDIUM_VELOCITY) / VELOCITY_SPAN
    arousal = (np.clip(pace, -1.0, 1.0) + np.clip(loudness, -1.0, 1.0)) / 2.0
    return float(np.clip(valence, -1.0, 1.0)), float(arousal)


def _fit(histogram: np.ndarray, profile: tuple[float, ...]) -> float:
    """The correlation with the best of the twelve keys; 0 where all pitch classes are equally long."""
    if np.ptp(histogram) == 0.0:
        return 0.0
    return max(float(np.corrcoef(histogram, np.roll(profile, tonic))[0, 1]) for tonic in range(12))
