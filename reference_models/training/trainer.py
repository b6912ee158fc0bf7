"""The reference trainer: a config in, weights, held-out items, RTNeural JSON and metrics out."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import orjson
import torch
from safetensors.torch import save
from torch import nn

from ... import __version__
from ..atomic import write_atomic
from ..data import Items, Splits, load_dataset
from ..errors import ConfigError, DataError
from ..export import render
from ..models import StreamingSequential, build_from_spec
from . import config as settings
from .loop import Diverged, Epoch, Sequences, fit
from .losses import check_targets, constant_loss

Progress = Callable[[Mapping[str, object]], None]


class ReferenceTrainer:
    """The Trainer role: `declares`, and `train(config, out_dir)`."""

    declares: ClassVar = {
        "name": "reference-trainer",
        "version": __version__,
        "role": "trainer",
        "numeric_class": "f32",
        "layer_types": ["dense", "lstm"],
        "features": ["deterministic", "early_stopping", "best_weights"],
    }

    def train(
        self, config: Mapping[str, object], out_dir: str | os.PathLike[str], progress: Progress | None = None
    ) -> dict[str, object]:
        """See `train`."""
        return train(config, out_dir, progress)


def reference_trainer() -> ReferenceTrainer:
    """The entry point `reference-trainer`."""
    return ReferenceTrainer()


def train(
    config: Mapping[str, object], out_dir: str | os.PathLike[str], progress: Progress | None = None
) -> dict[str, object]:
    """Trains the models that the config names and returns the metrics, which are also written.

    `config` is the JSON value, which needs to say only what differs from reference_models/config.json; relative paths
    of data sets start at the working folder, and `bundled:NAME` is a data set that comes with the package.
    `out_dir` gets, for each model in lower case, `<name>.json` (RTNeural JSON, unless export is off),
    `<name>.safetensors` (torch state dict), both of the weights with the lowest validation loss,
    `<name>.validation.safetensors` (the held-out `inputs [N, T, in]` and `targets [N, T, out]`), and `metrics.json`.
    `progress` gets {"model", "epoch", "loss", "validation_loss"} after each epoch, one call at a time but from several
    threads; without it, lines go to stderr. One config gives the same weights on one machine, build of torch and
    number of threads. Raises ConfigError and DataError, before anything is written, if the config, a data set's path
    or its content is wrong, and ConfigError if the training diverges.
    """
    plan = settings.plan(config)
    device = _device(plan.device)
    data = {model.spec.name: _load(model, plan) for model in plan.models}
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    runs = [_prepare(model, plan, data[model.spec.name], device) for model in plan.models]
    with _reproducible(plan.threads, device):
        _fit_all(runs, plan, folder, progress or _stderr_lines(plan.log_seconds))
        models = {run.model.spec.name: _write(run, plan, folder) for run in runs}
    metrics = {
        "models": models,
        "seed": plan.seed,
        "device": str(device),
        "torch": torch.__version__,
        "config_sha256": hashlib.sha256(orjson.dumps(plan.config, option=orjson.OPT_SORT_KEYS)).hexdigest(),
    }
    write_atomic(folder / "metrics.json", orjson.dumps(metrics, option=orjson.OPT_INDENT_2) + b"\n")
    return metrics


def _device(name: str) -> torch.device:
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(candidate for candidate in ("cuda", "mps", "cpu") if usable[candidate])
    if not usable[name]:
        found = ", ".join(candidate for candidate, there in usable.items() if there)
        raise ConfigError(f"$.device: expected one of auto, {found}, which torch finds on this machine, found {name!r}")
    return torch.device(name)


def _load(model: settings.ModelPlan, plan: settings.Plan) -> Splits:
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


@contextmanager
def _reproducible(threads: int, device: torch.device) -> Iterator[None]:
    """Deterministic kernels and a fixed number of threads, both put back afterwards."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    if device.type == "cuda":
        # cuBLAS is deterministic only with a workspace of its own, chosen before its first use.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def _model_seed(seed: int, name: str) -> int:
    """One seed per model, so that training it alone gives what training all gives."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:7], "big")


@dataclass
class _Run:
    """One model on its way: the module, its data, and its history once it is trained."""

    model: settings.ModelPlan
    splits: Splits
    module: StreamingSequential
    device: torch.device
    seed: int
    history: list[Epoch] = field(default_factory=list)

    @property
    def stem(self) -> str:
        return self.model.spec.name.lower()


def _prepare(model: settings.ModelPlan, plan: settings.Plan, splits: Splits, device: torch.device) -> _Run:
    seed = _model_seed(plan.seed, model.spec.name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build_from_spec(model.spec)
    return _Run(model, splits, module.to(device), device, seed)


def _fit_all(runs: list[_Run], plan: settings.Plan, folder: Path, report: Progress) -> None:
    """Trains the models, some at once: two threads with a model each do more than one model on two threads."""
    stop, turn = threading.Event(), threading.Lock()

    def on_epoch(name: str, epoch: Epoch) -> None:
        if stop.is_set():
            raise CancelledError
        with turn:
            report({"model": name, **asdict(epoch)})

    with ThreadPoolExecutor(plan.parallel_models) as pool:
        waiting = [pool.submit(_fit, run, plan, folder, partial(on_epoch, run.model.spec.name)) for run in runs]
        try:
            for done in as_completed(waiting):
                done.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _fit(run: _Run, plan: settings.Plan, folder: Path, on_epoch: Callable[[Epoch], None]) -> None:
    def on_best(best: nn.Module) -> None:
        if plan.checkpoint_best:
            write_atomic(folder / f"{run.stem}.safetensors", _weights(best))

    try:
        run.history = fit(
            run.module,
            run.model,
            plan.early_stopping,
            _sequences(run.splits.training, run.device),
            _sequences(run.splits.validation, run.device),
            seed=run.seed,
            on_epoch=on_epoch,
            on_best=on_best,
        )
    except Diverged as error:
        raise ConfigError(
            f"$.models.{run.model.spec.name}.learning_rate: expected one with which training converges, found that "
            f"with {run.model.learning_rate} {error}; lower it"
        ) from None


def _write(run: _Run, plan: settings.Plan, folder: Path) -> dict[str, object]:
    """Writes a trained model's files and returns its metrics."""
    model, held_out = run.model, run.splits.validation
    best = min(run.history, key=lambda epoch: epoch.validation_loss)
    weights = _weights(run.module)
    arrays = {"inputs": torch.from_numpy(held_out.inputs), "targets": torch.from_numpy(held_out.targets)}
    write_atomic(folder / f"{run.stem}.safetensors", weights)
    write_atomic(folder / f"{run.stem}.validation.safetensors", save(arrays))
    if plan.export:
        write_atomic(folder / f"{run.stem}.json", render(run.module))
    return {
        "loss": model.loss,
        "best_epoch": best.epoch,
        "epochs": len(run.history),
        "training_loss": best.loss,
        "validation_loss": best.validation_loss,
        "constant_loss": constant_loss(model.loss, arrays["targets"]),
        "items": {"training": list(run.splits.training.ids), "validation": list(held_out.ids)},
        "left_out": [list(entry) for entry in run.splits.left_out],
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "history": [asdict(epoch) for epoch in run.history],
    }


def _sequences(items: Items, device: torch.device) -> Sequences:
    return Sequences(torch.from_numpy(items.inputs).to(device), torch.from_numpy(items.targets).to(device))


def _weights(module: nn.Module) -> bytes:
    return save({key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()})


def _stderr_lines(seconds: float) -> Progress:
    """A line for a model's first epoch, then at most one per `seconds`."""
    last = {"model": None, "time": 0.0}

    def report(state: Mapping[str, object]) -> None:
        now = time.monotonic()
        if state["model"] != last["model"] or now - last["time"] >= seconds:
            last.update(model=state["model"], time=now)
            print(
                f"{state['model']}: epoch {state['epoch']}, loss {state['loss']:.5f}, "
                f"validation {state['validation_loss']:.5f}",
                file=sys.stderr,
                flush=True,
            )

    return report
