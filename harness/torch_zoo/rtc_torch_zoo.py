"""Torch modules that exporters are tried on. It imports torch and nothing else, so that it can travel to any process.

Weights are drawn large, biases distinct and not zero, sizes odd and not square where a square would hide a mistake.
Every module maps frames [B, T, in] to [B, T, out], state starting at zero.
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm


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


class OverTime(nn.Sequential):
    """Parts that have the frames on their last axis."""

    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Causal(nn.Module):
    """A convolution over [B, C, T] with zeros in front of the first frame."""

    def __init__(self, inputs, outputs, size, dilation=1, **options):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, size, dilation=dilation, **options)
        self.history = (size - 1) * dilation

    def forward(self, x):
        return self.conv(F.pad(x, (self.history, 0)))


class Planes(nn.Module):
    """Convolutions over time and features: frames [B, T, F] are one plane, and come back as [B, T, F' · filters]."""

    def __init__(self, features, *parts):
        super().__init__()
        self.input_size = features
        self.inner = nn.Sequential(*parts)

    def forward(self, x):
        return self.inner(x.unsqueeze(1)).permute(0, 2, 3, 1).flatten(2)


class Reordered(nn.Module):
    """Parts that are called in another order than they stand in."""

    order = ("first", "second", "third")

    def __init__(self):
        super().__init__()
        self.third = nn.Linear(5, 5)
        self.second = nn.Tanh()
        self.first = nn.Linear(5, 5)

    def forward(self, x):
        return self.third(self.second(self.first(x)))


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
    "gru-stacked": lambda: chain(nn.GRU(3, 4, num_layers=2, batch_first=True)),
    "recurrent-no-bias": lambda: chain(
        nn.LSTM(3, 5, bias=False, batch_first=True), nn.GRU(5, 4, bias=False, batch_first=True)
    ),
    "reordered": lambda: chain(Reordered(), nn.Sigmoid()),
    "weight-norm": lambda: chain(weight_norm(nn.Linear(3, 5)), nn.Tanh(), nn.Linear(5, 2)),
    "leaky-relu": lambda: chain(nn.Linear(3, 5), nn.LeakyReLU(0.2), nn.Linear(5, 4)),
    "prelu": lambda: chain(OverTime(Causal(3, 5, 1), nn.PReLU(5)), nn.PReLU()),
    "conv1d": lambda: chain(OverTime(Causal(3, 5, 3))),
    "conv1d-dilated": lambda: chain(OverTime(Causal(3, 5, 3, dilation=2), nn.Tanh(), Causal(5, 4, 2, dilation=3))),
    "conv1d-groups": lambda: chain(OverTime(Causal(4, 6, 3, dilation=2, groups=2, bias=False), nn.ReLU())),
    "conv1d-lstm-dense": lambda: chain(
        OverTime(Causal(3, 4, 4), nn.ELU()), nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 2)
    ),
    "batchnorm": lambda: chain(nn.Linear(3, 5), OverTime(nn.BatchNorm1d(5)), nn.Tanh()),
    "batchnorm-not-affine": lambda: chain(OverTime(Causal(3, 4, 2), nn.BatchNorm1d(4, eps=1e-3, affine=False))),
    "conv2d": lambda: chain(
        Planes(5, nn.ZeroPad2d((0, 0, 2, 0)), nn.Conv2d(1, 3, (2, 3), dilation=(2, 1), padding=(0, 1)), nn.ReLU()),
        nn.Linear(15, 2),
    ),
    "conv2d-batchnorm2d": lambda: chain(Planes(6, nn.Conv2d(1, 2, (1, 3)), nn.BatchNorm2d(2)), nn.Linear(8, 3)),
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
    "selu": lambda: blaming(nn.SELU()),
    "layer-norm": lambda: blaming(nn.LayerNorm(4)),
    "max-pool": lambda: blaming(OverTime(nn.MaxPool1d(3, stride=1, padding=1))),
    "conv1d-stride": lambda: blaming(OverTime(nn.Conv1d(4, 5, 3, stride=2))),
    "conv1d-padding": lambda: blaming(OverTime(nn.Conv1d(4, 5, 3, padding=1))),
    "conv1d-padding-same": lambda: blaming(OverTime(nn.Conv1d(4, 5, 3, padding="same"))),
    "conv1d-circular": lambda: blaming(OverTime(nn.Conv1d(4, 5, 3, padding=1, padding_mode="circular"))),
    "batchnorm-of-the-moment": lambda: blaming(OverTime(nn.BatchNorm1d(4, track_running_stats=False))),
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


PARTS = {
    "Linear": nn.Linear,
    "LSTM": lambda size, hidden, layers: nn.LSTM(size, hidden, num_layers=layers, batch_first=True),
    "GRU": lambda size, hidden, layers: nn.GRU(size, hidden, num_layers=layers, batch_first=True),
    "Conv1d": lambda size, out, taps, dilation, groups: OverTime(Causal(size, out, taps, dilation, groups=groups)),
    "BatchNorm1d": lambda size: OverTime(nn.BatchNorm1d(size)),
    "PReLU": lambda size, alphas: OverTime(nn.PReLU(alphas)),
    "LeakyReLU": lambda size: nn.LeakyReLU(0.2),
    "Tanh": lambda size: nn.Tanh(),
    "ReLU": lambda size: nn.ReLU(),
    "Sigmoid": lambda size: nn.Sigmoid(),
    "ELU": lambda size: nn.ELU(),
    "Softmax": lambda size: softmax(),
    "Dropout": lambda size: nn.Dropout(0.5),
    "Identity": lambda size: nn.Identity(),
}


def make_parts(parts, seed=0):
    """A chain of parts, each a name of PARTS and its sizes, with seeded weights, in eval mode."""
    module = chain(*(PARTS[kind](*sizes) for kind, *sizes in parts))
    draw_weights(module, seed)
    return module.eval()


def draw_weights(module, seed):
    """Uniform weights of ±3/√fan-in and biases of ±1: large enough that every gate and every bias is heard.

    The statistics of batch norms are as after a training, with one small variance, of which epsilon is a part.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            bound = 3.0 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 1.0
            parameter.uniform_(-bound, bound, generator=generator)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-1.0, 1.0, generator=generator)
            elif name.endswith("running_var"):
                buffer.uniform_(0.05, 2.0, generator=generator)
                buffer[0] = 1e-4
