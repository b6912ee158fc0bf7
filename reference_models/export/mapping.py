"""Which torch module becomes which RTNeural JSON layers: a table from module type to one small function.

A further layer type is one more function and one more line in `TABLE`. The functions take the module and the call that
was recorded of it, and raise Refusal where the format can't say what the module computes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn


class Refusal(Exception):
    """Why a module can't be expressed; whoever knows the module's name turns it into UnsupportedModule."""


@dataclass(frozen=True)
class Layer:
    """One layer of the file: its type, output size, weight arrays (float32, in the file's order) and activation."""

    type: str
    size: int
    weights: tuple[np.ndarray, ...] = ()
    activation: str = ""


@dataclass(frozen=True)
class Call:
    """One recorded call of a leaf module: its qualified name and the shape of the tensor that it was given."""

    name: str
    module: nn.Module
    input_shape: tuple[int, ...]
    time_major: bool


def _values(tensor: torch.Tensor, what: str) -> np.ndarray:
    array = tensor.detach().to(torch.float32).numpy()
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = list(map(int, bad[0]))
        raise Refusal(f"{what} has {len(bad)} values that aren't finite in float32, the first at {where}")
    return array


def _linear(module: nn.Linear, call: Call) -> list[Layer]:
    """weight (out, in) becomes [in][out]; a missing bias becomes zeros, since RTNeural requires one."""
    kernel = _values(module.weight, "weight").T
    bias = np.zeros(module.out_features, np.float32) if module.bias is None else _values(module.bias, "bias")
    return [Layer("dense", module.out_features, (kernel, bias))]


def _recurrent_arrays(module: nn.LSTM | nn.GRU, call: Call) -> list[tuple[np.ndarray, ...]]:
    """(W_ih, W_hh, b_ih, b_hh) of each stacked layer, with zeros for missing biases."""
    if module.bidirectional:
        raise Refusal("bidirectional=True, but RTNeural runs forward in time only")
    if module.proj_size:
        raise Refusal(f"proj_size={module.proj_size}, but RTNeural has no projection of the hidden state")
    if len(call.input_shape) == 3 and module.batch_first == call.time_major:
        raise Refusal(
            f"batch_first={module.batch_first} differs from the other recurrent modules, so it runs over frames"
        )
    layers = []
    for index in range(module.num_layers):
        names = [f"weight_ih_l{index}", f"weight_hh_l{index}"]
        kernel, recurrent = (_values(getattr(module, name), name) for name in names)
        biases = [np.zeros(len(kernel), np.float32)] * 2
        if module.bias:
            biases = [
                _values(getattr(module, f"bias_{kind}_l{index}"), f"bias_{kind}_l{index}") for kind in ("ih", "hh")
            ]
        layers.append((kernel, recurrent, *biases))
    return layers


def _lstm(module: nn.LSTM, call: Call) -> list[Layer]:
    """Gate order i, f, g, o is RTNeural's own; the two biases only ever act as their sum."""
    layers = []
    for kernel, recurrent, bias_ih, bias_hh in _recurrent_arrays(module, call):
        bias = _values(torch.from_numpy(bias_ih + bias_hh), "bias_ih + bias_hh")
        layers.append(Layer("lstm", module.hidden_size, (kernel.T, recurrent.T, bias)))
    return layers


def _gru(module: nn.GRU, call: Call) -> list[Layer]:
    """torch's rows are r, z, n and RTNeural's z, r, h; r scales the recurrent bias, so the two biases stay apart."""
    size = module.hidden_size
    order = np.r_[size : 2 * size, 0:size, 2 * size : 3 * size]
    return [
        Layer("gru", size, (kernel[order].T, recurrent[order].T, np.stack([bias_ih[order], bias_hh[order]])))
        for kernel, recurrent, bias_ih, bias_hh in _recurrent_arrays(module, call)
    ]


def _activation(name: str) -> Callable[[nn.Module, Call], list[Layer]]:
    return lambda module, call: [Layer("activation", call.input_shape[-1], (), name)]


def _softmax(module: nn.Softmax, call: Call) -> list[Layer]:
    if module.dim not in (-1, len(call.input_shape) - 1):
        raise Refusal(
            f"dim={module.dim} isn't the channel axis, but RTNeural's softmax runs over the channels of a frame"
        )
    return _activation("softmax")(module, call)


def _elu(module: nn.ELU, call: Call) -> list[Layer]:
    if module.alpha != 1.0:
        raise Refusal(f"alpha={module.alpha}, but the format has no place for an alpha other than 1")
    return _activation("elu")(module, call)


def _nothing(module: nn.Module, call: Call) -> list[Layer]:
    return []


class Rule(NamedTuple):
    """How a module type is written, and which of its attributes says how many channels it takes (None: any)."""

    convert: Callable[[nn.Module, Call], list[Layer]]
    width: str | None = None


TABLE: dict[type[nn.Module], Rule] = {
    nn.Linear: Rule(_linear, "in_features"),
    nn.LSTM: Rule(_lstm, "input_size"),
    nn.GRU: Rule(_gru, "input_size"),
    nn.Tanh: Rule(_activation("tanh")),
    nn.ReLU: Rule(_activation("relu")),
    nn.Sigmoid: Rule(_activation("sigmoid")),
    nn.Softmax: Rule(_softmax),
    nn.ELU: Rule(_elu),
    nn.Dropout: Rule(_nothing),
    nn.AlphaDropout: Rule(_nothing),
    nn.FeatureAlphaDropout: Rule(_nothing),
    nn.Identity: Rule(_nothing),
}


def rule_for(module: nn.Module) -> Rule | None:
    """The table's rule for a module, or None.

    A subclass counts as its base only while it keeps the base's forward(): a parametrized Linear does, a LoRA layer
    doesn't.
    """
    base = next((cls for cls in type(module).__mro__ if cls in TABLE), None)
    return TABLE[base] if base is not None and type(module).forward is base.forward else None


def fuse_activations(layers: list[Layer]) -> list[Layer]:
    """An activation right after a dense layer without one moves into it; behind others RTNeural would ignore it."""
    fused: list[Layer] = []
    for layer in layers:
        if layer.type == "activation" and fused and fused[-1].type == "dense" and not fused[-1].activation:
            fused[-1] = replace(fused[-1], activation=layer.activation)
        else:
            fused.append(layer)
    return fused
