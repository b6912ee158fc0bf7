"""One model's training: epochs over shuffled sequences, early stopping, the best weights kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from .config import EarlyStopping, ModelPlan
from .losses import loss_value

_EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Sequences:
    """Inputs `[N, T, in]` and targets `[N, T, out]` on the training device."""

    inputs: torch.Tensor
    targets: torch.Tensor


@dataclass(frozen=True)
class Epoch:
    """The mean training loss while the epoch ran, and the validation loss after it; epochs count from 1."""

    epoch: int
    loss: float
    validation_loss: float


class Diverged(ArithmeticError):
    """Outputs or loss stopped being finite numbers."""


def _loss(module: nn.Module, name: str, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    outputs, _ = module(inputs)
    if not bool(outputs.isfinite().all()):
        raise Diverged("the outputs are no longer finite")
    return loss_value(name, outputs, targets)


def evaluate(module: nn.Module, loss: str, sequences: Sequences) -> float:
    """The mean loss over all sequences in eval mode, each started from zero state."""
    module.eval()
    total = 0.0
    with torch.no_grad():
        for begin in range(0, len(sequences.inputs), _EVALUATION_BATCH):
            part = slice(begin, begin + _EVALUATION_BATCH)
            targets = sequences.targets[part]
            total += float(_loss(module, loss, sequences.inputs[part], targets)) * len(targets)
    return total / len(sequences.inputs)


def fit(
    module: nn.Module,
    plan: ModelPlan,
    stopping: EarlyStopping,
    training: Sequences,
    validation: Sequences,
    *,
    seed: int,
    on_epoch: Callable[[Epoch], None],
    on_best: Callable[[nn.Module], None],
) -> list[Epoch]:
    """Trains `module` in place and returns the history; it ends with the weights of the lowest validation loss.

    State is carried through all frames of a sequence, so the gradient reaches the recurrent weights. `seed` fixes the
    order of the sequences. Patience counts from the last epoch that improved on the best loss before it by more than
    `min_delta` of that loss: a relative measure, since the losses of the five models differ a hundredfold. Raises
    Diverged as soon as a loss isn't finite.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(module.parameters(), lr=plan.learning_rate)
    history: list[Epoch] = []
    best, best_weights = math.inf, copy.deepcopy(module.state_dict())
    reference, waited = math.inf, 0
    for number in range(1, plan.epochs + 1):
        loss = _one_epoch(module, plan, optimizer, training, generator)
        epoch = Epoch(number, loss, evaluate(module, plan.loss, validation))
        if not math.isfinite(epoch.loss + epoch.validation_loss):
            raise Diverged(f"the loss is {epoch.loss} after epoch {number}")
        history.append(epoch)
        on_epoch(epoch)
        if epoch.validation_loss < best:
            best, best_weights = epoch.validation_loss, copy.deepcopy(module.state_dict())
            on_best(module)
        if epoch.validation_loss < reference - stopping.min_delta * abs(reference) or reference == math.inf:
            reference, waited = epoch.validation_loss, 0
        else:
            waited += 1
        if stopping.enabled and waited >= stopping.patience:
            break
    module.load_state_dict(best_weights)
    module.eval()
    return history


def _one_epoch(
    module: nn.Module, plan: ModelPlan, optimizer: torch.optim.Optimizer, data: Sequences, generator: torch.Generator
) -> float:
    module.train()
    total = 0.0
    order = torch.randperm(len(data.inputs), generator=generator).to(data.inputs.device)
    for batch in order.split(plan.batch_size):
        optimizer.zero_grad()
        loss = _loss(module, plan.loss, data.inputs[batch], data.targets[batch])
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(batch)
    return total / len(order)
