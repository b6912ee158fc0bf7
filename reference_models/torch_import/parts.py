"""The layers of RTNeural JSON as torch modules that carry their state and that the exporter can follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .. import numpy_layers as layers

State = Sequence[Any]
"""What each part with a state carries from one call to the next."""


class Imported(nn.Module):
    """Parts in a chain, for frames `[B, T, in]`."""

    def __init__(self, parts: Iterable[nn.Module], input_size: int, output_size: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.input_size, self.output_size = input_size, output_size
        # From it the exporter knows how many features a frame has, which the weights of a conv2d don't tell.
        self.example_input_array = torch.zeros(1, 1, input_size)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """`[B, T, in]` to `[B, T, out]`, from zero state."""
        for part in self.parts:
            frames = part(frames)
            frames = frames[0] if isinstance(frames, tuple) else frames
        return frames

    def step(self, frames: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """The same from a state that an earlier call returned, with the state behind the last frame."""
        before = repeat(None) if state is None else iter(state)
        carried = []
        for part in self.parts:
            if isinstance(part, (nn.RNNBase, Causal)):
                advance = part.step if isinstance(part, Causal) else part
                frames, after = advance(frames, next(before))
                carried.append(after)
            else:
                frames = part(frames)
        return frames, carried


class OverChannels(nn.Module):
    """A module that has the channels on axis 1, for frames `[B, T, C]`."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.inner(frames.transpose(1, 2)).transpose(1, 2)


class OverPlanes(nn.Module):
    """A module for `[B, filters, T, features]`; a frame of `[B, T, C]` is laid out [features][filters]."""

    def __init__(self, inner: nn.Module, filters: int) -> None:
        super().__init__()
        self.inner, self.filters = inner, filters

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        planes = frames.unflatten(2, (-1, self.filters)).permute(0, 3, 1, 2)
        return self.inner(planes).permute(0, 2, 3, 1).flatten(2)


class Causal(nn.Module):
    """A convolution with as many frames in front of the first as it reaches back: zeros, or those of the call before.

    `zeros` are put in front of the features of a conv2d and behind them.
    """

    def __init__(self, conv: nn.Conv1d | nn.Conv2d, zeros: tuple[int, int] = (0, 0)) -> None:
        super().__init__()
        padded = nn.Sequential(nn.ZeroPad2d((*zeros, 0, 0)), conv) if any(zeros) else conv
        self.inner = OverChannels(conv) if isinstance(conv, nn.Conv1d) else OverPlanes(padded, conv.in_channels)
        self.reach = (conv.kernel_size[0] - 1) * conv.dilation[0]

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.inner(functional.pad(frames, (0, 0, self.reach, 0)))

    def step(self, frames: torch.Tensor, before: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        if before is None:
            before = frames.new_zeros(len(frames), self.reach, frames.shape[2])
        known = torch.cat((before, frames), dim=1)
        return self.inner(known), known[:, known.shape[1] - self.reach :]


_ACTIVATIONS = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "softmax": lambda: nn.Softmax(dim=-1),
}


def part_of(layer: layers.Layer) -> list[nn.Module]:
    """The torch modules of one layer: the layer, and the activation behind it."""
    made = _MAKERS[type(layer)](layer)
    return [*made, _ACTIVATIONS[layer.activation]()] if layer.activation else made


def _fill(parameter: torch.Tensor, values: np.ndarray) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(values, np.float32)))


def _dense(layer: layers.Dense) -> list[nn.Module]:
    kernel, bias = layer.weights
    linear = nn.Linear(*kernel.shape)
    _fill(linear.weight, kernel.T)
    _fill(linear.bias, bias)
    return [linear]


def _conv1d(layer: layers.Conv1d) -> list[nn.Module]:
    kernel, bias = layer.weights
    conv = nn.Conv1d(layer.inputs, len(bias), len(kernel), dilation=layer.dilation, groups=layer.groups)
    _fill(conv.weight, kernel.transpose(2, 1, 0))
    _fill(conv.bias, bias)
    return [Causal(conv)]


def _conv2d(layer: layers.Conv2d) -> list[nn.Module]:
    kernel, bias = layer.weights
    time, reach, filters, _ = kernel.shape
    conv = nn.Conv2d(filters, len(bias), (time, reach), stride=(1, layer.stride), dilation=(layer.dilation, 1))
    _fill(conv.weight, kernel.transpose(3, 2, 0, 1))
    _fill(conv.bias, bias)
    return [Causal(conv, layer.zeros)]


def _recurrent(cell: nn.RNNBase, kernel: np.ndarray, recurrent: np.ndarray, biases: Sequence[np.ndarray]) -> nn.Module:
    for name, values in zip(
        ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), (kernel, recurrent, *biases), strict=True
    ):
        _fill(getattr(cell, f"{name}_l0"), values)
    return cell


def _lstm(layer: layers.Lstm) -> list[nn.Module]:
    """torch has two biases, whose sum acts: with -0.0 for the second, the sum has the bits of the first."""
    kernel, recurrent, bias = layer.weights
    cell = nn.LSTM(len(kernel), len(recurrent), batch_first=True)
    return [_recurrent(cell, kernel.T, recurrent.T, (bias, np.full_like(bias, -0.0)))]


def _gru(layer: layers.Gru) -> list[nn.Module]:
    """The file's gates z, r, h are torch's r, z, n."""
    kernel, recurrent, biases = layer.weights
    size = len(recurrent)
    order = np.r_[size : 2 * size, 0:size, 2 * size : 3 * size]
    cell = nn.GRU(len(kernel), size, batch_first=True)
    return [_recurrent(cell, kernel.T[order], recurrent.T[order], biases[:, order])]


def _prelu(layer: layers.Prelu) -> list[nn.Module]:
    (alpha,) = layer.weights
    prelu = nn.PReLU(alpha.size)
    _fill(prelu.weight, alpha[0])
    return [prelu if alpha.size == 1 else OverChannels(prelu)]


def _batch_norm(layer: layers.BatchNorm) -> list[nn.Module]:
    *affine, mean, variance = layer.weights
    kind = nn.BatchNorm1d if layer.repeats == 1 else nn.BatchNorm2d
    norm = kind(len(mean), eps=float(layer.epsilon), affine=bool(affine))
    for parameter, values in zip((norm.weight, norm.bias) if affine else (), affine, strict=True):
        _fill(parameter, values)
    _fill(norm.running_mean, mean)
    _fill(norm.running_var, variance)
    return [OverChannels(norm) if layer.repeats == 1 else OverPlanes(norm, len(mean))]


_MAKERS: dict[type[layers.Layer], Callable[[Any], list[nn.Module]]] = {
    layers.Dense: _dense,
    layers.Conv1d: _conv1d,
    layers.Conv2d: _conv2d,
    layers.Lstm: _lstm,
    layers.Gru: _gru,
    layers.Prelu: _prelu,
    layers.BatchNorm: _batch_norm,
    layers.Layer: lambda layer: [],
}
