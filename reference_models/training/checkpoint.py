"""Checkpoints: all that the rest of a model's training depends on, in one file that is there whole or not at all.

A checkpoint names what it was made with. It is refused where any of that is different, since what comes of going on
would be neither the old run's result nor the new one's.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import asdict
from pathlib import Path

import torch

from ... import __version__
from ..atomic import write_atomic
from ..data import Splits
from ..errors import ConfigError
from .config import ModelPlan, Plan
from .schema import PER_MODEL

FORMAT = 1
_AFRESH = "set it back, or train afresh: without resume, or in another folder"


def origin(model: ModelPlan, plan: Plan, splits: Splits, device: torch.device, processes: int) -> dict[str, object]:
    """Everything besides the epoch that decides a model's weights, by JSON path or name.

    How many epochs are planned is part of it only where the learning rate depends on that.
    """
    path, values = f"$.models.{model.spec.name}", asdict(model)
    counted = {*PER_MODEL, "loss"} - ({"epochs"} if model.schedule.kind != "cosine" else set())
    return {
        "the format of checkpoints": FORMAT,
        "the version of rtconform": __version__,
        "the version of torch": str(torch.__version__),
        "$.seed": plan.seed,
        **{f"{path}.{key}": values[key] for key in sorted(counted)},
        **{f"$.training.schedule.{key}": value for key, value in values["schedule"].items()},
        **{f"$.training.early_stopping.{key}": value for key, value in values["early_stopping"].items()},
        "$.training.precision": model.precision,
        "$.training.threads": plan.threads,
        "$.device": device.type,
        "the number of processes": processes,
        f"the sha256 of the data in {model.dataset_path}": _data_digest(splits),
    }


def _data_digest(splits: Splits) -> str:
    digest = hashlib.sha256()
    for side in (splits.training, splits.validation):
        for array in (side.inputs, side.targets, side.item_of):
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def latest_path(folder: Path, stem: str) -> Path:
    """Where the checkpoint of the last whole epoch is written."""
    return folder / f"{stem}.checkpoint.pt"


def numbered_path(folder: Path, stem: str, epoch: int) -> Path:
    """Where the checkpoint of one epoch is kept."""
    return folder / f"{stem}.checkpoint-{epoch:04}.pt"


def write(path: Path, made_with: dict[str, object], state: dict[str, object]) -> None:
    """Writes a checkpoint, atomically; tensors, numbers, texts, lists and mappings of them may be in `state`."""
    stream = io.BytesIO()
    torch.save({"made_with": made_with, "state": state}, stream)
    write_atomic(path, stream.getvalue())


def read(folder: Path, model: ModelPlan, made_with: dict[str, object]) -> dict[str, object] | None:
    """The state of the furthest checkpoint of a model, None if there is none.

    Raises ConfigError if it was made with anything else than `made_with`, has gone further than the epochs of `model`,
    or can't be read.
    """
    found = _found(folder, model.stem)
    if not found:
        return None
    path = found[-1]
    try:
        saved = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
        before, state, done = saved["made_with"], saved["state"], len(saved["state"]["history"])
    except Exception as error:
        raise ConfigError(
            f"$.resume: expected a checkpoint in {path}, found none that can be read ({type(error).__name__}); remove "
            "the file, or train afresh without resume"
        ) from None
    for what in (*made_with, *(key for key in before if key not in made_with)):
        if before.get(what) != made_with.get(what):
            raise ConfigError(
                f"{what}: expected {before.get(what)!r}, with which {path} was made, found {made_with.get(what)!r}; "
                f"{_AFRESH}"
            )
    if done > model.epochs:
        raise ConfigError(
            f"$.models.{model.spec.name}.epochs: expected at least {done}, which {path} has behind it, found "
            f"{model.epochs}; {_AFRESH}"
        )
    return state


def discard(folder: Path, stem: str) -> None:
    """Removes the checkpoints of a model that an earlier run left."""
    for path in _found(folder, stem):
        path.unlink()


def sweep(folder: Path, stem: str) -> None:
    """Removes what a killed run was writing of a model when it ended."""
    for path in folder.glob(f".{stem}.*.tmp"):
        path.unlink(missing_ok=True)


def _found(folder: Path, stem: str) -> list[Path]:
    """A model's checkpoints, the furthest last: the latest goes on with whatever the numbered ones were on the way."""
    numbered = [path for path in folder.glob(f"{stem}.checkpoint-*.pt") if re.search(r"-\d+\.pt$", path.name)]
    latest = latest_path(folder, stem)
    return sorted(numbered, key=lambda path: int(path.stem.rpartition("-")[2])) + [latest] * latest.is_file()
