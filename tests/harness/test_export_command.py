"""`rtconform export` as a user meets it: a file that is right, or a sentence that says what isn't."""

import json

import pytest

from rtconform.harness.rtneural_json import read

MODULES = """
import torch

def drawn():
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh())

def recurrent():
    return torch.nn.LSTM(3, 2, batch_first=True)

def time_major():
    return torch.nn.GRU(3, 2, num_layers=2)

def channels_first():
    return torch.nn.Sequential(torch.nn.Conv1d(3, 4, 3, dilation=2), torch.nn.BatchNorm1d(4), torch.nn.Conv1d(4, 2, 2))

def as_many_channels_as_frames():
    return torch.nn.Sequential(torch.nn.Conv1d(64, 5, 1), torch.nn.Conv1d(5, 2, 1))

def far_back():
    return torch.nn.Conv1d(3, 2, 3, dilation=80)

def planes():
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, (2, 2)), torch.nn.ELU())
    module.example_input_array = torch.zeros(1, 1, 4, 3)
    return module

def broken():
    raise RuntimeError("boom")

def number():
    return 1

class Shifting:
    declares = {"name": "shifting", "version": "1"}

    def export(self, module, path):
        import json
        layer = module[0]
        weights = [(layer.weight.T + 0.25).tolist(), layer.bias.tolist()]
        dense = {"type": "dense", "activation": "tanh", "shape": [None, None, 2], "weights": weights}
        with open(path, "w") as file:
            json.dump({"in_shape": [None, None, 3], "layers": [dense]}, file)
"""

pytest.importorskip("torch")


@pytest.fixture
def modules(tmp_path):
    (tmp_path / "modules.py").write_text(MODULES)


@pytest.mark.parametrize("factory", ["drawn", "recurrent", "time_major", "channels_first", "far_back", "planes"])
def test_a_file_is_compared_with_its_module(rtconform, tmp_path, modules, factory):
    """Also where the factory draws other weights in each call; a golden is left beside it."""
    done = rtconform("export", f"modules:{factory}", "--out", "m.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "computes what the module computes" in done.stdout
    assert read(tmp_path / "m.json").input_size == 3
    assert json.loads((tmp_path / "golden" / "manifest.json").read_text())["goldens"].keys() == {"m"}


def test_time_is_not_taken_for_channels(rtconform, tmp_path, modules):
    """Also for a module with as many channels as frames are tried, which takes both for either."""
    done = rtconform("export", "modules:as_many_channels_as_frames", "--out", "m.json")
    assert (done.returncode, "computes what the module computes" in done.stdout) == (0, True), done.stderr


def test_a_file_that_computes_something_else_is_told(rtconform, tmp_path, modules):
    """Valid JSON of the right shape is not enough, and such a file gets no golden."""
    done = rtconform("export", "modules:drawn", "--exporter", "py:modules:Shifting", "--out", "m.json")
    assert done.returncode == 1
    assert "m.json computes something else than its module: first at frame 0, output 0" in done.stderr
    assert not (tmp_path / "golden").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("modules:broken", "--out", "m.json"), "modules:broken made no module: RuntimeError: boom"),
        (("modules:number", "--out", "m.json"), "expected a factory of torch.nn.Module, which made int"),
        (("modules:drawn", "--out", "m.json", "--kwargs", "[1]"), "--kwargs: expected a JSON object"),
        (("modules:drawn", "--out", "m.json", "--kwargs", '{"nme": 1}'), "unexpected keyword argument 'nme'"),
        (("modules:drawn", "--out", "m.json", "--weights", "modules.py"), "modules.py: expected a safetensors file"),
        (("modules:drawn", "--out", "no/m.json"), "found no folder no"),
        (("modules:drawn", "--out", "."), "found a folder"),
    ],
)
def test_what_can_not_be_exported_is_told(rtconform, tmp_path, modules, arguments, said):
    """One sentence, exit code 2, and no file."""
    done = rtconform("export", *arguments)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "m.json").exists()
