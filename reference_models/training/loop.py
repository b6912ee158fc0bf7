"""One model's training: epochs over batches, early stopping, the best weights kept, all of it resumable."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn

from ..models import State
from .batches import Batch, Feed, Sequences, in_order, share, shuffled
from .config import EarlyStopping, ModelPlan
from .distributed import Processes
from .losses import loss_value
from .optimization import Optimization

_EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Epoch:
    """The mean training loss while the epoch ran, and the validation loss after it; epochs count from 1.

    `learning_rate` is the one it ran with, `seconds` is how long it took.
    """

    epoch: int
    loss: float
    validation_loss: float
    learning_rate: float
    seconds: float


class Diverged(ArithmeticError):
    """Outputs or loss stopped being finite numbers."""


class Lanes:
    """The recurrent state that each lane of the batches has come to, cut off from the gradient (truncated BPTT)."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._count = 1 + max(int(batch.lanes.max()) for batch in batches)
        self._state: tuple[tuple[torch.Tensor, ...], ...] | None = None

    def before(self, batch: Batch) -> State | None:
        """The state that a batch starts from, zero where a lane begins a recording; None where all do."""
        if self._state is None or bool(batch.begins.all()):
            return None

        def started(kept: torch.Tensor) -> torch.Tensor:
            goes_on = (~batch.begins).to(kept.device, kept.dtype)
            return kept[:, batch.lanes] * goes_on[None, :, None]

        return tuple(tuple(started(kept) for kept in pair) for pair in self._state)

    def after(self, batch: Batch, state: State) -> None:
        """Keeps the state that a batch ended in."""
        if self._state is None:
            self._state = tuple(
                tuple(part.new_zeros(part.shape[0], self._count, part.shape[2]) for part in pair) for pair in state
            )
        for kept_pair, pair in zip(self._state, state, strict=True):
            for kept, part in zip(kept_pair, pair, strict=True):
                kept[:, batch.lanes] = part.detach()


