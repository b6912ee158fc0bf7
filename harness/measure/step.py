"""The step that is timed: all the models of a set, fed by the documented data flow or each by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import five_models
from ..five_models import AUDIO
from ..selection import ModelCase


@dataclass(frozen=True)
class Step:
    """One step over one frame: `models` by name, and the `flow` that says where each takes its inputs from.

    `width` is the number of values in a frame of "audio", the step's own input.
    """

    models: Mapping[str, ModelCase]
    flow: tuple[Mapping[str, Any], ...]
    width: int

    def run(self, process: Mapping[str, Any], audio: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs `[N, out]` of each model over audio `[N, width]`; `process[name]` maps frames to outputs."""
        values = {AUDIO: audio}
        for stage in self.flow:
            values[stage["model"]] = process[stage["model"]](gather(stage["inputs"], values))
        del values[AUDIO]
        return values


def step_of(cases: Sequence[ModelCase]) -> Step:
    """The five-model step when the cases are the five models, else each model by itself on its own inputs."""
    by_file = {case.path.name: case for case in cases}
    files = {name: model["file"] for name, model in five_models.specs().items()}
    if set(files.values()) <= by_file.keys():
        models = {name: by_file[file] for name, file in files.items()}
        return Step(models, tuple(five_models.flow()), five_models.AUDIO_SIZE)
    models = {case.name: case for case in cases}
    flow = tuple(
        {"model": name, "inputs": [{"from": AUDIO, "begin": 0, "end": case.model.input_size}]}
        for name, case in models.items()
    )
    return Step(models, flow, max(case.model.input_size for case in cases))


def alone(name: str, case: ModelCase) -> Step:
    """One model by itself, on inputs of its own."""
    size = case.model.input_size
    return Step({name: case}, ({"model": name, "inputs": [{"from": AUDIO, "begin": 0, "end": size}]},), size)


def gather(inputs: Sequence[Mapping[str, Any]], values: Mapping[str, np.ndarray]) -> np.ndarray:
    """The inputs `[N, in]` of one stage: slices of what earlier stages gave, side by side, as float32."""
    slices = [values[source["from"]][:, source["begin"] : source["end"]] for source in inputs]
    return np.ascontiguousarray(np.concatenate(slices, axis=1), dtype=np.float32)
