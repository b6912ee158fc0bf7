"""How good a model is, in a musician's units: beside the best constant and a linear baseline, with intervals.

The numbers are of the held-out recordings, frame by frame, as a plugin would hear them: the state is zero where a
recording begins and is carried through it.
"""

from __future__ import annotations

import numpy as np

from ...data import Splits
from .baselines import fit_linear
from .bootstrap import CONFIDENCE, compare
from .measures import LINEAR_BASELINES, MEASURES


def evaluate(name: str, outputs: np.ndarray, splits: Splits, *, resamples: int, seed: int) -> dict[str, object]:
    """The evaluation of one model, ready for JSON.

    `outputs` `[N, T, out]` are the model's on `splits.validation`, its state carried through each recording. `metrics`
    has for each measure its `unit`, whether `higher_is_better`, and for `model`, `constant` and `linear` a `value` with
    the `low` and `high` end of its bootstrap interval over recordings; `gain_over_constant` and `gain_over_linear` are
    the paired differences, positive where the model is better. Constant and baseline know the training side only.
    """
    training, held_out = splits.training, splits.validation
    linear = fit_linear(_frames(training.inputs), _frames(training.targets), _items(training), LINEAR_BASELINES[name])
    predictions = {"model": _frames(outputs), "linear": linear(_frames(held_out.inputs))}
    targets, items = _frames(held_out.targets), _items(held_out)
    metrics = {}
    for measure in MEASURES[name]:
        truth = measure.truth(targets)
        constant = np.broadcast_to(measure.constant(measure.truth(_frames(training.targets))), truth.shape)
        by_whom = {who: measure.predicted(frames) for who, frames in predictions.items()} | {"constant": constant}
        sums = {who: _by_item(measure.statistics(found, truth), items) for who, found in by_whom.items()}
        metrics[measure.name] = {
            "unit": measure.unit,
            "higher_is_better": measure.higher_is_better,
            **compare(sums, measure.value, higher_is_better=measure.higher_is_better, resamples=resamples, seed=seed),
        }
    return {
        "recordings": len(held_out.ids),
        "frames": len(targets),
        "confidence": CONFIDENCE,
        "resamples": resamples,
        "linear_baseline": LINEAR_BASELINES[name],
        "metrics": metrics,
    }


def _frames(sequences: np.ndarray) -> np.ndarray:
    """`[N, T, width]` as `[N T, width]`, float64."""
    return sequences.reshape(-1, sequences.shape[-1]).astype(np.float64)


def _items(side: object) -> np.ndarray:
    """The recording of each frame."""
    return np.repeat(side.item_of, side.inputs.shape[1])


def _by_item(statistics: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The sums `[recordings, k]` of statistics per frame `[F, k]`."""
    return np.stack([np.bincount(items, weights=column) for column in statistics.T], axis=1)
