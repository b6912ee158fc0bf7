"""The linear baselines: what one layer without memory makes of a frame's inputs.

Ridge regression for values, multinomial logistic regression for distributions (Hastie, Tibshirani, Friedman, The
Elements of Statistical Learning, 3.4.1 and 4.4), both on standardised inputs. How strongly the weights are held small
is chosen on every fourth training recording, which the candidates haven't seen; then all are used.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

Predict = Callable[[np.ndarray], np.ndarray]
_FOLD = 4
_STRENGTHS = {"ridge": (1e-4, 1e-3, 1e-2, 1e-1, 1.0), "logistic": (1e-4, 1e-3, 1e-2)}
# 60 steps left the baseline of the bundled melodies another 0.5 % of cross-entropy to gain.
_STEPS = 150
# More frames of the same recordings tell a linear map little, and cost as much as the training.
_MOST_FRAMES = 20_000


def fit_linear(inputs: np.ndarray, targets: np.ndarray, items: np.ndarray, kind: str) -> Predict:
    """Fits `targets` `[F, out]` to `inputs` `[F, in]` of the recordings `items` `[F]`; `kind` is ridge or logistic.

    The result maps inputs `[F, in]` to outputs `[F, out]`, for logistic distributions. Frames whose targets are all 0
    tell a distribution nothing and are left out there; if all do, everything is equally likely.
    """
    if kind == "logistic":
        told = targets.sum(axis=1) > 0
        if not told.any():
            return lambda frames: np.full((len(frames), targets.shape[1]), 1.0 / targets.shape[1])
        inputs, targets, items = inputs[told], targets[told], items[told]
        targets = targets / targets.sum(axis=1, keepdims=True)
    every = max(1, len(inputs) // _MOST_FRAMES)
    inputs, targets, items = inputs[::every], targets[::every], items[::every]
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scale[scale == 0] = 1.0
    # The closed form wants the digits; the descent wants the speed, and stops far above its rounding.
    precision = torch.float64 if kind == "ridge" else torch.float32
    x = torch.from_numpy((inputs - mean) / scale).to(precision)
    y = torch.from_numpy(targets).to(precision)
    fit, loss = (_ridge, functional.mse_loss) if kind == "ridge" else (_logistic, functional.cross_entropy)
    aside = torch.from_numpy(items % _FOLD == 0)
    if bool(aside.all()) or not bool(aside.any()):
        strength = _STRENGTHS[kind][0]
    else:
        tried = {strength: fit(x[~aside], y[~aside], strength) for strength in _STRENGTHS[kind]}
        strength = min(tried, key=lambda strength: float(loss(_apply(x[aside], *tried[strength]), y[aside])))
    weights, bias = fit(x, y, strength)

    def predict(frames: np.ndarray) -> np.ndarray:
        outputs = _apply(torch.from_numpy((frames - mean) / scale).to(precision), weights, bias)
        return (outputs.softmax(dim=1) if kind == "logistic" else outputs).double().numpy()

    return predict


def _apply(x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return x @ weights + bias


def _ridge(x: torch.Tensor, y: torch.Tensor, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """argmin |x w + b - y|² / n + strength |w|², in closed form."""
    centre, bias = x.mean(dim=0), y.mean(dim=0)
    centred = x - centre
    gram = centred.T @ centred + strength * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    weights = torch.linalg.solve(gram, centred.T @ (y - bias))
    return weights, bias - centre @ weights


def _logistic(x: torch.Tensor, y: torch.Tensor, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """argmin of the cross-entropy of softmax(x w + b) against y + strength |w|² / 2, which is convex, by L-BFGS."""
    weights = torch.zeros(x.shape[1], y.shape[1], dtype=x.dtype, requires_grad=True)
    bias = torch.zeros(y.shape[1], dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(_apply(x, weights, bias), y) + strength / 2 * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach(), bias.detach()
