"""The oracle against formulas written out, against PyTorch, and against itself in other chunks."""

import math

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import Model, evaluate, grammar as g, oracle, read

from .models import FAMILIES, random_model, uniform

SMALL = sorted((FIXTURES / "models" / "small").glob("*.json"))


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def run(layer: g.Layer, frames: np.ndarray) -> np.ndarray:
    return evaluate(Model(layer.input_size, (layer,)), frames)


def test_dense_is_the_transposed_kernel_times_the_frame():
    """y[o] = Σ x[i] · W[i][o] + b[o], written out."""
    layer = g.Dense(floats(1, 2, 3, 4, 5, 6).reshape(2, 3), floats(0.5, -0.5, 0.25))
    assert run(layer, floats(10, 100).reshape(1, 2)).tolist() == [[410.5, 519.5, 630.25]]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("tanh", math.tanh),
        ("relu", lambda x: max(x, 0.0)),
        ("sigmoid", sigmoid),
        ("elu", lambda x: x if x > 0 else math.exp(x) - 1),
    ],
)
def test_activations(name, function):
    """Each activation on both sides of zero, in a layer of its own and fused."""
    values = floats(-2, -0.5, 0, 0.5, 2)
    expected = [function(float(x)) for x in values]
    assert run(g.Activation(name, 5), values.reshape(1, 5))[0].tolist() == pytest.approx(expected, rel=1e-12)
    fused = g.Dense(np.eye(5, dtype=np.float32), np.zeros(5, np.float32), name)
    assert run(fused, values.reshape(1, 5))[0].tolist() == pytest.approx(expected, rel=1e-12)


def test_softmax_runs_over_the_features_of_one_frame():
    """Each frame sums to one, and logits of thousands overflow nothing."""
    frames = floats(1, 2, 3, 5000, -5000, 4999).reshape(2, 3)
    outputs = run(g.Activation("softmax", 3), frames)
    total = sum(math.exp(x) for x in (1, 2, 3))
    assert outputs[0].tolist() == pytest.approx([math.exp(x) / total for x in (1, 2, 3)], rel=1e-12)
    assert outputs[1].tolist() == pytest.approx([1 / (1 + math.exp(-1)), 0, 1 / (1 + math.e)], rel=1e-12)


