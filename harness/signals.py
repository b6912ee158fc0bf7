"""Seeded test signals: frames [T, channels] of float32, the same bits on every machine.

Amplitudes are in the units of the model's inputs; features and embeddings lie in ±1. One seed gives one signal, and a
longer signal begins like a shorter one.
"""

import numpy as np


def noise(frames: int, channels: int, *, seed: int = 0, amplitude: float = 1.0) -> np.ndarray:
    """Even noise in ±amplitude [frames, channels]: what shows most structural faults."""
    _check(frames, channels)
    even = np.random.Generator(np.random.PCG64(seed)).random((frames, channels))
    return ((2.0 * even - 1.0) * amplitude).astype(np.float32)


def impulses(frames: int, channels: int, *, spacing: int) -> np.ndarray:
    """One impulse per channel [frames, channels], channel c at frame c · spacing with amplitude c + 1.

    Raises ValueError if the last one lies outside the signal.
    """
    _check(frames, channels)
    if spacing < 1 or (channels - 1) * spacing >= frames:
        raise ValueError(f"{channels} impulses {spacing} frames apart don't fit into {frames} frames")
    signal = np.zeros((frames, channels), np.float32)
    signal[np.arange(channels) * spacing, np.arange(channels)] = np.arange(1, channels + 1)
    return signal


def burst_then_silence(frames: int, channels: int, *, burst: int, seed: int = 0, amplitude: float = 1.0) -> np.ndarray:
    """Noise for `burst` frames, then zeros [frames, channels]: shows denormals, and state that doesn't decay."""
    signal = noise(frames, channels, seed=seed, amplitude=amplitude)
    signal[burst:] = 0.0
    return signal


def ramp(frames: int, channels: int, *, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """From low to high in every second channel, from high to low in the others [frames, channels]."""
    _check(frames, channels)
    rise = np.linspace(low, high, frames, dtype=np.float64)
    return np.stack([rise if c % 2 == 0 else rise[::-1] for c in range(channels)], axis=1).astype(np.float32)


def alternating(frames: int, channels: int, *, period: int = 8, seed: int = 0, amplitude: float = 1.0) -> np.ndarray:
    """Blocks of `period` frames [frames, channels], each with a level of its own per channel and the sign turned from
    block to block: shows outputs that come late, and state that is kept or lost at block borders.
    """
    _check(frames, channels)
    if period < 1:
        raise ValueError(f"period must be at least 1 frame, not {period}")
    blocks = -(-frames // period)
    levels = np.abs(noise(blocks, channels, seed=seed, amplitude=amplitude))
    levels[1::2] *= -1.0
    return np.repeat(levels, period, axis=0)[:frames]


def grid(low: float, high: float, *, frames: int, channels: int) -> np.ndarray:
    """Evenly spaced values from low to high in every channel [frames, channels], each channel starting elsewhere on the
    grid: for functions of one value, and for softmax over unlike ones.
    """
    _check(frames, channels)
    values = np.linspace(low, high, frames, dtype=np.float64).astype(np.float32)
    return np.stack([np.roll(values, c * frames // channels) for c in range(channels)], axis=1)


def nonfinite(frames: int, channels: int, *, seed: int = 0) -> np.ndarray:
    """Noise [frames, channels] in which every fourth frame is spoilt: in the first half by one value that is infinite,
    of either sign and each time in the next channel; then, since a state forgets no NaN, by NaN in all channels.
    """
    signal = noise(frames, channels, seed=seed)
    spoilt = np.arange(0, frames // 2, 4)
    signal[spoilt, np.arange(len(spoilt)) % channels] = np.resize([np.inf, -np.inf], len(spoilt))
    signal[frames // 2 :: 4] = np.nan
    return signal


def _check(frames: int, channels: int) -> None:
    if frames < 0 or channels < 1:
        raise ValueError(f"a signal has 0 or more frames and 1 or more channels, not {frames} and {channels}")
