"""What is measured of each model: by name, in the unit that a musician or a paper would use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

Array = np.ndarray
_LEAST_PROBABILITY = 1e-9
_HALF = 32
_MIDI_VELOCITY = 127.0


@dataclass(frozen=True)
class Measure:
    """One quantity, from predictions and truth per frame to a number.

    `predicted(outputs [F, out])` and `truth(targets [F, out])` give the quantity `[F, q]`, the truth with NaN where
    there is nothing to predict; `constant(truth [F, q])` is the constant `[q]` that is best for the measure;
    `statistics(predicted, truth)` are `[F, k]`, and `value(sums [..., k])` makes the number of their sums over frames.
    """

    name: str
    unit: str
    higher_is_better: bool
    predicted: Callable[[Array], Array]
    truth: Callable[[Array], Array]
    constant: Callable[[Array], Array]
    statistics: Callable[[Array, Array], Array]
    value: Callable[[Array], Array]


def _ratio(sums: Array) -> Array:
    """A mean; NaN where there was nothing to predict."""
    with np.errstate(invalid="ignore"):
        return sums[..., 0] / sums[..., 1]


def _median(truth: Array) -> Array:
    """The constant of the least absolute error, 0 for a column that never has a value."""
    return np.array([np.median(column[~np.isnan(column)]) if (~np.isnan(column)).any() else 0.0 for column in truth.T])


def _absolute(predicted: Array, truth: Array) -> Array:
    there = ~np.isnan(truth)
    return np.stack([np.where(there, np.abs(predicted - truth), 0.0).sum(axis=1), there.sum(axis=1)], axis=1)


def _mae(name: str, unit: str, predicted: Callable, truth: Callable) -> Measure:
    """Mean absolute error."""
    return Measure(name, unit, False, predicted, truth, _median, _absolute, _ratio)


def _squares(predicted: Array, truth: Array) -> Array:
    return np.hstack([(predicted - truth) ** 2, np.ones_like(truth), truth, truth**2])


def _rmse(name: str, part: Callable) -> Measure:
    """Root mean squared error of one number per frame."""
    mean = partial(np.mean, axis=0)
    return Measure(name, "", False, part, part, mean, _squares, lambda sums: np.sqrt(_ratio(sums)))


def _r2(name: str, part: Callable) -> Measure:
    """Coefficient of determination of one number per frame: 1 is all, 0 what the held-out mean would score."""

    def value(sums: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1.0 - sums[..., 0] / (sums[..., 3] - sums[..., 2] ** 2 / sums[..., 1])

    return Measure(name, "", True, part, part, partial(np.mean, axis=0), _squares, value)


def _distribution(values: Array) -> Array:
    """Rows that sum to 1, no part of them 0."""
    values = np.maximum(values, _LEAST_PROBABILITY)
    return values / values.sum(axis=1, keepdims=True)


def _true_distribution(targets: Array) -> Array:
    """What is right, in equal shares; NaN in frames where nothing is."""
    with np.errstate(invalid="ignore"):
        return targets / targets.sum(axis=1, keepdims=True)


def _mean_distribution(truth: Array) -> Array:
    """The mean distribution, with one more frame in which all are equally likely, so that none is impossible."""
    known = truth[~np.isnan(truth).any(axis=1)]
    return (known.sum(axis=0) + 1.0 / truth.shape[1]) / (len(known) + 1.0)


def _cross_entropy(name: str) -> Measure:
    """-Σ truth log(predicted), per frame."""

    def statistics(predicted: Array, truth: Array) -> Array:
        known = ~np.isnan(truth).any(axis=1)
        losses = -(np.where(known[:, None], truth, 0.0) * np.log(predicted)).sum(axis=1)
        return np.stack([losses, known], axis=1)

    return Measure(name, "nats", False, _distribution, _true_distribution, _mean_distribution, statistics, _ratio)


def _top(name: str, count: int) -> Measure:
    """The share of frames where what is right, or part of it, is among the `count` likeliest."""

    def statistics(predicted: Array, truth: Array) -> Array:
        known = ~np.isnan(truth).any(axis=1)
        likeliest = np.argsort(-predicted, axis=1, kind="stable")[:, :count]
        hits = (np.take_along_axis(np.nan_to_num(truth), likeliest, axis=1) > 0).any(axis=1)
        return np.stack([hits & known, known], axis=1).astype(float)

    return Measure(name, "", True, _distribution, _true_distribution, _mean_distribution, statistics, _ratio)


def _valence(values: Array) -> Array:
    return values[:, :_HALF].mean(axis=1, keepdims=True)


def _arousal(values: Array) -> Array:
    return values[:, _HALF:].mean(axis=1, keepdims=True)


def _dynamics_velocity(values: Array) -> Array:
    return _MIDI_VELOCITY * values[:, :8]


def _dynamics_timing(values: Array) -> Array:
    return values[:, 8:12] - 0.5


def _dynamics_expression(values: Array) -> Array:
    return values[:, 12:]


def _groove_velocity(values: Array) -> Array:
    return _MIDI_VELOCITY * (values[:, 16:] + 1.0) / 2.0


def _groove_timing(values: Array) -> Array:
    return values[:, :16] / 2.0


def _timing_of_hits(targets: Array) -> Array:
    """Timing where there is a hit to be early or late."""
    return np.where(targets[:, 16:] > -1.0, _groove_timing(targets), np.nan)


_OF_A_SIXTEENTH = "of a sixteenth"
MEASURES: dict[str, tuple[Measure, ...]] = {
    "EmotionRecognizer": (
        _r2("valence_r2", _valence),
        _r2("arousal_r2", _arousal),
        _rmse("valence_rmse", _valence),
        _rmse("arousal_rmse", _arousal),
    ),
    "MelodyTransformer": (_cross_entropy("note_cross_entropy"), _top("note_top_1", 1), _top("note_top_5", 5)),
    "HarmonyPredictor": (_cross_entropy("chord_cross_entropy"), _top("chord_accuracy", 1), _top("chord_top_3", 3)),
    "DynamicsEngine": (
        _mae("velocity_mae", "MIDI velocity", _dynamics_velocity, _dynamics_velocity),
        _mae("timing_mae", _OF_A_SIXTEENTH, _dynamics_timing, _dynamics_timing),
        _mae("expression_mae", "", _dynamics_expression, _dynamics_expression),
    ),
    "GroovePredictor": (
        _mae("velocity_mae", "MIDI velocity", _groove_velocity, _groove_velocity),
        _mae("timing_mae", _OF_A_SIXTEENTH, _groove_timing, _timing_of_hits),
    ),
}
LINEAR_BASELINES = {
    "EmotionRecognizer": "ridge",
    "MelodyTransformer": "logistic",
    "HarmonyPredictor": "logistic",
    "DynamicsEngine": "ridge",
    "GroovePredictor": "ridge",
}
