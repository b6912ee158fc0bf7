"""Plain tones for notes that come without sound: six harmonics that decay, the same on every access."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .features import RATE

HARMONICS = 6
LEVEL = 0.08
DECAY_SECONDS = 0.6
ATTACK_SECONDS = 0.005


def tones(notes: Iterable[tuple[float, float, int]], seconds: float) -> np.ndarray:
    """Notes (start and end in seconds, MIDI pitch) as mono float64 samples at 22,050 Hz.

    The k-th harmonic has 1/k of the first one's amplitude, 0.08 of full scale, and falls to 1/e in 0.6 s; harmonics
    above half the rate are left out.
    """
    mono = np.zeros(round(seconds * RATE))
    for start, end, pitch in notes:
        begin, stop = round(start * RATE), min(round(end * RATE), len(mono))
        time = np.arange(max(0, stop - begin)) / RATE
        frequency = 440.0 * 2.0 ** ((pitch - 69) / 12)
        envelope = np.minimum(time / ATTACK_SECONDS, 1.0) * np.exp(-time / DECAY_SECONDS)
        for harmonic in range(1, HARMONICS + 1):
            if harmonic * frequency < RATE / 2:
                tone = np.sin(2 * np.pi * harmonic * frequency * time)
                mono[begin:stop] += LEVEL / harmonic * envelope * tone
    return mono
