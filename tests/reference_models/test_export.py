"""The exporter writes what the module computes, bit for bit, and refuses the rest by name."""

import copy
import errno
import json
import os

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from rtconform.reference_models.errors import UnsupportedModule
from rtconform.reference_models.export import export_model, mapping, reference_exporter, render
from rtconform.reference_models.models import build
from rtconform.reference_models.numpy_runtime import read_model
from rtconform.reference_models.specs import load_specs

from .modules import Net, float32, layers_of, lively, refusal


def test_linear_is_written_in_by_out_with_its_activation():
    """A Linear(3, 5) with Tanh is one dense layer with weights [3][5], bias and activation."""
    linear = lively(nn.Linear(3, 5))
    document = json.loads(render(nn.Sequential(linear, nn.Tanh())))
    (layer,) = document["layers"]
    assert document["in_shape"] == [None, None, 3]
    assert (layer["type"], layer["activation"], layer["shape"]) == ("dense", "tanh", [None, None, 5])
    np.testing.assert_array_equal(float32(layer["weights"][0]), linear.weight.detach().numpy().T)
    np.testing.assert_array_equal(float32(layer["weights"][1]), linear.bias.detach().numpy())


def test_missing_bias_is_zeros_and_no_activation_is_empty():
    """A Linear without bias gets zeros, and its activation is "", never "linear"."""
    (layer,) = layers_of(nn.Linear(3, 2, bias=False))
    assert layer["weights"][1] == [0.0, 0.0] and layer["activation"] == ""


def test_stacked_lstm_has_one_layer_each_with_summed_biases():
    """Each of num_layers becomes its own layer [W, U, b_ih + b_hh], transposed, with the gate order kept."""
    lstm = lively(nn.LSTM(3, 5, num_layers=2, dropout=0.5))
    first, second = layers_of(lstm)
    assert first["activation"] == second["activation"] == ""
    for index, layer in enumerate((first, second)):
        kernel, recurrent, bias = map(float32, layer["weights"])
        np.testing.assert_array_equal(kernel, getattr(lstm, f"weight_ih_l{index}").detach().numpy().T)
        np.testing.assert_array_equal(recurrent, getattr(lstm, f"weight_hh_l{index}").detach().numpy().T)
        total = getattr(lstm, f"bias_ih_l{index}") + getattr(lstm, f"bias_hh_l{index}")
        np.testing.assert_array_equal(bias, total.detach().numpy())


def test_gru_swaps_r_and_z_and_keeps_two_bias_rows():
    """torch's rows r, z, n become z, r, h in all four tensors; the biases stay apart."""
    gru = lively(nn.GRU(3, 5))
    (layer,) = layers_of(gru)
    r, z, n = gru.weight_hh_l0.detach().numpy().reshape(3, 5, 5)
    np.testing.assert_array_equal(float32(layer["weights"][1]), np.concatenate([z, r, n]).T)
    for row, bias in enumerate((gru.bias_ih_l0, gru.bias_hh_l0)):
        r, z, n = bias.detach().numpy().reshape(3, 5)
        np.testing.assert_array_equal(float32(layer["weights"][2][row]), np.concatenate([z, r, n]))