def test_lstm_gates_and_state():
    """Two frames of one unit by hand: gates i, f, c, o, and the state of the first frame in the second."""
    w, u, b = (0.5, -0.4, 0.9, 0.3), (0.7, 0.2, -0.6, 0.1), (0.1, 0.8, -0.2, 0.4)
    layer = g.Lstm(floats(*w).reshape(1, 4), floats(*u).reshape(1, 4), floats(*b))
    w, u, b = ([float(np.float32(v)) for v in values] for values in (w, u, b))
    h = c = 0.0
    expected = []
    for x in (1.5, -0.75):
        i, f, z, o = (w[k] * x + u[k] * h + b[k] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * math.tanh(z)
        h = sigmoid(o) * math.tanh(c)
        expected.append(h)
    assert run(layer, floats(1.5, -0.75).reshape(2, 1))[:, 0].tolist() == pytest.approx(expected, rel=1e-12)


def test_gru_gates_and_state():
    """Two frames of one unit by hand: gates z, r, h, and the recurrent bias inside the reset gate's product."""
    w, u, b, c = (0.5, -0.4, 0.9), (0.7, 0.2, -0.6), (0.1, 0.8, -0.2), (0.3, -0.5, 0.6)
    layer = g.Gru(floats(*w).reshape(1, 3), floats(*u).reshape(1, 3), floats(*b, *c).reshape(2, 3))
    w, u, b, c = ([float(np.float32(v)) for v in values] for values in (w, u, b, c))
    h = 0.0
    expected = []
    for x in (1.5, -0.75):
        z, r = (sigmoid(w[k] * x + b[k] + u[k] * h + c[k]) for k in range(2))
        h = (1 - z) * math.tanh(w[2] * x + b[2] + r * (u[2] * h + c[2])) + z * h
        expected.append(h)
    assert run(layer, floats(1.5, -0.75).reshape(2, 1))[:, 0].tolist() == pytest.approx(expected, rel=1e-12)


def test_conv1d_is_causal_dilated_and_not_flipped():
    """An impulse comes out as the kernel from its newest tap to its oldest, `dilation` frames apart."""
    layer = g.Conv1d(floats(1, 2, 3).reshape(3, 1, 1), floats(0), dilation=2)
    assert run(layer, signals.impulses(7, 1, spacing=1))[:, 0].tolist() == [3, 0, 2, 0, 1, 0, 0]


def test_conv1d_groups_split_both_channel_axes():
    """Each group of inputs reaches its own outputs only."""
    layer = g.Conv1d(floats(1, 2, 3, 4).reshape(1, 1, 4), floats(0, 0, 0, 0), groups=2)
    assert run(layer, floats(10, 100).reshape(1, 2)).tolist() == [[10, 20, 300, 400]]


def test_prelu_and_batchnorm():
    """Slopes below zero only; mean, variance and epsilon of each channel."""
    assert run(g.Prelu(floats(0.25, 0.5), 2), floats(-4, 4, 4, -4).reshape(2, 2)).tolist() == [[-1, 4], [4, -2]]
    layer = g.BatchNorm(floats(2, 1), floats(1, 0), floats(3, -1), floats(8, 0), np.float32(1))
    assert run(layer, floats(6, 2).reshape(1, 2))[0].tolist() == pytest.approx([2 / 3 * 3 + 1, 3])


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_small_models_agree_with_pytorch(path):
    """Every layer type gives what PyTorch's own module gives in float64."""
    pytest.importorskip("torch")
    from rtconform.harness import torch_reference

    model = read(path)
    frames = signals.noise(70, model.input_size, seed=5, amplitude=2.0)
    assert np.abs(evaluate(model, frames) - torch_reference.evaluate(model, frames)).max() < 1e-13


@pytest.mark.parametrize("family", FAMILIES)
def test_random_models_agree_with_pytorch(family):
    """Stacks of layers, groups and dilations included, give what PyTorch gives."""
    pytest.importorskip("torch")
    from rtconform.harness import torch_reference

    random = np.random.default_rng(2)
    for _ in range(10):
        model = random_model(random, family)
        frames = signals.noise(40, model.input_size, seed=6)
        ours, theirs = evaluate(model, frames), torch_reference.evaluate(model, frames)
        assert np.abs(ours - theirs).max() < 1e-10 * max(1.0, np.abs(theirs).max())


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_chunks_change_nothing(path, monkeypatch):
    """State and history pass from chunk to chunk: a frame at a time gives what one chunk gives."""
    model = read(path)
    frames = signals.noise(30, model.input_size, seed=7)
    whole = evaluate(model, frames)
    monkeypatch.setattr(oracle, "_CHUNK_NUMBERS", 1)
    assert np.abs(evaluate(model, frames) - whole).max() < 1e-13


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_signals_side_by_side_give_what_each_gives_alone(path):
    """Several signals at once, each from zero state."""
    model = read(path)
    several = np.stack([signals.noise(12, model.input_size, seed=seed) for seed in (9, 10, 11)])
    alone = np.stack([evaluate(model, frames) for frames in several])
    assert np.abs(evaluate(model, several) - alone).max() < 1e-13


@pytest.mark.parametrize("name", ["lstm-stacked", "gru-stacked", "conv1d-dilated", "conv2d", "dense-wide"])
def test_forgetting_state_gives_each_frame_alone(name):
    """With reset_each_frame every frame gives what it gives as the first."""
    model = read(FIXTURES / "models" / "small" / f"{name}.json")
    frames = signals.noise(6, model.input_size, seed=8)
    alone = np.concatenate([evaluate(model, frame[np.newaxis]) for frame in frames])
    assert np.abs(evaluate(model, frames, reset_each_frame=True) - alone).max() < 1e-14


def test_no_frames_give_no_outputs():
    """An empty signal is a signal."""
    assert evaluate(read(SMALL[0]), np.zeros((0, 3), np.float32)).shape == (0, 5)


def test_frames_of_another_width_are_refused():
    """The error names the shape that was expected."""
    with pytest.raises(ValueError, match=r"\[T, 3\]"):
        evaluate(read(FIXTURES / "models" / "small" / "dense.json"), np.zeros((4, 2), np.float32))


def test_every_layer_type_has_a_formula():
    """What the grammar can read the oracle can evaluate."""
    concrete = {value for value in vars(g).values() if isinstance(value, type) and issubclass(value, g.Layer)}
    assert set(oracle.cells.EVALUATORS) == concrete - {g.Layer, g.Recurrent}


def test_ten_thousand_frames_stay_finite():
    """A long run passes through many chunks and stays where an lstm's outputs are."""
    random = np.random.default_rng(3)
    lstm = g.Lstm(*(uniform(random, shape, 2) for shape in ((1, 8), (2, 8), (8,))))
    outputs = run(lstm, signals.burst_then_silence(10_000, 1, burst=100, seed=1))
    assert np.abs(outputs).max() < 1
    assert np.isfinite(outputs).all()
