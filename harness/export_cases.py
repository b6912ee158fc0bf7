"""Modules for exporters, and what a right export of each must come to. Needs torch."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import five_models
from .implementations.module_ref import ModuleRef
from .rtneural_json import Budget, Judgement, Model

ZOO_FOLDER = Path(__file__).parent / "torch_zoo"
BLAMED = "blamed"
"""The qualified name of the part at fault in every module of the zoo that can't be expressed."""

LAYER_OF_MODULE = {
    "Linear": "dense",
    "LSTM": "lstm",
    "GRU": "gru",
    "Conv1d": "conv1d",
    "Conv2d": "conv2d",
    "BatchNorm1d": "batchnorm",
    "BatchNorm2d": "batchnorm2d",
    "PReLU": "prelu",
    "LeakyReLU": "prelu",
}
PARAMETRIZED = "Parametrized"
"""What torch puts in front of the class name of a module whose weights are computed from others."""


@dataclass(frozen=True)
class ExportCase:
    """One module by name: how to make it here and in the exporter's process."""

    name: str
    function: str
    arguments: Mapping[str, Any]
    beyond_smoke: bool = False
    """Whether the smoke profile leaves it out."""

    def module(self) -> Any:
        """The torch module, in eval mode."""
        return getattr(zoo(), self.function)(**self.arguments)

    def reference(self, folder: Path, module: Any = None) -> ModuleRef:
        """The module as an exporter gets it: its factory, and its weights in a file in `folder`."""
        from safetensors.torch import save_file

        weights = folder / f"{self.name}.safetensors"
        save_file((module or self.module()).state_dict(), weights)
        return self.stored(weights)

    def stored(self, weights: Path) -> ModuleRef:
        """The module with the weights of a safetensors file."""
        return ModuleRef(f"{ZOO_NAME}:{self.function}", dict(self.arguments), weights, (str(ZOO_FOLDER),))

    @cached_property
    def layer_types(self) -> set[str]:
        """The layer types of the format that the module's weights need."""
        names = {_kind(part) for part in self.module().modules()}
        return {LAYER_OF_MODULE[name] for name in names if name in LAYER_OF_MODULE}


def _kind(part: Any) -> str:
    return type(part).__name__.removeprefix(PARAMETRIZED)


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
    *("lstm-dense-lstm", "nested", "dropout-identity", "gru", "gru-square-dense", "gru-stacked", "recurrent-no-bias"),
    *("reordered", "weight-norm", "leaky-relu", "prelu", "conv1d", "conv1d-dilated", "conv1d-groups"),
    *("conv1d-lstm-dense", "batchnorm", "batchnorm-not-affine", "conv2d", "conv2d-batchnorm2d"),
)
FURTHER_NAMES = (
    *("moved", "moved-by-modules", "shared", "dropouts", "lstm-time-major", "lstm-tuple", "gru-zero-state"),
    *("unbatched", "unbatched-channels-first", "unbatched-one-channel", "softmax-channels-first"),
    *("prelu-one-of-many", "conv1d-channels-first", "conv1d-unpadded", "conv1d-both-sides", "conv1d-same-cut"),
    *("conv1d-joined-history", "conv1d-valid", "conv1d-twice", "conv2d-alone", "conv2d-prelu", "conv2d-strided"),
    *("conv2d-same", "conv2d-same-behind"),
)
"""Other ways to write modules whose kinds are there already; left out of the smoke profile."""

ONE_OF_EACH = ("dense", "lstm-stacked", "gru", "conv1d-groups", "conv2d", "batchnorm", "prelu", "lstm-relu-dense")
CHANGING_NAMES = ("weight-norm", "shared", "conv1d-twice", "conv2d-prelu")
CHAIN_NAMES = (
    *("dense-five-activations", "lstm-relu-dense", "lstm-stacked", "gru-square-dense"),
    *("conv1d-dilated", "conv1d-lstm-dense", "batchnorm", "prelu"),
)
ONE_CHAIN_EACH = ("dense-five-activations", "lstm-relu-dense")
UNSUPPORTED_NAMES = (
    *("lstm-bidirectional", "lstm-projection", "rnn", "elu-alpha", "softmax-over-time"),
    *("gelu", "softplus", "selu", "layer-norm", "residual", "functional-tanh", "max-pool"),
    *("conv1d-stride", "conv1d-padding", "conv1d-padding-same", "conv1d-circular", "batchnorm-of-the-moment"),
)
FURTHER_UNSUPPORTED_NAMES = (
    *("lstm-over-the-batch", "lstm-state-given", "lstm-late", "softmax-any-dim", "softmax-over-time-of-one"),
    *("softmax-part", "padding-of-ones", "padding-replicated", "padding-too-long", "padding-behind-unpadded"),
    *("padding-without-convolution", "joined-with-others", "frames-reversed", "frames-exchanged", "frames-dropped"),
    *("channels-dropped", "last-frame", "scaled-before", "scaled-in-place", "scaled-behind", "doubled", "hooked"),
    *("conv2d-stride", "conv2d-dilation", "conv2d-padding", "conv2d-padding-uneven", "conv2d-padding-behind"),
    *("conv2d-groups", "conv2d-batchnorm-of-the-moment", "batchnorm-of-groups", "prelu-of-groups"),
    *("gelu-alone", "embedding"),
)
"""Further mistakes of the same kinds; left out of the smoke profile."""


