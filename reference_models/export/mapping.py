"""Which torch module becomes which RTNeural JSON layers: a table from module type to one small function.

A further layer type is one more function and one more line in `TABLE`. The functions take the module and the call that
was recorded of it, and raise Refusal where the format can't say what the module computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from . import placing
from .placing import Refusal, Signal


@dataclass(frozen=True)
class Layer:
    """One layer of the file: its type, output size, weight arrays (float32, in the file's order) and further keys."""

    type: str
    size: int
    weights: tuple[np.ndarray, ...] = ()
    activation: str = ""
    keys: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One recorded call of a leaf module: its qualified name, and how many channels a frame had before and behind.

    `padding` is the format's word for the padding of a conv2d along its features.
    """

    name: str
    module: nn.Module
    inputs: int
    outputs: int
    padding: str


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


def _bias(module: nn.Conv1d | nn.Conv2d) -> np.ndarray:
    return np.zeros(module.out_channels, np.float32) if module.bias is None else _values(module.bias, "bias")


def _conv1d(module: nn.Conv1d, call: Call) -> list[Layer]:
    """weight (out, in / groups, K) becomes [K][in / groups][out], unflipped: torch correlates, as RTNeural does."""
    kernel = _values(module.weight, "weight").transpose(2, 1, 0)
    keys = {"kernel_size": module.kernel_size[0], "dilation": module.dilation[0], "groups": module.groups}
    return [Layer("conv1d", call.outputs, (kernel, _bias(module)), keys=keys)]


def _conv2d(module: nn.Conv2d, call: Call) -> list[Layer]:
    """weight (out, in, Kt, Kf), the first axis of the kernel being time, becomes [Kt][Kf][in][out]."""
    if module.groups != 1:
        raise Refusal(f"groups={module.groups}, but RTNeural's conv2d has no groups")
    kernel = _values(module.weight, "weight").transpose(2, 3, 1, 0)
    keys = {
        "kernel_size_time": module.kernel_size[0],
        "kernel_size_feature": module.kernel_size[1],
        "dilation": module.dilation[0],
        "strides": module.stride[1],
        "num_filters_in": module.in_channels,
        "num_features_in": call.inputs // module.in_channels,
        "num_filters_out": module.out_channels,
        "padding": call.padding,
    }
    return [Layer("conv2d", call.outputs, (kernel, _bias(module)), keys=keys)]


def _batch_norm(module: nn.BatchNorm1d | nn.BatchNorm2d, call: Call) -> list[Layer]:
    """Its eps is no part of the state_dict, and num_batches_tracked no part of the file."""
    if module.running_mean is None or module.running_var is None:
        raise Refusal("track_running_stats=False, so it normalises by the frames at hand, which RTNeural can't")
    names = ["weight", "bias"] if module.affine else []
    arrays = tuple(_values(getattr(module, name), name) for name in (*names, "running_mean", "running_var"))
    keys: dict[str, Any] = {"epsilon": np.float32(module.eps)}
    if call.inputs == module.num_features:
        return [Layer("batchnorm", call.outputs, arrays, keys=keys)]
    keys |= {"num_filters_in": module.num_features, "num_features_in": call.inputs // module.num_features}
    return [Layer("batchnorm2d", call.outputs, arrays, keys=keys)]


def _prelu(module: nn.PReLU, call: Call) -> list[Layer]:
    """One alpha for all channels, or one per channel; behind a conv2d one per filter, for each of the features."""
    alpha = _values(module.weight, "weight")
    repeats = 1 if len(alpha) == 1 else call.inputs // len(alpha)
    return [Layer("prelu", call.outputs, (np.tile(alpha, repeats)[None],))]


def _leaky_relu(module: nn.LeakyReLU, call: Call) -> list[Layer]:
    """A prelu with one alpha."""
    return [Layer("prelu", call.outputs, (_values(torch.tensor([[module.negative_slope]]), "negative_slope"),))]


def _activation(name: str) -> Callable[[nn.Module, Call], list[Layer]]:
    return lambda module, call: [Layer("activation", call.outputs, (), name)]


def _elu(module: nn.ELU, call: Call) -> list[Layer]:
    if module.alpha != 1.0:
        raise Refusal(f"alpha={module.alpha}, but the format has no place for an alpha other than 1")
    return _activation("elu")(module, call)


def _nothing(module: nn.Module, call: Call) -> list[Layer]:
    return []


def _anywhere(module: nn.Module, signal: Signal) -> Signal:
    return signal


class Rule(NamedTuple):
    """How a module type is written, where it has frames and channels, and its attribute for how many it takes."""

    convert: Callable[[nn.Module, Call], list[Layer]]
    place: Callable[[nn.Module, Signal], Signal] = placing.pointwise
    width: str | None = None


TABLE: dict[type[nn.Module], Rule] = {
    nn.Linear: Rule(_linear, placing.dense, "in_features"),
    nn.LSTM: Rule(_lstm, placing.recurrent, "input_size"),
    nn.GRU: Rule(_gru, placing.recurrent, "input_size"),
    nn.Conv1d: Rule(_conv1d, placing.conv1d, "in_channels"),
    nn.Conv2d: Rule(_conv2d, placing.conv2d),
    nn.BatchNorm1d: Rule(_batch_norm, placing.on_axis_one, "num_features"),
    nn.BatchNorm2d: Rule(_batch_norm, placing.on_axis_one),
    nn.PReLU: Rule(_prelu, placing.on_axis_one),
    nn.LeakyReLU: Rule(_leaky_relu),
    nn.Tanh: Rule(_activation("tanh")),
    nn.ReLU: Rule(_activation("relu")),
    nn.Sigmoid: Rule(_activation("sigmoid")),
    nn.Softmax: Rule(_activation("softmax"), placing.along_channels),
    nn.ELU: Rule(_elu),
    nn.Dropout: Rule(_nothing, _anywhere),
    nn.Dropout1d: Rule(_nothing, _anywhere),
    nn.Dropout2d: Rule(_nothing, _anywhere),
    nn.AlphaDropout: Rule(_nothing, _anywhere),
    nn.FeatureAlphaDropout: Rule(_nothing, _anywhere),
    nn.Identity: Rule(_nothing, _anywhere),
}

FUSING = ("dense", "conv1d", "conv2d")


def rule_for(module: nn.Module) -> Rule | None:
    """The table's rule for a module, or None.

    A subclass counts as its base only while it keeps the base's forward(): a parametrized Linear does, a LoRA layer
    doesn't.
    """
    base = next((cls for cls in type(module).__mro__ if cls in TABLE), None)
    return TABLE[base] if base is not None and type(module).forward is base.forward else None


def fuse_activations(layers: list[Layer]) -> list[Layer]:
    """An activation right after a dense or conv layer without one moves into it; others would lose it in RTNeural."""
    fused: list[Layer] = []
    for layer in layers:
        if layer.type == "activation" and fused and fused[-1].type in FUSING and not fused[-1].activation:
            fused[-1] = replace(fused[-1], activation=layer.activation)
        else:
            fused.append(layer)
    return fused