def _outputs(module: nn.Module, inputs: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
    outputs, after = module(inputs, state)
    if not bool(outputs.isfinite().all()):
        raise Diverged("the outputs are no longer finite")
    return outputs.float(), after


def predict(module: nn.Module, sequences: Sequences, device: torch.device, *, carry_state: bool) -> torch.Tensor:
    """The outputs `[N, T, out]` in eval mode, on the CPU.

    Each sequence starts from zero state, or with `carry_state` from where the one before it in its recording ended.
    """
    module.eval()
    count = len(sequences.inputs)
    if carry_state:
        batches = in_order(sequences.item_of, count)
    else:
        rows = torch.arange(count).split(_EVALUATION_BATCH)
        batches = [Batch(part, torch.arange(len(part)), torch.ones(len(part), dtype=torch.bool)) for part in rows]
    lanes, parts = Lanes(batches), []
    with torch.no_grad():
        for batch in batches:
            outputs, after = _outputs(module, sequences.inputs[batch.rows].to(device), lanes.before(batch))
            if carry_state:
                lanes.after(batch, after)
            parts.append(outputs.cpu())
    rows = torch.cat([batch.rows for batch in batches])
    return torch.cat(parts)[rows.argsort()]


def evaluate(module: nn.Module, loss: str, sequences: Sequences, device: torch.device, *, carry_state: bool) -> float:
    """The mean loss over all sequences in eval mode."""
    outputs = predict(module, sequences, device, carry_state=carry_state)
    parts = zip(outputs.split(_EVALUATION_BATCH), sequences.targets.split(_EVALUATION_BATCH), strict=True)
    return sum(float(loss_value(loss, part, targets)) * len(targets) for part, targets in parts) / len(outputs)


class Patience:
    """Early stopping: counts the epochs since the last improvement.

    An improvement is one on the best loss before it by more than `min_delta` of that loss: a relative measure, since
    the losses of the five models differ a hundredfold.
    """

    def __init__(self, stopping: EarlyStopping) -> None:
        self._stopping = stopping
        self.reference, self.waited = math.inf, 0

    def heed(self, loss: float) -> None:
        if self.reference == math.inf or loss < self.reference - self._stopping.min_delta * abs(self.reference):
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1

    @property
    def is_over(self) -> bool:
        return self._stopping.enabled and self.waited >= self._stopping.patience


class Training:
    """Trains `module` in place, epoch by epoch; `state_dict` is all that the next epoch depends on.

    State is carried through all frames of a sequence, so the gradient reaches the recurrent weights; between the
    sequences of a recording if the plan says so. `seed` fixes the order of the sequences. Nothing else is drawn: the
    modules have no dropout, and torch's global generators play no part.
    """

    def __init__(
        self,
        module: nn.Module,
        plan: ModelPlan,
        training: Sequences,
        validation: Sequences,
        *,
        seed: int,
        device: torch.device,
        workers: int = 0,
        processes: Processes = Processes(),  # noqa: B008 (frozen)
    ) -> None:
        self.module, self.plan, self.history = module, plan, list[Epoch]()
        self._training, self._validation = training, validation
        self._device, self._processes = device, processes
        self._wrapped = processes.wrap(module)
        self._feed = Feed(training, workers)
        self._generator = torch.Generator().manual_seed(seed)
        self._optimization = Optimization(module, plan, device)
        self._patience = Patience(plan.early_stopping)
        self._best, self._best_weights = math.inf, copy.deepcopy(module.state_dict())

    def run(self, on_epoch: Callable[[Training], None]) -> None:
        """Trains to the end, calling `on_epoch` after each epoch; then the module holds the best weights.

        Raises Diverged as soon as a loss isn't finite.
        """
        while len(self.history) < self.plan.epochs and not self._patience.is_over:
            self._run_epoch()
            on_epoch(self)
        self.module.load_state_dict(self._best_weights)
        self.module.eval()

    @property
    def is_best(self) -> bool:
        """Whether the last epoch is the first with the lowest validation loss."""
        return min(self.history, key=lambda epoch: epoch.validation_loss) is self.history[-1]

    def state_dict(self) -> dict[str, object]:
        return {
            "module": self.module.state_dict(),
            "best": self._best,
            "best_weights": self._best_weights,
            "optimization": self._optimization.state_dict(),
            "order": self._generator.get_state(),
            "patience": {"reference": self._patience.reference, "waited": self._patience.waited},
            "history": [asdict(epoch) for epoch in self.history],
        }

    def load_state_dict(self, state: dict) -> None:
        self.module.load_state_dict(state["module"])
        self._best, self._best_weights = state["best"], state["best_weights"]
        self._optimization.load_state_dict(state["optimization"])
        self._generator.set_state(state["order"])
        self._patience.reference, self._patience.waited = state["patience"]["reference"], state["patience"]["waited"]
        self.history = [Epoch(**epoch) for epoch in state["history"]]

    def _run_epoch(self) -> None:
        started, number, rate = time.monotonic(), len(self.history) + 1, self._optimization.learning_rate
        loss = self._train()
        validation_loss = math.nan
        if self._processes.is_first:
            carry = self.plan.carry_state
            validation_loss = evaluate(self.module, self.plan.loss, self._validation, self._device, carry_state=carry)
        # Validated once and told to all, so that all stop after the same epoch.
        validation_loss = self._processes.from_first(validation_loss)
        if not math.isfinite(loss + validation_loss):
            raise Diverged(f"the loss is {loss} after epoch {number}")
        self.history.append(Epoch(number, loss, validation_loss, rate, round(time.monotonic() - started, 3)))
        if validation_loss < self._best:
            self._best, self._best_weights = validation_loss, copy.deepcopy(self.module.state_dict())
        self._patience.heed(validation_loss)
        self._optimization.end_epoch(validation_loss)

    def _train(self) -> float:
        """One epoch over the training sequences; its mean loss, over all processes."""
        plan, data = self.plan, self._training
        if plan.carry_state:
            batches = in_order(data.item_of, plan.batch_size, self._generator)
        else:
            batches = shuffled(len(data.inputs), plan.batch_size, self._generator)
        processes = self._processes
        if processes.count > 1:
            batches = [share(batch, processes.rank, processes.count) for batch in batches]
        self._wrapped.train()
        lanes, total = Lanes(batches), 0.0
        for batch, inputs, targets in self._feed.fetch(batches):
            with self._optimization.precision():
                outputs, after = _outputs(self._wrapped, inputs.to(self._device), lanes.before(batch))
            if plan.carry_state:
                lanes.after(batch, after)
            loss = loss_value(plan.loss, outputs, targets.to(self._device))
            self._optimization.step(loss * batch.weight if processes.count > 1 else loss)
            total += float(loss.detach()) * len(batch.rows) * bool(batch.weight)
        return processes.sum(total) / len(data.inputs)
