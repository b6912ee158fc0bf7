"""The three losses over probabilities and embeddings, and what the best constant predictor would score."""

from __future__ import annotations

import torch
from torch.nn import functional

from ..errors import DataError
from ..specs import ModelSpec

# The least probability whose logarithm a KL loss takes: a float32 softmax can return 0.
_LEAST_PROBABILITY = 1e-9
_SUM_TOLERANCE = 1e-3


def _kl_div(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """KL(target || output) per frame; functional.kl_div wants logarithms of the probabilities that softmax gives."""
    logarithms = outputs.clamp_min(_LEAST_PROBABILITY).log()
    frames = targets.numel() // targets.shape[-1]
    return functional.kl_div(logarithms, targets, reduction="sum") / frames


LOSSES = {
    "mse": functional.mse_loss,
    "bce": functional.binary_cross_entropy,
    "kl_div": _kl_div,
}


def loss_value(name: str, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean loss of outputs against targets, both `[N, T, out]`: per element, for kl_div per frame."""
    return LOSSES[name](outputs, targets)


def constant_loss(name: str, targets: torch.Tensor) -> float:
    """The loss of the best constant for these targets `[N, T, out]`.

    Their mean per channel minimises all three losses, so no constant learnt elsewhere does better.
    """
    targets = targets.double()
    mean = targets.mean(dim=(0, 1), keepdim=True)
    return float(loss_value(name, mean.expand_as(targets), targets))


def check_targets(name: str, spec: ModelSpec, targets: torch.Tensor) -> None:
    """Raises DataError for targets that the model can't reach or the loss can't mean."""
    low, high = spec.output_range
    if not bool(((targets >= low) & (targets <= high)).all()):
        raise DataError(f"{spec.name}: expected targets from {low} to {high}, found others")
    if name == "kl_div" and bool(((targets.sum(dim=-1) - 1).abs() > _SUM_TOLERANCE).any()):
        raise DataError(f"{spec.name}: expected targets that sum to 1 in each frame, found others")
