"""The emotion embedding between the models: dims 0-31 valence, 32-63 arousal, both in [-1, 1]."""

from __future__ import annotations

import hashlib

import numpy as np

HALF = 32
SIZE = 2 * HALF
JITTER = 0.35
SPREAD = 0.05


def embedding(valence: float, arousal: float) -> np.ndarray:
    """The embedding that training asks of the recogniser, float32 `[64]`."""
    return np.repeat(np.array([valence, arousal], np.float32), HALF)


def heard_embedding(item: str, valence: float, arousal: float, frames: int) -> np.ndarray:
    """What a model behind the recogniser sees of one item, float32 `[frames, 64]`, clipped to [-1, 1].

    A recogniser's estimate wanders from frame to frame, all dims of a half together (standard deviation 0.35), and its
    dims differ a little, otherwise in each frame (0.05): were it the same in all frames of an item, a model could know
    the item by it. Both are drawn from the item's name, so that an item is the same on every access and whatever its
    label.
    """
    seed = int.from_bytes(hashlib.sha256(item.encode()).digest()[:8], "little")
    generator = np.random.default_rng(seed)
    wander = np.repeat(generator.normal(0.0, JITTER, (frames, 2)), HALF, axis=1)
    spread = generator.normal(0.0, SPREAD, (frames, SIZE))
    return np.clip(embedding(valence, arousal) + wander + spread, -1.0, 1.0).astype(np.float32)
