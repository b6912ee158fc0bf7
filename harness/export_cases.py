"""Modules for exporters, and what a right export of each must come to. Needs torch."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import five_models
from .implementations.module_ref import ModuleRef
from .rtneural_json import Judgement, Model, budget

ZOO_FOLDER = Path(__file__).parent / "torch_zoo"
BLAMED = "blamed"
"""The qualified name of the part at fault in every module of the zoo that can't be expressed."""

LAYER_OF_MODULE = {"Linear": "dense", "LSTM": "lstm", "GRU": "gru"}


@dataclass(frozen=True)
class ExportCase:
    """One module by name: how to make it here and in the exporter's process."""

    name: str
    function: str
    arguments: Mapping[str, Any]

    @property
    def beyond_smoke(self) -> bool:
        """Whether the smoke profile leaves it out."""
        return self.function == "make_stack"

    def module(self) -> Any:
        """The torch module, in eval mode."""
        return getattr(zoo(), self.function)(**self.arguments)

    def reference(self, folder: Path, module: Any = None) -> ModuleRef:
        """The module as an exporter gets it: its factory, and its weights in a file in `folder`."""
        from safetensors.torch import save_file

        weights = folder / f"{self.name}.safetensors"
        save_file((module or self.module()).state_dict(), weights)
        return ModuleRef(f"{ZOO_NAME}:{self.function}", dict(self.arguments), weights, (str(ZOO_FOLDER),))

    def layer_types(self) -> set[str]:
        """The layer types of the format that the module's weights need."""
        names = {type(part).__name__ for part in self.module().modules()}
        return {LAYER_OF_MODULE[name] for name in names if name in LAYER_OF_MODULE}


ZOO_NAME = "rtc_torch_zoo"


@cache
def zoo() -> Any:
    """The module with the torch modules, imported by the one name that exporters import it by."""
    if str(ZOO_FOLDER) not in sys.path:
        sys.path.append(str(ZOO_FOLDER))
    return importlib.import_module(ZOO_NAME)


EXPRESSIBLE_NAMES = (
    *("dense", "dense-square", "dense-no-bias", "dense-five-activations", "dense-linear-end"),
    *("activation-first", "two-activations", "lstm", "lstm-square", "lstm-stacked", "lstm-relu-dense"),
    *("lstm-dense-lstm", "nested", "dropout-identity", "gru", "gru-square-dense"),
)
UNSUPPORTED_NAMES = (
    *("lstm-bidirectional", "lstm-projection", "rnn", "elu-alpha", "softmax-over-time"),
    *("gelu", "softplus", "layer-norm", "residual", "functional-tanh"),
)


def of_zoo(name: str) -> ExportCase:
    """A module of the zoo by its name there."""
    return ExportCase(name, "make", {"name": name, "seed": 7})


def expressible() -> list[ExportCase]:
    """Small modules of every kind, and the five reference models."""
    cases = [of_zoo(name) for name in EXPRESSIBLE_NAMES]
    for name, model in five_models.specs().items():
        cases.append(ExportCase(name.lower(), "make_stack", {"layers": model["layers"], "seed": 7}))
    return cases


def unsupported() -> list[ExportCase]:
    """Modules that must be refused, the part called `blamed` being to blame."""
    return [of_zoo(name) for name in UNSUPPORTED_NAMES]


def float64_outputs(module: Any, frames: np.ndarray) -> np.ndarray:
    """The module's own outputs `[T, out]` in float64 over frames `[T, in]`, weights as in float32."""
    import copy

    import torch

    with torch.no_grad():
        double = copy.deepcopy(module).double().eval()
        outputs = double(torch.from_numpy(frames.astype(np.float64))[None])
        if isinstance(outputs, tuple):  # of which a recurrent module's second part is its state
            outputs = outputs[0]
        return outputs[0].numpy()


def compared(module: Any, model: Model, frames: np.ndarray, seed: int = 0) -> Judgement:
    """An exported model by the oracle against its module's own forward in float64, over frames `[T, in]`.

    Raises ValueError if the outputs have another shape than the module's.
    """
    bound = budget(model, frames, seed=seed)
    return dataclasses.replace(bound, reference=float64_outputs(module, frames)).judge(bound.reference)


def input_size(module: Any) -> int:
    """Values per frame: the width of the first layer that has one."""
    for part in module.modules():
        for attribute in ("in_features", "input_size"):
            if hasattr(part, attribute):
                return getattr(part, attribute)
    raise ValueError(f"{type(module).__name__} has no layer with an input size")


def expected_numbers(module: Any) -> np.ndarray:
    """Every float32 that a right export holds, sorted: weights and biases, the two biases of an LSTM summed."""
    numbers = []
    for part in module.modules():
        kind = type(part).__name__
        if kind == "Linear":
            bias = np.zeros(part.out_features, np.float32) if part.bias is None else part.bias.detach().numpy()
            numbers += [part.weight.detach().numpy(), bias]
        elif kind in ("LSTM", "GRU"):
            values = {name: value.detach().numpy() for name, value in part.named_parameters()}
            for layer in range(part.num_layers):
                w_ih, w_hh, b_ih, b_hh = (
                    values[f"{k}_l{layer}"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                )
                numbers += [w_ih, w_hh, *([b_ih + b_hh] if kind == "LSTM" else [b_ih, b_hh])]
    return np.sort(np.concatenate([array.ravel() for array in numbers]) + np.float32(0.0))