@pytest.mark.parametrize(
    "module",
    [
        nn.LSTM(3, 5, batch_first=True),
        nn.LSTM(3, 5, num_layers=3),
        nn.LSTM(3, 5, bias=False),
        nn.GRU(3, 5, num_layers=2, batch_first=True),
        nn.GRU(3, 1, bias=False),
        nn.Sequential(
            nn.ELU(), nn.Linear(3, 7), nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(7, 1))
        ),
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Sigmoid(), nn.Softmax(dim=-1)),
        Net(lambda s, x: s.second(s.first(x)[0]), nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 2)),
        Net(lambda s, x: s.first(s.second(x)), nn.Linear(5, 2), nn.Linear(3, 5)),
        Net(lambda s, x: s.first(x, (torch.zeros(1, 1, 4), torch.zeros(1, 1, 4))), nn.LSTM(3, 4, batch_first=True)),
        nn.Sequential(torch.nn.utils.parametrizations.weight_norm(nn.Linear(3, 5)), nn.Tanh()),
    ],
    ids=lambda module: type(module).__name__,
)
def test_file_computes_what_forward_computes(module):
    """Evaluated in float64, the file and a float64 copy of the module agree on a signal that the exporter never saw."""
    module = lively(module).eval()
    frames = torch.randn(1, 40, 3, generator=torch.Generator().manual_seed(1))
    time_major = isinstance(module, nn.RNNBase) and not module.batch_first
    found = read_model(render(module), np.float64).process(frames[0].numpy())
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        twin = copy.deepcopy(module).double()
        expected = twin(frames.double().transpose(0, 1) if time_major else frames.double())
    finally:
        torch.set_default_dtype(before)
    expected = expected[0] if isinstance(expected, tuple) else expected
    np.testing.assert_allclose(found, expected.reshape(found.shape).detach().numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", load_specs().models)
def test_the_five_models_have_the_layers_of_their_specs(name):
    """Each exported reference model has its spec's layers, activations and sizes, and single-bias parameter count."""
    spec = load_specs().models[name]
    layers = layers_of(build(name))
    found = [(layer["type"], layer["shape"][-1], layer["activation"]) for layer in layers]
    assert found == [(layer.type, layer.output, layer.activation) for layer in spec.layers]
    assert sum(float32(w).size for layer in layers for w in layer["weights"]) == spec.parameters_rtneural


def test_weights_read_back_to_the_same_bits_in_shortest_form():
    """Denormals, signed zeros, integers and extremes come back bit for bit, with no digit too many."""
    linear = nn.Linear(4, 2)
    values = [[-0.0, 1e-45, 16777216.0, 3.4028235e38], [0.1, -1.17549435e-38, 1.0, 123456790.0]]
    linear.weight.data = torch.tensor(values)
    linear.bias.data = torch.tensor([1 / 3, -0.0])
    text = json.loads(render(nn.Sequential(linear, nn.Sigmoid())), parse_float=str)["layers"][0]["weights"]
    kernel = np.array(text[0], np.float64).astype(np.float32)
    assert kernel.tobytes() == np.ascontiguousarray(np.float32(values).T).tobytes()
    for row, column in np.ndindex(4, 2):
        shortest = np.format_float_scientific(kernel[row, column], unique=True)
        assert _digits(text[0][row][column]) == _digits(shortest)


def _digits(decimal):
    return decimal.lower().lstrip("-").split("e")[0].replace(".", "").strip("0")


def test_same_weights_give_the_same_bytes_and_leave_the_module_alone():
    """Two exports are equal; mode, dtype, weights and hooks of the module stay as they were."""
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Tanh()).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    assert render(module) == render(module)
    assert module.training and module[1].training and not module[0]._forward_hooks
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert torch.get_default_dtype() == torch.float32


def linear_with(value):
    """A Linear(3, 3) with one weight replaced."""
    linear = nn.Linear(3, 3).double()
    linear.weight.data[1, 2] = value
    return linear


