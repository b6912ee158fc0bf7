"""Torch modules that exporters are tried on. It imports torch and nothing else, so that it can travel to any process.

Weights are drawn large, biases distinct and not zero, sizes odd and not square where a square would hide a mistake.
Every module maps frames [B, T, in] to [B, T, out], state starting at zero.
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F


class Chain(nn.Sequential):
    """Layers one after the other; recurrent ones give their outputs and keep their states to themselves."""

    def forward(self, x):
        for layer in self:
            x = layer(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


def chain(*layers):
    """A plain nn.Sequential where that will do, a Chain where a layer is recurrent."""
    recurrent = any(isinstance(layer, nn.RNNBase) for layer in layers)
    return Chain(*layers) if recurrent else nn.Sequential(*layers)


def blaming(layer):
    """A chain whose second part, called `blamed`, can't be expressed."""
    return Chain(OrderedDict(first=nn.Linear(3, 4), blamed=layer))


class Residual(nn.Module):
    """A path around a layer."""

    def __init__(self, size):
        super().__init__()
        self.inner = nn.Linear(size, size)

    def forward(self, x):
        return x + self.inner(x)


class FunctionalTanh(nn.Module):
    """An activation that is no module."""

    def __init__(self, size):
        super().__init__()
        self.inner = nn.Linear(size, size)

    def forward(self, x):
        return F.tanh(self.inner(x))


def stack(layers):
    """A chain from layer records as in specs.json: type, input, output, activation."""
    activations = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "softmax": lambda: nn.Softmax(dim=-1)}
    modules = []
    for layer in layers:
        if layer["type"] == "lstm":
            modules.append(nn.LSTM(layer["input"], layer["output"], batch_first=True))
        else:
            modules.append(nn.Linear(layer["input"], layer["output"]))
        if layer["activation"]:
            modules.append(activations[layer["activation"]]())
    return chain(*modules)


def softmax():
    return nn.Softmax(dim=-1)


EXPRESSIBLE = {
    "dense": lambda: chain(nn.Linear(3, 5)),
    "dense-square": lambda: chain(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 5)),
    "dense-no-bias": lambda: chain(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2)),
    "dense-five-activations": lambda: chain(
        nn.Linear(3, 7), nn.Tanh(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 6), nn.ELU(),
        nn.Linear(6, 4), nn.Sigmoid(), nn.Linear(4, 3), softmax(),
    ),
    "dense-linear-end": lambda: chain(nn.Linear(3, 5), nn.Sigmoid(), nn.Linear(5, 4)),
    "activation-first": lambda: chain(nn.Tanh(), nn.Linear(3, 5)),
    "two-activations": lambda: chain(nn.Linear(3, 5), nn.Tanh(), nn.ReLU()),
    "lstm": lambda: chain(nn.LSTM(3, 5, batch_first=True)),
    "lstm-square": lambda: chain(nn.LSTM(5, 5, batch_first=True)),
    "lstm-stacked": lambda: chain(nn.LSTM(5, 5, num_layers=3, batch_first=True)),
    "lstm-relu-dense": lambda: chain(nn.LSTM(3, 5, batch_first=True), nn.ReLU(), nn.Linear(5, 2)),
    "lstm-dense-lstm": lambda: chain(
        nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 4), nn.Tanh(), nn.LSTM(4, 7, batch_first=True)
    ),
    "nested": lambda: chain(nn.Sequential(nn.Linear(3, 5), nn.Sequential(nn.Tanh(), nn.Linear(5, 4))), nn.Sigmoid()),
    "dropout-identity": lambda: chain(nn.Linear(3, 5), nn.Dropout(0.5), nn.Tanh(), nn.Identity(), nn.Linear(5, 2)),
    "gru": lambda: chain(nn.GRU(3, 5, batch_first=True)),
    "gru-square-dense": lambda: chain(nn.GRU(5, 5, batch_first=True), nn.Linear(5, 3)),
}  # fmt: skip
"""Modules that the format can express, by name."""

UNSUPPORTED = {
    "lstm-bidirectional": lambda: blaming(nn.LSTM(4, 5, bidirectional=True, batch_first=True)),
    "lstm-projection": lambda: blaming(nn.LSTM(4, 5, proj_size=2, batch_first=True)),
    "rnn": lambda: blaming(nn.RNN(4, 5, batch_first=True)),
    "elu-alpha": lambda: blaming(nn.ELU(alpha=0.5)),
    "softmax-over-time": lambda: blaming(nn.Softmax(dim=1)),
    "gelu": lambda: blaming(nn.GELU()),
    "softplus": lambda: blaming(nn.Softplus()),
    "layer-norm": lambda: blaming(nn.LayerNorm(4)),
    "residual": lambda: blaming(Residual(4)),
    "functional-tanh": lambda: blaming(FunctionalTanh(4)),
}
"""Modules that the format can't express; the part to blame is always `blamed`."""


def make(name, seed=0):
    """The module of that name with seeded weights, in eval mode."""
    module = {**EXPRESSIBLE, **UNSUPPORTED}[name]()
    draw_weights(module, seed)
    return module.eval()


def make_stack(layers, seed=0):
    """A chain from layer records with seeded weights, in eval mode."""
    module = stack(layers)
    draw_weights(module, seed)
    return module.eval()


def draw_weights(module, seed):
    """Uniform weights of ±3/√fan-in and biases of ±1: large enough that every gate and every bias is heard."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            bound = 3.0 / parameter.shape[-1] ** 0.5 if parameter.ndim > 1 else 1.0
            parameter.uniform_(-bound, bound, generator=generator)
