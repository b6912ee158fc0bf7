"""One model on its way through a run: data, module, checkpoints, and the files that are left at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from ..atomic import write_atomic
from ..data import Items, Splits, load_dataset
from ..errors import ConfigError, DataError
from ..export import render
from ..models import build_from_spec
from . import checkpoint
from .batches import Sequences
from .config import ModelPlan, Plan
from .distributed import Processes
from .evaluation import evaluate
from .loop import Diverged, Epoch, Training, predict
from .losses import check_targets, constant_loss


def load(model: ModelPlan, plan: Plan) -> Splits:
    """The data of a model, checked; raises ConfigError and DataError."""
    try:
        splits = load_dataset(
            model.dataset,
            model.spec.name,
            seed=plan.seed,
            validation_fraction=plan.validation_fraction,
            sequence_length=model.sequence_length,
        )
    except ConfigError as error:
        raise ConfigError(f"{model.dataset_path}: {error}") from None
    if set(splits.training.content_hashes) & set(splits.validation.content_hashes):
        raise DataError(f"{model.dataset_path}: the same recording is on both sides of the split")
    for side in (splits.training, splits.validation):
        if not np.isfinite(side.inputs).all():
            raise DataError(
                f"{model.dataset_path}: expected finite inputs for {model.spec.name}, found NaN or infinity"
            )
        check_targets(model.loss, model.spec, torch.from_numpy(side.targets))
    return splits


def model_seed(seed: int, name: str) -> int:
    """One seed per model, so that training it alone gives what training all gives."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:7], "big")


class Run:
    """Trains one model into a folder. `history` has its epochs, those before a resumption included."""

    def __init__(
        self, model: ModelPlan, plan: Plan, splits: Splits, folder: Path, device: torch.device, processes: Processes
    ) -> None:
        """Reads the checkpoint if the plan resumes; writes nothing. Raises ConfigError for one that doesn't fit."""
        self.model = model
        self._plan, self._splits, self._folder = plan, splits, folder
        self._device, self._processes = device, processes
        self._made_with = checkpoint.origin(model, plan, splits, device, processes.count)
        # What the first process has counts for all: only it has written to its folder.
        reads = plan.resume and processes.is_first
        state = checkpoint.read(folder, model, self._made_with) if reads else None
        self._state = processes.from_first(state)
        self._seed = model_seed(plan.seed, model.spec.name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            self._module = build_from_spec(model.spec).to(device)
        self.history: list[Epoch] = []
        self._evaluation: dict[str, object] | None = None

    def clear(self) -> None:
        """Removes what an earlier run left that this one neither goes on from nor writes anew."""
        checkpoint.sweep(self._folder, self.model.stem)
        if not self._plan.resume:
            checkpoint.discard(self._folder, self.model.stem)
        if not self._plan.export:
            for name in exported_files(self.model.stem):
                (self._folder / name).unlink(missing_ok=True)

    def train(self, on_epoch: Callable[[Epoch], None]) -> None:
        """Trains to the end, with checkpoints on the way, and evaluates; raises ConfigError if training diverges."""
        training = Training(
            self._module,
            self.model,
            _sequences(self._splits.training),
            _sequences(self._splits.validation),
            seed=self._seed,
            device=self._device,
            workers=self._plan.workers,
            processes=self._processes,
        )
        if self._state:
            training.load_state_dict(self._state)
            self._state = None

        def after_epoch(training: Training) -> None:
            if self._processes.is_first:
                self._keep(training)
                on_epoch(training.history[-1])

        try:
            training.run(after_epoch)
        except Diverged as error:
            raise ConfigError(
                f"$.models.{self.model.spec.name}.learning_rate: expected one with which training converges, found "
                f"that with {self.model.learning_rate} {error}; lower it"
            ) from None
        self.history = training.history
        if self._plan.evaluation and self._processes.is_first:
            self._evaluation = self._evaluate()

    def _evaluate(self) -> dict[str, object]:
        outputs = predict(
            self._module.cpu(), _sequences(self._splits.validation), torch.device("cpu"), carry_state=True
        )
        return evaluate(
            self.model.spec.name,
            outputs.numpy(),
            self._splits,
            resamples=self._plan.resamples,
            seed=self._plan.seed,
        )

    def _keep(self, training: Training) -> None:
        """Writes what the plan asks for after an epoch."""
        keeps = self._plan.checkpointing
        if keeps.best and training.is_best:
            write_atomic(self._folder / f"{self.model.stem}.safetensors", _weights(training.module))
        epoch = len(training.history)
        paths = [checkpoint.latest_path(self._folder, self.model.stem)] * keeps.latest
        if keeps.every and epoch % keeps.every == 0:
            paths.append(checkpoint.numbered_path(self._folder, self.model.stem, epoch))
        for path in paths:
            checkpoint.write(path, self._made_with, training.state_dict())

    def write(self) -> dict[str, object]:
        """Writes the trained model's files and returns its metrics."""
        model, splits, folder = self.model, self._splits, self._folder
        training, held_out = splits.training, splits.validation
        best = min(self.history, key=lambda epoch: epoch.validation_loss)
        weights = _weights(self._module)
        arrays = {"inputs": torch.from_numpy(held_out.inputs), "targets": torch.from_numpy(held_out.targets)}
        write_atomic(folder / f"{self.model.stem}.safetensors", weights)
        write_atomic(folder / f"{self.model.stem}.validation.safetensors", save(arrays))
        metrics: dict[str, object] = {
            "loss": model.loss,
            "best_epoch": best.epoch,
            "epochs": len(self.history),
            "training_loss": best.loss,
            "validation_loss": best.validation_loss,
            "constant_loss": constant_loss(model.loss, arrays["targets"]),
            "items": {"training": list(training.ids), "validation": list(held_out.ids)},
            "content_sha256": {"training": list(training.content_hashes), "validation": list(held_out.content_hashes)},
            "left_out": [list(entry) for entry in splits.left_out],
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "history": [described(epoch) for epoch in self.history],
        }
        if self._plan.export:
            exported = render(self._module.cpu())
            write_atomic(folder / f"{self.model.stem}.json", exported)
            metrics["export_sha256"] = hashlib.sha256(exported).hexdigest()
        if self._evaluation:
            metrics["evaluation"] = self._evaluation
        return metrics


def exported_files(stem: str) -> tuple[str, str]:
    """The names of a model's exported file and of its card."""
    return f"{stem}.json", f"{stem}.card.md"


def described(epoch: Epoch) -> dict[str, object]:
    """An epoch as metrics.json and progress tell of it: all but the time it took, which no other run has again."""
    return {key: value for key, value in asdict(epoch).items() if key != "seconds"}


def _sequences(items: Items) -> Sequences:
    return Sequences(*map(torch.from_numpy, (items.inputs, items.targets, items.item_of)))


def _weights(module: nn.Module) -> bytes:
    return save({key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()})