@pytest.mark.parametrize(
    ("module", "parts"),
    [
        (nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 4), nn.GELU())), ["1.1 (GELU)"]),
        (Net(lambda s, x: s.first(x.flip(1)), nn.Linear(3, 2)), ["first (Linear)", "the input"]),
        (Net(lambda s, x: s.first(x[:, 1:]), nn.Linear(3, 2)), ["first (Linear)", "whole frames"]),
        (Net(lambda s, x: s.first(x)[..., :1]), ["outermost module (Net)", "only some of them"]),
        (Net(lambda s, x: s.first(x.view(torch.int64).double())), ["first (Linear)", "the input"]),
        (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), ["1 (LayerNorm)"]),
        (nn.Sequential(nn.Linear(3, 4), nn.ELU(0.5)), ["1 (ELU)", "alpha=0.5"]),
        (nn.Sequential(nn.Linear(3, 4), nn.Softmax(dim=1)), ["1 (Softmax)", "dim=1"]),
        (Net(lambda s, x: s.first(x), nn.LSTM(3, 4, bidirectional=True)), ["first (LSTM)", "bidirectional"]),
        (Net(lambda s, x: s.first(x), nn.LSTM(3, 4, proj_size=2)), ["first (LSTM)", "proj_size=2"]),
        (nn.Sequential(nn.Tanh(), linear_with(float("nan"))), ["1 (Linear)", "weight", "[1, 2]"]),
        (nn.Sequential(nn.Tanh(), linear_with(1e40)), ["1 (Linear)", "finite in float32"]),
        (Net(lambda s, x: s.second(torch.tanh(s.first(x)))), ["second (Linear)", "output of first", "Net"]),
        (Net(lambda s, x: s.second(s.first(x).mul_(2))), ["second (Linear)"]),
        (Net(lambda s, x: s.second(s.first(2 * x))), ["first (Linear)", "the input"]),
        (Net(lambda s, x: torch.tanh(s.second(s.first(x)))), ["outermost module (Net)", "second (Linear)"]),
        (nn.Sequential(nn.Linear(3, 3), Net(lambda s, x: x + s.second(s.first(x)))), ["1 (Net)", "1.second"]),
        (Net(lambda s, x: s.second(s.first(x))[:, -1]), ["outermost module (Net)"]),
        (Net(lambda s, x: s.first(x) if x.abs().max() > 2 else s.second(x)), ["outermost module (Net)"]),
        (Net(lambda s, x: s.first(x, (torch.ones(1, 1, 4),) * 2), nn.LSTM(3, 4, batch_first=True)), ["first (LSTM)"]),
        (Net(lambda s, x: s.first(s.second(x)), nn.Linear(4, 3)), ["Net", "mat1 and mat2"]),
        (nn.Sequential(nn.Linear(3, 2), nn.LazyLinear(2)), ["1.weight", "no values"]),
        (nn.Sequential(nn.Identity()), ["outermost module (Sequential)"]),
    ],
)
def test_what_the_format_cannot_express_is_refused_by_name(module, parts):
    """The message holds the qualified name of the module at fault, and what about it."""
    message = refusal(module)
    assert all(part in message for part in parts), message


def test_subclass_with_its_own_forward_is_not_its_base():
    """A Linear subclass that computes something else is refused, not exported as a Linear."""

    class Doubled(nn.Linear):
        def forward(self, x):
            return functional.linear(x, 2 * self.weight, self.bias)

    assert "0 (Doubled)" in refusal(nn.Sequential(Doubled(3, 2)))


def test_mixed_time_axes_are_refused():
    """A recurrent module that would run over the batch axis is refused."""
    module = Net(lambda s, x: s.second(s.first(x)[0])[0], nn.LSTM(3, 4, batch_first=True), nn.LSTM(4, 2))
    assert "second (LSTM)" in refusal(module)


def test_what_no_structure_shows_is_found_by_comparing_numbers():
    """A forward hook that scales an output leaves the chain intact; the comparison with forward() finds it."""
    module = nn.Sequential(nn.Linear(3, 2))
    module[0].register_forward_hook(lambda hooked, args, output: output * 1.001)
    assert "something happens that no module shows" in refusal(module)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda layer: [mapping.replace(layer, weights=(layer.weights[0], layer.weights[1][:, ::-1], layer.weights[2]))],
        lambda layer: [mapping.replace(layer, weights=(*layer.weights[:2], layer.weights[2] * 0))],
        lambda layer: [layer, layer],
    ],
    ids=["recurrent kernel reversed", "bias dropped", "layer twice"],
)
def test_a_mistake_of_the_exporter_itself_is_never_written(wrong, monkeypatch, tmp_path):
    """With a wrong entry in the table, the comparison refuses the file and the old one stays."""
    right = mapping.TABLE[nn.LSTM]
    monkeypatch.setitem(mapping.TABLE, nn.LSTM, right._replace(convert=lambda m, c: wrong(right.convert(m, c)[0])))
    path = tmp_path / "model.json"
    path.write_text("old")
    with pytest.raises(UnsupportedModule):
        export_model(lively(nn.LSTM(4, 4)), path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["model.json"]


def test_a_crash_in_mid_write_leaves_the_old_file(monkeypatch, tmp_path):
    """If the disk fails before the file is complete, the old file is whole and no temporary file is left."""
    path = tmp_path / "model.json"
    reference_exporter().export(nn.Linear(2, 2), path)
    old = path.read_bytes()

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"no space.*model\.json"):
        reference_exporter().export(nn.Linear(2, 2), path)
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["model.json"]