def of_zoo(name: str) -> ExportCase:
    """A module of the zoo by its name there."""
    return ExportCase(name, "make", {"name": name, "seed": 7}, name in FURTHER_NAMES + FURTHER_UNSUPPORTED_NAMES)


def of_five(name: str) -> ExportCase:
    """A module built as one of the five reference models is, called as its file."""
    arguments = {"layers": five_models.specs()[name]["layers"], "seed": 7}
    return ExportCase(name.lower(), "make_stack", arguments, beyond_smoke=True)


def of_parts(parts: list[list[Any]], seed: int) -> ExportCase:
    """A chain of parts, as the strategy `module_parts` draws them."""
    return ExportCase("drawn", "make_parts", {"parts": parts, "seed": seed})


def expressible() -> list[ExportCase]:
    """Small modules of every kind, and the five reference models."""
    return [*map(of_zoo, EXPRESSIBLE_NAMES + FURTHER_NAMES), *map(of_five, five_models.specs())]


def of_each_kind() -> list[ExportCase]:
    """The same, of which the smoke profile has one for each layer type: for what shows at any module."""
    return [dataclasses.replace(case, beyond_smoke=case.name not in ONE_OF_EACH) for case in expressible()]


def of_chains() -> list[ExportCase]:
    """A few modules, each with more layers than one, of which the smoke profile has two."""
    return [dataclasses.replace(of_zoo(name), beyond_smoke=name not in ONE_CHAIN_EACH) for name in CHAIN_NAMES]


def with_stored_weights() -> list[ExportCase]:
    """Those of which the file holds each number once, and none that is computed, where the last bit depends on how."""
    return [case for case in expressible() if case.name not in CHANGING_NAMES]


def unsupported() -> list[ExportCase]:
    """Modules that must be refused, the part called `blamed` being to blame."""
    return [of_zoo(name) for name in UNSUPPORTED_NAMES + FURTHER_UNSUPPORTED_NAMES]


def compared(reference: np.ndarray, bound: Budget) -> Judgement:
    """An exported model by the oracle, whose budget is given, against the outputs of its module's own forward.

    Where convolutions without padding have no output for the first frames, the others are compared. Raises ValueError
    if the outputs have another shape than the module's.
    """
    skipped = len(bound.reference) - len(reference)
    kept = slice(max(skipped, 0), None)
    expected = dataclasses.replace(bound, reference=reference, spread=bound.spread[kept], bound=bound.bound[kept])
    return expected.judge(bound.reference[kept])


def input_size(module: Any) -> int:
    """Values per frame: what an example [B, filters, T, features] says, else the width of the first layer with one."""
    example = getattr(module, "example_input_array", None)
    if example is not None:
        return example.shape[1] * example.shape[3]
    for part in module.modules():
        for attribute in ("in_features", "input_size", "in_channels"):
            if hasattr(part, attribute):
                return getattr(part, attribute)
    raise ValueError(f"{type(module).__name__} has no layer with an input size")


def numbers_of(model: Model) -> np.ndarray:
    """Every float32 of a file, sorted, and -0 as 0; none of one that has activations alone."""
    arrays = [array.ravel() for layer in model.layers for array in layer.arrays.values()]
    return np.sort(np.concatenate([np.empty(0, np.float32), *arrays]) + np.float32(0.0))


def expected_numbers(module: Any) -> np.ndarray:
    """Every float32 that a right export holds, sorted: weights, biases, statistics; the biases of an LSTM summed."""
    numbers = [array.ravel() for part in module.modules() for array in _numbers_of(part)]
    return np.sort(np.concatenate(numbers) + np.float32(0.0))


def _numbers_of(part: Any) -> list[np.ndarray]:
    kind = _kind(part)
    if kind in ("Linear", "Conv1d", "Conv2d"):
        outputs = part.out_features if kind == "Linear" else part.out_channels
        return [_array(part.weight), np.zeros(outputs, np.float32) if part.bias is None else _array(part.bias)]
    if kind in ("BatchNorm1d", "BatchNorm2d"):
        affine = [_array(part.weight), _array(part.bias)] if part.affine else []
        return [*affine, _array(part.running_mean), _array(part.running_var)]
    if kind == "PReLU":
        return [_array(part.weight)]
    if kind == "LeakyReLU":
        return [np.array([part.negative_slope], np.float32)]
    if kind not in ("LSTM", "GRU"):
        return []
    numbers = []
    for layer in range(part.num_layers):
        numbers += [_array(getattr(part, f"weight_{which}_l{layer}")) for which in ("ih", "hh")]
        gates = numbers[-1].shape[0]
        b_ih, b_hh = (
            _array(getattr(part, f"bias_{which}_l{layer}")) if part.bias else np.zeros(gates, np.float32)
            for which in ("ih", "hh")
        )
        numbers += [b_ih + b_hh] if kind == "LSTM" else [b_ih, b_hh]
    return numbers


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().numpy()
