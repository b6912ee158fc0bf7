"""Torch modules that exporters are tried on. It imports torch and what lies beside it, and can travel to any process.

Weights are drawn large, biases distinct and not zero, sizes odd and not square where a square would hide a mistake.
Every module maps frames [B, T, in] to [B, T, out], state starting at zero.
"""

from collections import OrderedDict

import torch
from rtc_torch_parts import (
    Causal,
    Chain,
    Doubled,
    FunctionalTanh,
    Moving,
    OverTime,
    Planes,
    Reordered,
    Residual,
    Twice,
    WithState,
    a_one_and_zeros,
    chain,
    cut,
    history_in_front,
    hooked,
    in_groups,
    of_two_axes,
    out_of_groups,
    some_in_front,
    there_and_back,
)
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm


def blaming(layer, inputs=3):
    """A chain whose second part, called `blamed`, can't be expressed."""
    return Chain(OrderedDict(first=nn.Linear(inputs, 4), blamed=layer))


def blaming_planes(layer, behind):
    """A chain whose part called `blamed`, over planes of 6 features, can't be expressed."""
    return with_features(chain(Planes(6, OrderedDict(blamed=layer)), nn.Linear(behind, 2)), 6)


def with_features(module, features, filters=1):
    """A module that says what it takes, as Lightning does."""
    module.example_input_array = torch.zeros(1, filters, 8, features)
    return module


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
    "conv2d-batchnorm2d": lambda: with_features(
        chain(Planes(6, nn.Conv2d(1, 2, (1, 3)), nn.BatchNorm2d(2)), nn.Linear(8, 3)), 6
    ),
    "moved": lambda: chain(Moving(nn.Linear(3, 5), there_and_back, there_and_back), nn.Tanh(), nn.Linear(5, 2)),
    "moved-by-modules": lambda: chain(nn.Unflatten(2, (1, 3)), nn.Flatten(2), nn.Linear(3, 5)),
    "shared": lambda: chain(Twice(nn.Linear(4, 4)), nn.Tanh()),
    "dropouts": lambda: chain(
        nn.Linear(3, 5), nn.AlphaDropout(), nn.FeatureAlphaDropout(), nn.ReLU(), nn.Dropout1d(), nn.Dropout2d(),
        nn.Linear(5, 2),
    ),
    "lstm-time-major": lambda: chain(nn.LSTM(3, 5, num_layers=2), nn.Linear(5, 2)),
    "gru-zero-state": lambda: chain(WithState(nn.GRU(3, 5, batch_first=True), torch.zeros), nn.Linear(5, 2)),
    "lstm-tuple": lambda: nn.LSTM(3, 5, batch_first=True),
    "unbatched": lambda: Moving(nn.LSTM(3, 5, batch_first=True), of_two_axes),
    "unbatched-one-channel": lambda: Moving(nn.Conv1d(1, 3, 2), of_two_axes),
    "unbatched-channels-first": lambda: Moving(nn.Conv1d(3, 5, 2), of_two_axes),
    "softmax-channels-first": lambda: chain(nn.Linear(3, 5), OverTime(nn.Softmax(dim=1))),
    "prelu-one-of-many": lambda: chain(nn.Linear(3, 5), nn.PReLU(init=0.3), nn.Linear(5, 2)),
    "conv1d-channels-first": lambda: chain(nn.ZeroPad1d((4, 0)), nn.Conv1d(3, 5, 3, dilation=2), nn.BatchNorm1d(5)),
    "conv1d-unpadded": lambda: chain(nn.Conv1d(3, 5, 3, dilation=2), nn.Tanh(), nn.Conv1d(5, 2, 4)),
    "conv1d-both-sides": lambda: chain(
        OverTime(nn.Conv1d(3, 4, 1)),
        OverTime(Moving(nn.Conv1d(4, 4, 3, padding=6, dilation=3), behind=cut(6)), nn.BatchNorm1d(4), nn.PReLU(4)),
        nn.Linear(4, 3),
    ),
    "conv1d-same-cut": lambda: chain(
        OverTime(Moving(nn.Conv1d(3, 4, 4, padding="same"), lambda x: F.pad(x, (2, 0)), cut(2))), nn.Linear(4, 3)
    ),
    "conv1d-joined-history": lambda: chain(OverTime(Moving(nn.Conv1d(3, 4, 3), history_in_front(2)), nn.ReLU())),
    "conv1d-valid": lambda: chain(
        OverTime(nn.ZeroPad1d((2, 0)), nn.Conv1d(3, 4, 3, padding="valid", padding_mode="circular")), nn.Linear(4, 3)
    ),
    "conv1d-twice": lambda: chain(OverTime(Twice(nn.Conv1d(4, 4, 16))), nn.Linear(4, 3)),
    "conv2d-alone": lambda: with_features(nn.Conv2d(2, 3, (2, 3), stride=(1, 2)), 7, filters=2),
    "conv2d-prelu": lambda: with_features(chain(
        Planes(6, nn.ZeroPad2d((1, 1, 1, 0)), nn.Conv2d(1, 2, (2, 3), bias=False), nn.PReLU(2)), nn.Linear(12, 3)
    ), 6),
    "conv2d-strided": lambda: with_features(chain(
        Planes(7, nn.Conv2d(1, 3, (1, 3), stride=(1, 2), padding=(0, 1)), nn.ELU(), nn.Conv2d(3, 2, (16, 2))),
        nn.Linear(6, 3),
    ), 7),
    "conv2d-same-behind": lambda: with_features(chain(
        Planes(6, nn.ZeroPad2d((0, 1, 0, 0)), nn.Conv2d(1, 2, (1, 3), stride=(1, 2))), nn.Linear(6, 3)
    ), 6),
    "conv2d-same": lambda: with_features(chain(
        Planes(6, nn.Conv2d(1, 2, (1, 4), padding="same"), nn.ZeroPad2d((1, 2, 0, 0)), nn.Conv2d(2, 2, (1, 4))),
        nn.Linear(12, 3),
    ), 6),
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
    "lstm-over-the-batch": lambda: chain(nn.LSTM(3, 4, batch_first=True), blaming(nn.LSTM(4, 5), inputs=4)),
    "lstm-state-given": lambda: Chain(
        OrderedDict(
            first=nn.LSTM(3, 4, batch_first=True), blamed=WithState(nn.GRU(4, 5, batch_first=True), a_one_and_zeros)
        )
    ),
    "lstm-late": lambda: Chain(OrderedDict(first=OverTime(nn.Conv1d(3, 4, 3)), blamed=nn.LSTM(4, 5, batch_first=True))),
    "softmax-over-time-of-one": lambda: Chain(OrderedDict(first=nn.Linear(3, 1), blamed=nn.Softmax(dim=1))),
    "softmax-any-dim": lambda: blaming(nn.Softmax()),
    "softmax-part": lambda: blaming(
        Moving(nn.Softmax(dim=-1), lambda x: x.unflatten(2, (2, 2)), lambda x: x.flatten(2))
    ),
    "padding-of-ones": lambda: blaming(OverTime(nn.ConstantPad1d((2, 0), 1.0), nn.Conv1d(4, 5, 3))),
    "joined-with-others": lambda: blaming(OverTime(Moving(nn.Conv1d(4, 5, 3), some_in_front))),
    "padding-replicated": lambda: blaming(
        OverTime(Moving(nn.Conv1d(4, 5, 3), lambda x: F.pad(x, (2, 0), mode="replicate")))
    ),
    "prelu-of-groups": lambda: blaming(Moving(nn.PReLU(2), in_groups, out_of_groups)),
    "batchnorm-of-groups": lambda: blaming(Moving(nn.BatchNorm2d(2), in_groups, out_of_groups)),
    "padding-too-long": lambda: blaming(OverTime(Moving(nn.Conv1d(4, 5, 3), lambda x: F.pad(x, (3, 0))))),
    "padding-behind-unpadded": lambda: Chain(
        OrderedDict(first=OverTime(nn.Conv1d(3, 4, 2)), blamed=OverTime(Causal(4, 4, 3)))
    ),
    "padding-without-convolution": lambda: blaming(Moving(nn.Linear(4, 5), lambda x: F.pad(x, (0, 0, 1, 0)))),
    "frames-reversed": lambda: blaming(Moving(nn.Linear(4, 5), lambda x: x.flip(1))),
    "frames-exchanged": lambda: blaming(Moving(nn.Linear(4, 5), lambda x: torch.cat((x[:, 4:], x[:, :4]), dim=1))),
    "frames-dropped": lambda: blaming(Moving(nn.Linear(4, 5), lambda x: x[:, 1:])),
    "channels-dropped": lambda: Chain(OrderedDict(blamed=Moving(nn.Linear(3, 5), behind=lambda x: x[..., 1:]))),
    "last-frame": lambda: Chain(
        OrderedDict(first=Moving(nn.Linear(3, 4)), blamed=Moving(nn.Linear(4, 5), behind=lambda x: x[:, -1:]))
    ),
    "scaled-before": lambda: blaming(Moving(nn.Linear(4, 5), lambda x: 2.0 * x)),
    "scaled-in-place": lambda: blaming(Moving(nn.Linear(4, 5), lambda x: x.mul_(2.0))),
    "scaled-behind": lambda: blaming(Moving(nn.Linear(4, 5), behind=lambda x: 0.5 * x)),
    "doubled": lambda: blaming(Doubled(4, 5)),
    "hooked": lambda: blaming(hooked(nn.Linear(4, 5))),
    "conv2d-stride": lambda: blaming_planes(nn.Conv2d(1, 2, (2, 3), stride=(2, 1)), 8),
    "conv2d-dilation": lambda: blaming_planes(nn.Conv2d(1, 2, (1, 2), dilation=(1, 2)), 8),
    "conv2d-padding": lambda: blaming_planes(nn.Conv2d(1, 2, (1, 3), padding=(0, 2)), 16),
    "conv2d-padding-behind": lambda: blaming_planes(
        nn.Sequential(nn.ZeroPad2d((0, 1, 0, 0)), nn.Conv2d(1, 2, (1, 3))), 10
    ),
    "conv2d-padding-uneven": lambda: blaming_planes(
        nn.Sequential(nn.ZeroPad2d((2, 0, 0, 0)), nn.Conv2d(1, 2, (1, 3))), 12
    ),
    "conv2d-groups": lambda: blaming_planes(nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 4, 1, groups=2)), 24),
    "conv2d-batchnorm-of-the-moment": lambda: blaming_planes(nn.BatchNorm2d(1, track_running_stats=False), 6),
    "gelu-alone": lambda: Chain(OrderedDict(blamed=nn.GELU())),
    "embedding": lambda: Chain(OrderedDict(blamed=nn.Embedding(9, 4), last=nn.Linear(4, 2))),
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
