"""RTNeural's own example models and the outputs that Keras and PyTorch gave for them, read from its source tree.

They are never copied: where RTNeural's source can't be had, nothing here can be shown.
"""

import json

import numpy as np
import pytest
import torch
from torch import nn

from rtconform.harness.implementations import connect
from rtconform.harness.rtneural_json import budget, read, validate_file
from rtconform.harness.rtneural_json.budget import Budget
from rtconform.reference_models.errors import NotAvailable
from rtconform.reference_models.export import export_model
from rtconform.reference_models.rtneural_source import find_rtneural

LOADERS = (
    *("rtneural-stl", "rtneural-eigen", "rtneural-xsimd", "rtneural-checked"),
    *("numpy-runtime", "onnx-runtime", "torch-runtime"),
)
# The frames of the golden, and those of the model's outputs that they belong to.
GOLDENS = {
    "conv": (slice(None), slice(None)),
    "dense": (slice(None), slice(None)),
    "gru": (slice(None), slice(None)),
    "gru_1d": (slice(None), slice(None)),
    "lstm": (slice(None), slice(None)),
    "lstm_1d": (slice(None), slice(None)),
    # Its Keras model kept no state: only the last frames have seen nothing but real ones.
    "conv_stateless": (slice(None), slice(-16, None)),
    # Keras pads the second of its three convolutions in time too, on both sides: it looks two frames ahead.
    "conv2d": (slice(1, 37), slice(14, None)),
}
# Raw state_dicts under upstream's names, the modules that they belong to, and the frames without an output in torch.
STATE_DICTS = {
    "gru_torch": lambda: Cell(gru=nn.GRU(1, 8, batch_first=True)),
    "lstm_torch": lambda: Cell(lstm=nn.LSTM(1, 8, batch_first=True)),
    "conv1d_torch": lambda: nn.Conv1d(1, 12, 5),
    "conv1d_torch_group_6_3_3_1_3": lambda: nn.Conv1d(6, 3, 3, groups=3),
    "conv1d_torch_group_6_3_4_10_3": lambda: nn.Conv1d(6, 3, 4, dilation=10, groups=3),
    "conv1d_torch_group_6_6_1_1_6": lambda: nn.Conv1d(6, 6, 1, groups=6),
}


class Cell(nn.Module):
    """A recurrent module of that name, and a dense one behind it."""

    def __init__(self, **cell):
        super().__init__()
        ((self.name, module),) = cell.items()
        self.add_module(self.name, module)
        self.dense = nn.Linear(8, 1)

    def forward(self, x):
        return self.dense(getattr(self, self.name)(x)[0])


@pytest.fixture(scope="module")
def source():
    try:
        return find_rtneural()
    except NotAvailable as error:
        pytest.skip(f"RTNeural's source is not available: {error}")


def values(source, name, columns):
    """A table of upstream's as `[T, columns]`."""
    table = np.loadtxt(source / "test_data" / f"{name}.csv", delimiter=",", ndmin=2)
    return table.reshape(-1, columns)


def part_of(allowed, kept):
    """The budget of some of the frames."""
    return Budget(
        allowed.numeric_class, allowed.reference[kept], allowed.spread[kept], allowed.bound[kept], allowed.rms_bound
    )


@pytest.mark.parametrize("name", GOLDENS)
def test_the_oracle_is_within_the_budget_of_keras(source, name):
    """What Keras computed in float32 would pass as a loader's outputs."""
    model = read(source / "models" / f"{name}.json")
    frames = values(source, f"{name}_x_python", model.input_size).astype(np.float32)
    golden, kept = GOLDENS[name]
    expected = values(source, f"{name}_y_python", model.output_size)[golden]
    judgement = part_of(budget(model, frames), kept).judge(expected)
    assert judgement.ok, judgement


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("name", GOLDENS)
def test_every_loader_computes_what_the_oracle_does(source, name, loader):
    """On the same frames, for each that declares the layers."""
    path = source / "models" / f"{name}.json"
    model = read(path)
    connected = connect(loader, "loader")
    if not set(model.layer_types) <= set(connected.declaration.layer_types):
        pytest.skip(f"{loader} doesn't declare {', '.join(model.layer_types)}")
    frames = values(source, f"{name}_x_python", model.input_size).astype(np.float32)
    with connected.open() as session, session.load(path) as loaded:
        judgement = budget(model, frames).judge(loaded.process(frames))
    assert judgement.ok, judgement


@pytest.mark.parametrize("name", STATE_DICTS)
def test_a_raw_state_dict_is_named_and_can_be_exported(source, tmp_path, name):
    """It shares the extension; loaded into its module and exported, it matches what PyTorch gave for it."""
    path = source / "models" / f"{name}.json"
    (fault,) = validate_file(path).faults
    assert fault.found.startswith("a raw PyTorch state_dict")
    assert fault.hint == "load it into its torch module and export that module"

    module = STATE_DICTS[name]()
    state = {key: torch.tensor(value) for key, value in json.loads(path.read_text(encoding="utf-8")).items()}
    module.load_state_dict(state)
    export_model(module, tmp_path / "exported.json")

    model = read(tmp_path / "exported.json")
    base = name.partition("_group_")[0] + ("_group" if "_group_" in name else "")
    suffix = name.removeprefix(base)
    frames = values(source, f"{base}_x_python", model.input_size).astype(np.float32)
    golden = np.loadtxt(source / "test_data" / f"{base}_y_python{suffix}.csv", delimiter=",", ndmin=2)
    expected = golden.T if isinstance(module, nn.Conv1d) else golden
    kept = slice(len(frames) - len(expected), None)
    # Its inputs and weights were float64, and are rounded once to float32 here.
    np.testing.assert_allclose(budget(model, frames).reference[kept], expected, rtol=0, atol=1e-6)


def test_what_is_no_model_of_the_format_says_why(source):
    """A file with weights of other sizes than its shapes, and one with a layer of the user's own."""
    bad = validate_file(source / "models" / "bad_lstm.json")
    assert bad.faults[0].json_path == "$.layers[0].weights[0]"
    custom = validate_file(source / "examples" / "custom_layer_model" / "test_net.json")
    assert [fault.json_path for fault in custom.faults] == ["$.layers[2].type"]
    assert "gated_activation" in custom.faults[0].found


def test_every_other_file_is_valid(source):
    """All that upstream's tests and examples load by its dynamic loader."""
    others = [*(source / "models").glob("*.json"), *(source / "examples").glob("*/test_net.json")]
    others = [path for path in others if path.stem not in (*STATE_DICTS, "bad_lstm")]
    others = [path for path in others if path.parent.name != "custom_layer_model"]
    assert len(others) >= len(GOLDENS)
    assert {path.name: validate_file(path).faults for path in others if validate_file(path).faults} == {}
