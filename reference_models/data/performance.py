"""How a song is played, bar by bar: loudness, timing and articulation at the bar's positions.

A note belongs to the sixteenth nearest to its onset, so that one played just before the bar line counts as the first
of the next bar, played early.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .midi import SIXTEENTH, Song


@dataclass(frozen=True)
class Played:
    """Each note's bar, its place in the bar in [0, 1), and how early (-) or late (+) it is, in sixteenths."""

    bar: np.ndarray
    place: np.ndarray
    deviation: np.ndarray


def played(song: Song) -> Played:
    """The notes of a song against the grid of sixteenths; deviations lie in [-0.5, 0.5]."""
    steps = np.rint(song.beat / SIXTEENTH)
    grid = steps * SIXTEENTH
    bar = np.searchsorted(song.bars, grid + 1e-9, side="right") - 1
    place = (grid - song.bars[bar]) / np.diff(song.bars)[bar]
    return Played(bar, place, song.beat / SIXTEENTH - steps)


def articulation(song: Song) -> np.ndarray:
    """How much of the time until the next onset of its channel each note sounds: 0 detached, 1 connected."""
    gaps = np.empty(len(song.beat))
    for channel in np.unique(song.channel):
        members = np.flatnonzero(song.channel == channel)
        onsets = np.unique(song.beat[members])
        # The last notes have no next onset to reach: theirs is the bar line.
        line = song.bars[np.searchsorted(song.bars, onsets[-1] + SIXTEENTH / 2)]
        ends = np.append(onsets[1:], line)
        gaps[members] = ends[np.searchsorted(onsets, song.beat[members])] - song.beat[members]
    return np.clip(song.beats / gaps, 0.0, 1.0)


def bar_profile(values: np.ndarray, where: Played, bars: int, places: int) -> np.ndarray:
    """The mean of a per-note value in each of `places` equal parts of each bar, `[bars, places]`; NaN without notes."""
    part = (where.place * places + 1e-6).astype(int).clip(0, places - 1)
    cell = where.bar * places + part
    sums = np.bincount(cell, weights=values, minlength=bars * places)
    counts = np.bincount(cell, minlength=bars * places)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums / counts).reshape(bars, places)


def without_gaps(profile: np.ndarray) -> np.ndarray:
    """A profile whose empty places take their bar's mean, and whose empty bars the bar before (or the first played)."""
    filled = profile.copy()
    playing = np.flatnonzero(~np.isnan(profile).all(axis=1))
    means = np.nanmean(profile[playing], axis=1, keepdims=True)
    filled[playing] = np.where(np.isnan(profile[playing]), means, profile[playing])
    source = np.maximum(np.searchsorted(playing, np.arange(len(profile)), side="right") - 1, 0)
    return filled[playing[source]]


def bar_at(song: Song, times: np.ndarray) -> np.ndarray:
    """The bar that is being played at each time in seconds."""
    return np.clip(np.searchsorted(song.bar_times, times, side="right") - 1, 0, len(song.bars) - 2)
