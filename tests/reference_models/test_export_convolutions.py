"""The exporter on convolutions and batch norms, whose frames lie on another axis than a Linear's."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from rtconform.harness.export_cases import zoo
from rtconform.reference_models.export import reference_exporter, render
from rtconform.reference_models.numpy_runtime import read_model

from .modules import Net, float32, layers_of, lively, refusal

OverTime, Causal = zoo().OverTime, zoo().Causal


class Chomp(nn.Module):
    """Cuts off the frames that padding on both sides makes too many."""

    def __init__(self, frames):
        super().__init__()
        self.frames = frames

    def forward(self, x):
        return x[:, :, : -self.frames].contiguous()


class Flat(nn.Module):
    """Frames [B, T, features] through 2D parts and a Linear."""

    def __init__(self, first, linear, zeros):
        super().__init__()
        self.first, self.linear, self.zeros = first, linear, zeros

    def forward(self, x):
        y = self.first(functional.pad(x.unsqueeze(1), (0, 0, self.zeros, 0)))
        return self.linear(y.permute(0, 2, 3, 1).flatten(2))


def flat(first, width, zeros=0):
    """2D parts, and a Linear that takes the `width` channels which they give."""
    return Flat(nn.Sequential(first), nn.Linear(width, 2), zeros)


def lstm(inputs, outputs):
    return nn.LSTM(inputs, outputs, batch_first=True)


def tcn(dilation):
    padding = 2 * dilation
    return nn.Sequential(nn.Conv1d(4, 4, 3, padding=padding, dilation=dilation), Chomp(padding), nn.PReLU(4))


def with_joined_history(s, x):
    history = torch.zeros(1, 3, 2, dtype=x.dtype)
    return s.second(s.first(torch.cat((history, x.mT), dim=-1)).movedim(1, 2))


@pytest.mark.parametrize(
    "module",
    [
        OverTime(Causal(3, 5, 3, dilation=2), nn.Tanh(), Causal(5, 4, 2), nn.LeakyReLU(0.2)),
        OverTime(nn.Conv1d(3, 4, 1), tcn(1), tcn(4), nn.BatchNorm1d(4, eps=1e-3), nn.ReLU(), nn.Softmax(dim=1)),
        OverTime(nn.ZeroPad1d((2, 0)), nn.Conv1d(3, 6, 3, groups=3, bias=False), nn.BatchNorm1d(6, affine=False)),
        Net(lambda s, x: s.second(s.first(x.transpose(1, 2)).transpose(1, 2))[0], Causal(3, 4, 4), lstm(4, 5)),
        Net(with_joined_history, nn.Conv1d(3, 4, 3), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(), nn.PReLU(init=0.3), nn.Linear(4, 2)),
        flat(nn.Sequential(nn.Conv2d(1, 2, (2, 3), padding=(0, 1)), nn.BatchNorm2d(2), nn.PReLU(2)), 6, 1),
        flat(nn.Conv2d(1, 2, (3, 2), dilation=(2, 1), bias=False), 4, 4),
        flat(nn.Conv2d(1, 4, (1, 3), padding="same"), 12),
    ],
    ids=lambda module: type(module).__name__,
)
def test_convolutions_and_norms_compute_what_forward_computes(module):
    """Frames [1, 40, 3], whatever the axes inside, with statistics that are not those of a fresh batch norm."""
    module = lively(module).eval()
    generator = torch.Generator().manual_seed(2)
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            part.running_mean.copy_(torch.rand(part.num_features, generator=generator))
            part.running_var.copy_(torch.rand(part.num_features, generator=generator) + 0.1)
    frames = torch.randn(1, 40, 3, generator=generator)
    found = read_model(render(module), np.float64).process(frames[0].numpy())
    expected = copy.deepcopy(module).double()(frames.double())[0].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_convolutions_without_padding_leave_out_the_first_frames():
    """The file has them, computed from the zeros in front; from then on the numbers are the module's."""
    module = lively(nn.Sequential(nn.Conv1d(3, 5, 3, dilation=2), nn.Tanh(), nn.Conv1d(5, 2, 2))).eval()
    frames = torch.randn(3, 40, generator=torch.Generator().manual_seed(1))
    found = read_model(render(module), np.float64).process(frames.T.numpy())
    expected = copy.deepcopy(module).double()(frames.double()[None])[0].T.detach().numpy()
    assert len(expected) == 40 - 5
    np.testing.assert_allclose(found[5:], expected, rtol=0, atol=1e-5)


