"""The grammar, and the judge's writer."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtconform.harness.export_cases import numbers_of
from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import Model, dumps, grammar as g, identical, read, validate_bytes, write
from rtconform.harness.rtneural_json.write import shortest

from .models import FAMILIES, random_model

SMALL = sorted((FIXTURES / "models" / "small").glob("*.json"))


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


SIZES = {
    "dense": (g.Dense(zeros(3, 5), zeros(5)), 3, 5, 20),
    "conv1d": (g.Conv1d(zeros(4, 3, 8), zeros(8), dilation=2, groups=2), 6, 8, 104),
    "conv2d valid": (g.Conv2d(zeros(2, 3, 2, 5), zeros(5), features_in=8, stride=2), 16, 15, 65),
    "conv2d same": (g.Conv2d(zeros(2, 3, 2, 5), zeros(5), features_in=8, stride=3, padding="same"), 16, 15, 65),
    "gru": (g.Gru(zeros(3, 15), zeros(5, 15), zeros(2, 15)), 3, 5, 150),
    "lstm": (g.Lstm(zeros(3, 20), zeros(5, 20), zeros(20)), 3, 5, 180),
    "prelu": (g.Prelu(zeros(1), 5), 5, 5, 1),
    "batchnorm": (g.BatchNorm(zeros(5), zeros(5), zeros(5), zeros(5), np.float32(1)), 5, 5, 20),
    "batchnorm not affine": (g.BatchNorm(None, None, zeros(5), zeros(5), np.float32(1)), 5, 5, 10),
    "batchnorm2d": (g.BatchNorm2d(None, None, zeros(3), zeros(3), np.float32(1), features=4), 12, 12, 6),
    "activation": (g.Activation("tanh", 7), 7, 7, 0),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_parameters(name):
    """Sizes follow from the arrays, and parameters count the numbers in weights."""
    layer, input_size, output_size, parameters = SIZES[name]
    assert (layer.input_size, layer.output_size, layer.parameters) == (input_size, output_size, parameters)


def test_model_sums_up_its_layers():
    """Output size, parameters, and each layer type once."""
    model = Model(3, (SIZES["dense"][0], SIZES["activation"][0], SIZES["dense"][0]))
    assert (model.output_size, model.parameters, model.layer_types) == (5, 40, ("dense", "activation"))


def test_identical_sees_every_bit():
    """A weight that differs in its last bit, another activation, a zero of the other sign: all differ."""
    model = read(FIXTURES / "models" / "small" / "dense-wide.json")
    first, last = model.layers

    def with_kernel(change):
        kernel = last.kernel.copy()
        change(kernel)
        return Model(3, (first, g.Dense(kernel, last.bias, last.activation)))

    def next_bit(kernel):
        kernel[0, 0] = np.nextafter(kernel[0, 0], np.float32(9))

    def zero(kernel):
        kernel[0, 0] = 0.0

    def minus_zero(kernel):
        kernel[0, 0] = -0.0

    assert identical(model, with_kernel(lambda kernel: None))
    assert not identical(model, with_kernel(next_bit))
    assert not identical(with_kernel(zero), with_kernel(minus_zero))
    assert not identical(model, Model(3, (first, g.Dense(last.kernel, last.bias, "tanh"))))
    assert not identical(model, Model(3, (first,)))


def test_small_models_cover_every_layer_type_and_activation():
    """No type of the grammar goes without a stored model."""
    layers = [layer for path in SMALL for layer in read(path).layers]
    assert {layer.type for layer in layers} == set(g.LAYER_TYPES)
    assert {getattr(layer, "activation", "") for layer in layers} == {"", *g.ACTIVATIONS}


@pytest.mark.parametrize(
    "path", [p for p in SMALL if not p.stem.startswith(("keras-", "bare-", "neutral-"))], ids=lambda path: path.stem
)
def test_small_models_are_canonical(path):
    """Reading a stored model and writing it again gives the same bytes; but for those in others' forms."""
    assert dumps(read(path)) == Path(path).read_text(encoding="utf-8")


@pytest.mark.parametrize("family", FAMILIES)
def test_written_models_read_back_bit_for_bit(family):
    """Writer and validator agree on models of every family."""
    random = np.random.default_rng(1)
    for _ in range(20):
        model = random_model(random, family)
        report = validate_bytes(dumps(model).encode())
        assert not report.faults
        assert identical(model, report.model)


@given(st.integers(0, 2**32 - 1))
def test_shortest_decimals_give_the_same_bits(bits):
    """Every finite float32 survives, and no shorter decimal of its digits would do."""
    number = np.uint32(bits).view(np.float32)
    if not np.isfinite(number):
        with pytest.raises(ValueError, match="no number"):
            shortest(number)
        return
    text = shortest(number)
    assert np.float32(json.loads(text)).tobytes() == number.tobytes()
    assert len(text.lstrip("-").split("e")[0].replace(".", "").strip("0")) <= 9


def test_a_row_of_numbers_is_written_number_by_number():
    """Whatever is faster for many numbers at a time writes what one number is written as, in every notation."""
    random = np.random.default_rng(7)
    edges = np.array([0.0, -0.0, 1.0, write.PLAIN_FROM, write.PLAIN_BELOW, 1e-4, 1e16], np.float32)
    around = np.nextafter(np.array([edges, edges]), np.array([[-np.inf], [np.inf]], np.float32)).ravel()
    plain = np.array([write.PLAIN_FROM, write.PLAIN_BELOW], np.float32).view(np.uint32)
    drawn = np.concatenate([random.integers(0, 2**32, 10_000), random.integers(*plain, 50_000)]).astype(np.uint32)
    numbers = np.concatenate([edges, around, -around, drawn.view(np.float32)])
    numbers = numbers[np.isfinite(numbers)]
    assert write._decimals(numbers) == [shortest(number) for number in numbers]
    assert write._decimals(numbers[::-3]) == [shortest(number) for number in numbers[::-3]]
    assert write._decimals(numbers[:0]) == []
    with pytest.raises(ValueError, match="no number for inf"):
        write._decimals(np.append(numbers, np.float32(np.inf)))


def test_a_model_of_activations_has_no_numbers():
    """What an exporter leaves that drops every layer with weights is judged like any other file."""
    assert numbers_of(Model(3, (g.Activation("tanh", 3),))).shape == (0,)
