"""The five reference models as data: what `fixtures/models/specs.json` says, read into frozen values.

The file is the one place that knows layer sizes, parameter counts, the flow between the models and the errata of
the published totals; Python and C++ both read it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SPECS_FILE = FIXTURES / "models" / "specs.json"


@dataclass(frozen=True)
class LayerSpec:
    """One layer: `type` is dense or lstm, `activation` is "" where the format carries none."""

    type: str
    input: int
    output: int
    activation: str


@dataclass(frozen=True)
class Fallback:
    """What stands in for a model that is missing, broken or switched off."""

    fill: float
    meaning: str
    one_hot: int | None = None

    def values(self, size: int) -> np.ndarray:
        """The stand-in outputs, float32 `[size]`."""
        values = np.full(size, self.fill, np.float32)
        if self.one_hot is not None:
            values[self.one_hot] = 1.0
        return values


@dataclass(frozen=True)
class ModelSpec:
    """One model; `parameters_torch` counts two bias vectors per LSTM, `parameters_rtneural` one."""

    name: str
    file: str
    input_size: int
    output_size: int
    layers: tuple[LayerSpec, ...]
    parameters_torch: int
    parameters_rtneural: int
    output_range: tuple[float, float]
    outputs: str
    loss: str
    fallback: Fallback


@dataclass(frozen=True)
class Source:
    """The part `[begin, end)` of the audio features or of an earlier model's outputs."""

    origin: str
    begin: int
    end: int


@dataclass(frozen=True)
class FlowStep:
    """One model of the step and the parts whose concatenation is its input."""

    model: str
    inputs: tuple[Source, ...]


@dataclass(frozen=True)
class Specs:
    """The whole file. `flow` is in the order in which one step evaluates the models."""

    models: dict[str, ModelSpec]
    flow: tuple[FlowStep, ...]
    parameters_torch: int
    parameters_rtneural: int


def _model(name: str, entry: dict) -> ModelSpec:
    return ModelSpec(
        name=name,
        **{key: entry[key] for key in ("file", "input_size", "output_size", "outputs", "loss")},
        layers=tuple(LayerSpec(**layer) for layer in entry["layers"]),
        parameters_torch=entry["parameters_torch"],
        parameters_rtneural=entry["parameters_rtneural"],
        output_range=tuple(entry["output_range"]),
        fallback=Fallback(**entry["fallback"]),
    )


def _step(entry: dict) -> FlowStep:
    return FlowStep(entry["model"], tuple(Source(part["from"], part["begin"], part["end"]) for part in entry["inputs"]))


@cache
def load_specs(path: Path = SPECS_FILE) -> Specs:
    """Reads the specs file; raises OSError if it can't be read and ValueError if its version is another one."""
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    if document.get("version") != 1:
        raise ValueError(f"{path}: $.version: expected 1, found {document.get('version')!r}")
    return Specs(
        models={name: _model(name, entry) for name, entry in document["models"].items()},
        flow=tuple(_step(entry) for entry in document["flow"]),
        parameters_torch=document["totals"]["parameters_torch"],
        parameters_rtneural=document["totals"]["parameters_rtneural"],
    )


def model_spec(name: str) -> ModelSpec:
    """The spec of one of the five; raises KeyError with the known names for another name."""
    models = load_specs().models
    if name not in models:
        raise KeyError(f"no reference model is called {name!r}; there are {', '.join(models)}")
    return models[name]
