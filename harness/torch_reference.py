"""A parsed model evaluated by PyTorch in float64: where goldens come from.

Each layer is the torch.nn module that it corresponds to, with the file's float32 weights cast to double. It shares no
formula with the oracle, and no line with any exporter. Import it only where torch is installed.
"""

import functools
from collections.abc import Callable

import numpy as np
import torch

from .rtneural_json import grammar
from .rtneural_json.grammar import Model

_Frames = Callable[[torch.Tensor], torch.Tensor]  # [T, in] -> [T, out]

_ACTIVATIONS = {
    "": torch.nn.Identity(),
    "tanh": torch.nn.Tanh(),
    "relu": torch.nn.ReLU(),
    "sigmoid": torch.nn.Sigmoid(),
    "softmax": torch.nn.Softmax(dim=-1),
    "elu": torch.nn.ELU(alpha=1.0),
}


def evaluate(model: Model, frames: np.ndarray) -> np.ndarray:
    """The outputs [T, out] (float64) for frames [T, in], the state carried from zero."""
    x = torch.from_numpy(np.array(frames, dtype=np.float64))
    with torch.no_grad():
        for layer in model.layers:
            x = _stage(layer)(x)
    return x.numpy()


@functools.singledispatch
def _stage(layer: grammar.Layer) -> _Frames:
    raise TypeError(f"no torch module for {type(layer).__name__}")


def _double(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float64))


def _set(module: torch.nn.Module, **values: torch.Tensor) -> torch.nn.Module:
    module = module.double().eval()
    for name, value in values.items():
        getattr(module, name).data.copy_(value)
    return module


@_stage.register
def _(layer: grammar.Dense) -> _Frames:
    module = _set(
        torch.nn.Linear(layer.input_size, layer.output_size), weight=_double(layer.kernel.T), bias=_double(layer.bias)
    )
    return torch.nn.Sequential(module, _ACTIVATIONS[layer.activation])


@_stage.register
def _(layer: grammar.Activation) -> _Frames:
    return _ACTIVATIONS[layer.activation]


@_stage.register
def _(layer: grammar.Lstm) -> _Frames:
    bias = _double(layer.bias)
    module = _set(
        torch.nn.LSTM(layer.input_size, layer.output_size),
        weight_ih_l0=_double(layer.kernel.T),
        weight_hh_l0=_double(layer.recurrent.T),
        bias_ih_l0=bias,
        bias_hh_l0=torch.zeros_like(bias),
    )
    return lambda x: module(x)[0]


@_stage.register
def _(layer: grammar.Gru) -> _Frames:
    def rows(array: np.ndarray) -> torch.Tensor:
        z, r, n = np.split(array, 3, axis=-1)
        return _double(np.concatenate([r, z, n], axis=-1).T)

    module = _set(
        torch.nn.GRU(layer.input_size, layer.output_size),
        weight_ih_l0=rows(layer.kernel),
        weight_hh_l0=rows(layer.recurrent),
        bias_ih_l0=rows(layer.bias[0]),
        bias_hh_l0=rows(layer.bias[1]),
    )
    return lambda x: module(x)[0]


@_stage.register
def _(layer: grammar.Conv1d) -> _Frames:
    module = torch.nn.Conv1d(
        layer.input_size, layer.output_size, layer.kernel_size, dilation=layer.dilation, groups=layer.groups
    )
    _set(module, weight=_double(layer.kernel.transpose(2, 1, 0)), bias=_double(layer.bias))
    padding = torch.nn.ConstantPad1d(((layer.kernel_size - 1) * layer.dilation, 0), 0.0)
    return lambda x: _ACTIVATIONS[layer.activation](module(padding(x.T.unsqueeze(0)))[0].T)


@_stage.register
def _(layer: grammar.Conv2d) -> _Frames:
    time, window, filters_in, filters_out = layer.kernel.shape
    module = torch.nn.Conv2d(
        filters_in, filters_out, (time, window), stride=(1, layer.stride), dilation=(layer.dilation, 1)
    )
    _set(module, weight=_double(layer.kernel.transpose(3, 2, 0, 1)), bias=_double(layer.bias))
    lacking = (
        max((layer.features_out - 1) * layer.stride + window - layer.features_in, 0) if layer.padding == "same" else 0
    )
    padding = torch.nn.ZeroPad2d((lacking // 2, lacking - lacking // 2, (time - 1) * layer.dilation, 0))

    def apply(x: torch.Tensor) -> torch.Tensor:
        image = x.reshape(len(x), layer.features_in, filters_in).permute(2, 0, 1).unsqueeze(0)
        y = module(padding(image))[0].permute(1, 2, 0).reshape(len(x), -1)
        return _ACTIVATIONS[layer.activation](y)

    return apply


@_stage.register
def _(layer: grammar.Prelu) -> _Frames:
    return _set(torch.nn.PReLU(layer.alpha.size), weight=_double(layer.alpha))


def _norm(module: torch.nn.Module, layer: grammar.BatchNorm | grammar.BatchNorm2d) -> torch.nn.Module:
    affine = {} if layer.gamma is None else {"weight": _double(layer.gamma), "bias": _double(layer.beta)}
    return _set(module, running_mean=_double(layer.mean), running_var=_double(layer.variance), **affine)


@_stage.register
def _(layer: grammar.BatchNorm) -> _Frames:
    return _norm(
        torch.nn.BatchNorm1d(layer.input_size, eps=float(layer.epsilon), affine=layer.gamma is not None), layer
    )


@_stage.register
def _(layer: grammar.BatchNorm2d) -> _Frames:
    module = _norm(torch.nn.BatchNorm1d(layer.filters, eps=float(layer.epsilon), affine=layer.gamma is not None), layer)
    return lambda x: module(x.reshape(-1, layer.filters)).reshape(len(x), -1)
