"""The five models have the published sizes and stream, and the specs file holds together."""

import hashlib
import json

import numpy as np
import pytest
import torch

from rtconform.reference_models.models import build
from rtconform.reference_models.numpy_runtime import read_model
from rtconform.reference_models.specs import FIXTURES, load_specs, model_spec

NAMES = list(load_specs().models)
PUBLISHED = {
    "EmotionRecognizer": 403_264,
    "MelodyTransformer": 641_664,
    "HarmonyPredictor": 74_176,
    "DynamicsEngine": 13_520,
    "GroovePredictor": 18_656,
}


@pytest.mark.parametrize("name", NAMES)
def test_parameter_counts_are_the_published_ones(name):
    """The torch module has exactly the published number of parameters; RTNeural's has one LSTM bias less."""
    module, spec = build(name), model_spec(name)
    count = sum(parameter.numel() for parameter in module.parameters())
    second_biases = sum(p.numel() for key, p in module.named_parameters() if "bias_hh" in key)
    assert count == spec.parameters_torch == PUBLISHED[name]
    assert count - second_biases == spec.parameters_rtneural


def test_totals_are_sums():
    """The totals are the sums over the models."""
    specs = load_specs()
    assert sum(s.parameters_torch for s in specs.models.values()) == specs.parameters_torch == 1_151_280
    assert sum(s.parameters_rtneural for s in specs.models.values()) == specs.parameters_rtneural == 1_149_744


@pytest.mark.parametrize("name", NAMES)
def test_outputs_have_the_spec_size_and_range(name):
    """Outputs are [B, T, out] within the range of the last activation, also for loud input."""
    spec = model_spec(name)
    with torch.no_grad():
        outputs, _ = build(name)(50 * torch.randn(2, 5, spec.input_size))
    low, high = spec.output_range
    assert outputs.shape == (2, 5, spec.output_size)
    assert outputs.min() >= low and outputs.max() <= high
    assert spec.output_range == ((-1, 1) if spec.layers[-1].activation == "tanh" else (0, 1))


@pytest.mark.parametrize("name", NAMES)
def test_layers_fit_each_other(name):
    """Each layer takes what the one before it gives, and the ends are the model's sizes."""
    spec = model_spec(name)
    assert [layer.input for layer in spec.layers] == [spec.input_size, *(layer.output for layer in spec.layers[:-1])]
    assert spec.layers[-1].output == spec.output_size


@pytest.mark.parametrize("name", NAMES)
def test_pieces_with_carried_state_give_the_whole(name):
    """Running a signal in pieces with the state handed on equals running it at once."""
    module = build(name).double().eval()
    signal = torch.randn(1, 20, model_spec(name).input_size, dtype=torch.float64)
    with torch.no_grad():
        whole, _ = module(signal)
        first, state = module(signal[:, :7])
        second, _ = module(signal[:, 7:], state)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["EmotionRecognizer", "MelodyTransformer"])
def test_dropped_state_changes_the_outputs(name):
    """The recurrent models do depend on what came before."""
    module = build(name).eval()
    signal = torch.randn(1, 8, model_spec(name).input_size)
    with torch.no_grad():
        whole, _ = module(signal)
        last, _ = module(signal[:, -1:])
    assert not torch.allclose(whole[:, -1:], last, atol=1e-5)


def test_flow_feeds_every_model_its_input_size():
    """The parts of each step exist when they are needed and add up to the model's input."""
    specs = load_specs()
    sizes = {"audio": 128}
    for step in specs.flow:
        for part in step.inputs:
            assert 0 <= part.begin < part.end <= sizes[part.origin]
        assert sum(part.end - part.begin for part in step.inputs) == specs.models[step.model].input_size
        sizes[step.model] = specs.models[step.model].output_size
    assert set(sizes) == {"audio", *specs.models}


def test_dynamics_sees_valence_and_arousal():
    """DynamicsEngine gets half of the valence and half of the arousal dimensions of the embedding."""
    (step,) = [step for step in load_specs().flow if step.model == "DynamicsEngine"]
    assert [(part.origin, part.begin, part.end) for part in step.inputs] == [
        ("EmotionRecognizer", 0, 16),
        ("EmotionRecognizer", 32, 48),
    ]


def test_fallbacks_are_the_neutral_values():
    """Zeros, uniform notes, C major, one half, zeros."""
    values = {name: spec.fallback.values(spec.output_size) for name, spec in load_specs().models.items()}
    assert not values["EmotionRecognizer"].any() and not values["GroovePredictor"].any()
    assert values["MelodyTransformer"].tolist() == [1 / 128] * 128
    assert values["HarmonyPredictor"].tolist() == [1.0] + [0.0] * 63
    assert values["DynamicsEngine"].tolist() == [0.5] * 16
    assert all(v.dtype == np.float32 for v in values.values())


@pytest.mark.parametrize("name", NAMES)
def test_stored_weights_are_those_that_are_documented(name):
    """The stored file has the sha256 of MODELS.md, and the sizes and single-bias parameter count of the spec."""
    spec = model_spec(name)
    text = (FIXTURES / "models" / spec.file).read_bytes()
    page = (FIXTURES / "models" / "MODELS.md").read_text(encoding="utf-8")
    assert f"{hashlib.sha256(text).hexdigest()}  {spec.file}" in page
    model = read_model(text)
    assert (model.input_size, model.output_size) == (spec.input_size, spec.output_size)
    assert sum(array.size for layer in model.layers for array in layer.weights) == spec.parameters_rtneural


def test_unknown_names_and_versions_are_refused(tmp_path):
    """Another model name lists the known ones; a specs file of another version is refused with its path."""
    with pytest.raises(KeyError, match="EmotionRecognizer"):
        build("EmotionRecogniser")
    path = tmp_path / "specs.json"
    path.write_text(json.dumps({"version": 2}))
    with pytest.raises(ValueError, match=r"\$\.version: expected 1, found 2"):
        load_specs(path)
