"""What a loader's outputs are compared with, computed once per run however many loaders there are."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from . import five_models, signals
from .five_models import AUDIO
from .judging import check
from .measure.step import gather
from .paths import FIXTURES
from .rtneural_json import oracle
from .rtneural_json.budget import Budget, budget
from .rtneural_json.numeric_classes import numeric_classes
from .selection import ModelCase

RECORDING = FIXTURES / "audio" / "features.safetensors"
CACHE_SIZE = 512
"""More than the stored models and signals make, so that nothing is computed twice in one process."""

_budgets: dict[tuple, Budget] = {}


def budget_of(case: ModelCase, frames: np.ndarray, numeric_class: str, seed: int) -> Budget:
    """The oracle's outputs and error budget of a model file over frames `[T, in]`.

    Raises RequirementFailed for a numeric class that isn't one.
    """
    check_class(numeric_class)
    key = (_sha256(case.path.read_bytes()), _sha256(frames), numeric_class, seed)
    if key not in _budgets:
        if len(_budgets) >= CACHE_SIZE:
            _budgets.clear()
        _budgets[key] = budget(case.model, frames, numeric_class=numeric_class, seed=seed)
    return _budgets[key]


def check_class(numeric_class: str) -> None:
    """Raises RequirementFailed for a numeric class that isn't one."""
    known = numeric_classes()
    check(numeric_class in known, f"no numeric class is called {numeric_class!r}", expected=", ".join(known))


def _sha256(content: bytes | np.ndarray) -> bytes:
    return hashlib.sha256(content).digest()


@lru_cache(maxsize=1)
def recording() -> np.ndarray:
    """The stored features `[T, 128]` of the recordings in fixtures/audio, one after the other."""
    from safetensors.numpy import load_file

    return load_file(RECORDING)[AUDIO]


@lru_cache(maxsize=8)
def flow_outputs(folder: Path) -> dict[str, np.ndarray]:
    """The oracle's outputs `[T, out]` of each of the five models of a folder over the recordings, by name."""
    return data_flow(folder, recording())


def data_flow(folder: Path, audio: np.ndarray) -> dict[str, np.ndarray]:
    """The same over features `[T, 128]`, and the features themselves."""
    values = {AUDIO: audio}
    for stage in five_models.flow():
        case = ModelCase(stage["model"], folder / five_models.specs()[stage["model"]]["file"])
        values[stage["model"]] = oracle.evaluate(case.model, gather(stage["inputs"], values))
    return values


def flow_inputs(case: ModelCase) -> np.ndarray:
    """What one of the five models is fed `[T, in]` when the recordings go through the data flow.

    Raises KeyError for a file that is none of the five.
    """
    name = next(name for name, model in five_models.specs().items() if model["file"] == case.path.name)
    stage = next(stage for stage in five_models.flow() if stage["model"] == name)
    return gather(stage["inputs"], flow_outputs(case.path.parent))


@lru_cache(maxsize=16)
def over_periods(case: ModelCase, period: int, periods: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(frames `[T, in]`, the oracle's outputs `[T, out]`) of as many periods as asked for, all of the same frames.

    One of the five is fed with the beginning of what it gets in the data flow, another model with noise.
    """
    if is_one_of_five(case):
        frames = flow_inputs(case)[:period]
    else:
        frames = signals.noise(period, case.model.input_size, seed=seed)
    frames = np.tile(frames, (periods, 1))
    return frames, oracle.evaluate(case.model, frames)


def is_one_of_five(case: ModelCase) -> bool:
    """Whether a file has the name of one of the five models, and the other four lie beside it."""
    files = {model["file"] for model in five_models.specs().values()}
    return case.path.name in files and all((case.path.parent / file).is_file() for file in files)


def activation_case(activation: str, channels: int, folder: Path) -> ModelCase:
    """A stored model that is one activation layer, written into a folder."""
    path = folder / f"{activation}.json"
    layer = {"type": "activation", "activation": activation, "shape": [None, None, channels], "weights": []}
    path.write_text(json.dumps({"in_shape": [None, None, channels], "layers": [layer]}), encoding="utf-8")
    return ModelCase(activation, path)
