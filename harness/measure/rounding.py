"""What rounding costs a musician: a loader's outputs beside those of the models as they were trained.

A numeric class says which rounding is right, and the error budget judges by it; whether a player would notice is
another question. Outputs are `[T, out]`.
"""

import numpy as np

NOTES = 8
"""So many of the likeliest notes are compared: a voicing of both hands and a line above it."""


def other_chords(exact: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Whether the likeliest chord is another, `[T]`."""
    return np.argmax(got, axis=1) != np.argmax(exact, axis=1)


def other_notes(exact: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Which part of the likeliest notes are others, `[T]`, whatever their order."""
    return (_likeliest(got) & ~_likeliest(exact)).sum(axis=1) / NOTES


def _likeliest(outputs: np.ndarray) -> np.ndarray:
    chosen = np.zeros(outputs.shape, bool)
    # A NaN comes last, and of two that are equal the lower note first.
    order = np.argsort(-outputs, axis=1, kind="stable")
    np.put_along_axis(chosen, order[:, :NOTES], True, axis=1)
    return chosen


def emotion(embedding: np.ndarray) -> np.ndarray:
    """Valence and arousal in [-1, 1], `[T, 2]`: the means of the two halves of the embedding."""
    return embedding.reshape(len(embedding), 2, -1).mean(axis=2, dtype=np.float64)


def period_errors(exact: np.ndarray, got: np.ndarray, period: int) -> np.ndarray:
    """The root mean square of the error in each period of so many frames, `[T / period]`; NaN where an output is."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.square(got - exact.astype(np.float64))
    return np.sqrt(squares.reshape(-1, period * exact.shape[1]).mean(axis=1))
