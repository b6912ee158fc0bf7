"""Losses over whole held-out sets, and the skill that they show against the best constant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SMALLEST_PROBABILITY = 1e-12

LOSS_ROUNDING = 1e-4
"""How far off, relative, a mean in float32 is: 10⁶ terms added one by one err by some √10⁶ · 2⁻²⁴."""


def mse(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Mean squared error over all values."""
    return float(np.mean(np.square(outputs - targets)))


def bce(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Mean binary cross-entropy in nats over all values; targets may be probabilities."""
    p = np.clip(outputs, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY)
    return float(-np.mean(targets * np.log(p) + (1.0 - targets) * np.log1p(-p)))


def kl_div(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Kullback-Leibler divergence in nats of the outputs from the targets, both distributions, mean over frames."""
    p = np.clip(outputs, SMALLEST_PROBABILITY, None)
    t = np.clip(targets, SMALLEST_PROBABILITY, None)
    return float(np.mean(np.sum(targets * (np.log(t) - np.log(p)), axis=-1)))


LOSSES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"mse": mse, "bce": bce, "kl_div": kl_div}


def best_constant(targets: np.ndarray) -> np.ndarray:
    """The constant output `[out]` with the least loss, by any of the three: the mean of targets `[N, T, out]`."""
    return targets.reshape(-1, targets.shape[-1]).mean(axis=0)


def skill(loss: float, constant_loss: float, least_loss: float) -> float:
    """1 for the least possible loss, 0 for the best constant's, below 0 for worse."""
    return 1.0 - (loss - least_loss) / (constant_loss - least_loss)


def same_loss(one: float, other: float) -> bool:
    """Whether two figures can be the loss of one model on one set: they differ by no more than rounding."""
    return abs(one - other) <= LOSS_ROUNDING * max(abs(one), abs(other))
