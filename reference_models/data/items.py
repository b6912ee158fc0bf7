"""What a data set becomes: recordings with features and targets, and the sequences of a training or validation set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recording:
    """One recording (or MIDI file, or progression), ready for one model.

    `id` names it within its data set; recordings with the same `group` are renderings of one composition and stay on
    one side of every split; `content_hash` is the sha256 of what was heard; `inputs` are float32 `[F, in]`, `targets`
    float32 `[F, out]`; `emotion` is the mean valence and arousal, in [-1, 1]; `split` is the data set's own
    ("training", "validation", "test") or None.
    """

    id: str
    group: str
    content_hash: str
    inputs: np.ndarray
    targets: np.ndarray
    emotion: tuple[float, float]
    split: str | None = None


@dataclass(frozen=True)
class Items:
    """One side of a split, cut into sequences.

    `ids` and `content_hashes` have one entry per recording; `inputs` are float32 `[N, T, in]`, `targets` float32
    `[N, T, out]`; `item_of` is int64 `[N]`, the recording (index into `ids`) that each sequence was cut from. A
    recording's sequences follow each other without gap or overlap, in order of time.
    """

    ids: tuple[str, ...]
    inputs: np.ndarray
    targets: np.ndarray
    item_of: np.ndarray
    content_hashes: tuple[str, ...]


@dataclass(frozen=True)
class Splits:
    """The training and validation items of one model, and what was left out: (item, reason)."""

    training: Items
    validation: Items
    left_out: tuple[tuple[str, str], ...] = ()


def cut(recordings: Sequence[Recording], sequence_length: int) -> Items:
    """The recordings' whole sequences of `sequence_length` frames; the frames after the last whole one are dropped.

    Every recording must hold at least one sequence.
    """
    counts = [len(recording.inputs) // sequence_length for recording in recordings]

    def stack(arrays: list[np.ndarray]) -> np.ndarray:
        # Filled in place: features lie on disk until here, and a concatenation would hold them twice.
        width = arrays[0].shape[1]
        stacked = np.empty((sum(counts), sequence_length, width), np.float32)
        begin = 0
        for array, count in zip(arrays, counts, strict=True):
            stacked[begin : begin + count] = array[: count * sequence_length].reshape(count, sequence_length, width)
            begin += count
        return stacked

    return Items(
        ids=tuple(recording.id for recording in recordings),
        inputs=stack([recording.inputs for recording in recordings]),
        targets=stack([recording.targets for recording in recordings]),
        item_of=np.repeat(np.arange(len(recordings)), counts),
        content_hashes=tuple(recording.content_hash for recording in recordings),
    )
