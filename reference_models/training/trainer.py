"""The reference trainer: a config in, weights, held-out items, RTNeural JSON, model cards and metrics out."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import ClassVar

import orjson
import torch

from ... import __version__
from ..atomic import write_atomic
from ..errors import ConfigError
from . import card, config as settings, history, provenance
from .distributed import is_first_process, local_device, processes
from .loop import Epoch
from .optimization import PRECISIONS
from .output import held
from .run import Run, described, load

Progress = Callable[[Mapping[str, object]], None]


class ReferenceTrainer:
    """The Trainer role: `declares`, and `train(config, out_dir)`."""

    declares: ClassVar = {
        "name": "reference-trainer",
        "version": __version__,
        "role": "trainer",
        "numeric_class": "f32",
        "layer_types": ["dense", "lstm"],
        "features": [
            *("deterministic", "early_stopping", "best_weights", "resume", "workers"),
            *("provenance", "model_card"),
        ],
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
    `out_dir` gets, for each model in lower case, `<name>.json` (RTNeural JSON) and its `<name>.card.md`, unless export
    is off, `<name>.safetensors` (torch state dict), both of the weights with the lowest validation loss,
    `<name>.validation.safetensors` (the held-out `inputs [N, T, in]` and `targets [N, T, out]`), checkpoints, and for
    all together `history.csv`, `history.svg` and `metrics.json`.
    `progress` gets {"model", "epoch", "loss", "validation_loss", "learning_rate"} after each epoch, one call at a time
    but from several threads; without it, lines go to stderr. One config gives the same weights on one machine, build
    of torch and number of threads, also when it was interrupted and resumed. Raises ConfigError and DataError, before
    anything is written, if the config, a data set's path or its content is wrong or a checkpoint doesn't fit, and
    ConfigError if the training diverges; WriteFailed if a file can't be written. Until the end `out_dir` is held: a
    second training into it is refused at once. In processes that torchrun started, only the first one writes and
    reports.
    """
    plan = settings.plan(config)
    device = local_device(_device(plan))
    folder = Path(out_dir)
    with held(folder) if is_first_process() else nullcontext():
        data = [load(model, plan) for model in plan.models]
        with _reproducible(plan.threads, device), processes(device) as together:
            pairs = zip(plan.models, data, strict=True)
            runs = [Run(model, plan, splits, folder, device, together) for model, splits in pairs]
            for run in runs if together.is_first else ():
                run.clear()
            # Processes have to meet over one model at a time.
            at_once = plan.parallel_models if together.count == 1 else 1
            _train_all(runs, at_once, progress or _stderr_lines(plan.log_seconds))
            metrics = _write(runs, plan, folder, device, together.count) if together.is_first else {}
            return together.from_first(metrics)


def _device(plan: settings.Plan) -> torch.device:
    name = plan.device
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(candidate for candidate in ("cuda", "mps", "cpu") if usable[candidate])
    if not usable[name]:
        found = ", ".join(candidate for candidate, there in usable.items() if there)
        raise ConfigError(f"$.device: expected one of auto, {found}, which torch finds on this machine, found {name!r}")
    precision = plan.models[0].precision
    if precision not in PRECISIONS[name]:
        known = ", ".join(PRECISIONS[name])
        raise ConfigError(
            f"$.training.precision: expected one of {known}, as the device is {name}, found {precision!r}"
        )
    return torch.device(name)


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


def _train_all(runs: Sequence[Run], at_once: int, report: Progress) -> None:
    """Trains the models, some at once: two threads with a model each do more than one model on two threads."""
    stop, turn = threading.Event(), threading.Lock()

    def on_epoch(name: str, epoch: Epoch) -> None:
        if stop.is_set():
            raise CancelledError
        with turn:
            report({"model": name, **described(epoch)})

    with ThreadPoolExecutor(at_once) as pool:
        waiting = [pool.submit(run.train, partial(on_epoch, run.model.spec.name)) for run in runs]
        try:
            for done in as_completed(waiting):
                done.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _write(
    runs: Sequence[Run], plan: settings.Plan, folder: Path, device: torch.device, count: int
) -> dict[str, object]:
    """Writes what a run leaves, metrics.json last, and returns the metrics."""
    models = {run.model.spec.name: run.write() for run in runs}
    histories = {run.model.spec.name: run.history for run in runs}
    constants = {name: found["constant_loss"] for name, found in models.items()}
    metrics = {
        "models": models,
        "seed": plan.seed,
        "device": str(device),
        "processes": count,
        "torch": str(torch.__version__),
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "git": provenance.git(Path(__file__).resolve()),
        "config": plan.config,
        "config_sha256": plan.config_sha256,
    }
    text = orjson.dumps(metrics, option=orjson.OPT_INDENT_2)
    metrics = orjson.loads(text)  # what is returned is what is written: JSON has null where a measure has no number
    for run in runs if plan.export else ():
        write_atomic(folder / f"{run.model.stem}.card.md", card.render(metrics, run.model.spec.name).encode())
    write_atomic(folder / "history.csv", history.table(histories).encode())
    write_atomic(folder / "history.svg", history.plot(histories, constants).encode())
    write_atomic(folder / "metrics.json", text + b"\n")
    return metrics


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