def test_the_number_of_features_can_be_given():
    """Nothing in a lone Conv2d tells it; a frame is laid out [features][filters]."""
    module = lively(nn.Conv2d(2, 3, (2, 3), stride=(1, 2))).eval()
    module.example_input_array = torch.zeros(1, 2, 8, 7)
    document = json.loads(render(module))
    assert (document["in_shape"][-1], document["layers"][0]["num_features_in"]) == (14, 7)
    frames = torch.randn(20, 7, 2, generator=torch.Generator().manual_seed(1)).double()
    found = read_model(render(module), np.float64).process(frames.flatten(1).numpy())
    expected = copy.deepcopy(module).double()(frames.permute(2, 0, 1)[None])[0].permute(1, 2, 0).flatten(1)
    np.testing.assert_allclose(found[1:], expected.detach().numpy(), rtol=0, atol=1e-5)


def test_layers_of_convolution_and_norm_are_written_as_rtneural_reads_them():
    """conv1d [K][in / groups][out] unflipped, batchnorm with the module's eps, prelu [[alpha, …]]."""
    module = OverTime(Causal(4, 6, 3, dilation=2, groups=2), nn.BatchNorm1d(6, eps=1e-3), nn.PReLU(6))
    conv, norm, prelu = layers_of(lively(module))
    assert (conv["kernel_size"], conv["dilation"], conv["groups"], conv["activation"]) == (3, 2, 2, "")
    np.testing.assert_array_equal(float32(conv["weights"][0]), module[0].conv.weight.detach().permute(2, 1, 0).numpy())
    assert norm["epsilon"] == 0.001
    assert [len(array) for array in norm["weights"]] == [6, 6, 6, 6]
    np.testing.assert_array_equal(float32(prelu["weights"]), module[2].weight.detach().numpy()[None, None])


@pytest.mark.parametrize(
    ("module", "parts"),
    [
        (nn.Sequential(nn.Conv1d(3, 4, 2, stride=2)), ["0 (Conv1d)", "stride=2"]),
        (nn.Sequential(nn.Conv1d(3, 4, 3, padding=1)), ["0 (Conv1d)", "behind the last frame"]),
        (nn.Sequential(nn.Conv1d(3, 4, 3, padding="same"), nn.Conv1d(4, 4, 1)), ["0 (Conv1d)", "behind the last"]),
        (OverTime(nn.ConstantPad1d((4, 0), 0.0), nn.Conv1d(3, 4, 3)), ["1 (Conv1d)", "4 zeros in front"]),
        (OverTime(nn.ConstantPad1d((2, 0), 1.0), nn.Conv1d(3, 4, 3)), ["0 (ConstantPad1d)"]),
        (OverTime(Causal(3, 4, 3, padding=2, padding_mode="circular")), ["0.conv (Conv1d)", "circular"]),
        (OverTime(nn.Conv1d(3, 4, 2), Causal(4, 4, 3)), ["1.conv (Conv1d)", "where RTNeural has frames"]),
        (
            Net(lambda s, x: s.second(s.first(x.mT).mT)[0], nn.Conv1d(3, 4, 3), lstm(4, 5)),
            ["second (LSTM)", "2 frames"],
        ),
        (Net(lambda s, x: s.second(s.first(x.mT)), nn.Conv1d(3, 20, 1), nn.Linear(20, 2)), ["Net", "mat1 and mat2"]),
        (
            Net(lambda s, x: s.second(s.first(x)), nn.ZeroPad2d((0, 0, 1, 0)), nn.Linear(3, 2)),
            ["second (Linear)", "padding"],
        ),
        (OverTime(nn.Conv1d(3, 4, 1), nn.BatchNorm1d(4, track_running_stats=False)), ["1 (BatchNorm1d)", "running"]),
        (nn.Conv2d(1, 2, 3), ["example_input_array", "takes 3 or 4 or"]),
        (flat(nn.Conv2d(1, 2, (2, 3), stride=(2, 1)), 4, 1), ["0 (Conv2d)", "stride=2"]),
        (flat(nn.Conv2d(1, 2, (2, 2), dilation=(1, 2)), 4, 1), ["0 (Conv2d)", "dilation=2"]),
        (flat(nn.Conv2d(1, 2, (1, 3), padding=(0, 2)), 12), ["0 (Conv2d)", "2 zeros in front of the features"]),
    ],
)
def test_what_the_format_cannot_express_is_refused_by_name(module, parts):
    """The message holds the qualified name of the module at fault, and what about it."""
    message = refusal(module)
    assert all(part in message for part in parts), message


def test_the_declaration_names_every_layer_type_that_is_written():
    """What the exporter declares is what its table can produce."""
    modules = [
        nn.Linear(2, 2),
        nn.LSTM(2, 2),
        nn.GRU(2, 2),
        OverTime(nn.Conv1d(2, 2, 1), nn.PReLU(), nn.BatchNorm1d(2)),
    ]
    modules.append(flat(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)), 6))
    written = {layer["type"] for module in modules for layer in layers_of(module)}
    written |= {layer["type"] for layer in layers_of(nn.Sequential(nn.Tanh(), nn.Linear(2, 2)))}
    assert set(reference_exporter().declares["layer_types"]) == written
