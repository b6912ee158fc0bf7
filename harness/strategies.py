"""Hypothesis strategies for models, signals and block schedules: what property tests of loaders and exporters draw.

    from hypothesis import given
    from rtconform.harness import strategies as rtc

    @given(rtc.models(layer_types=["dense", "gru"]))
    def test_my_reader(model): ...

Structure is drawn as bytes, one per choice, so that a failure shrinks to few, narrow layers; numbers come from one
seed. Drawn one by one they would take a hundred times as long, and Hypothesis copies parts of what it has drawn in one
place to others, which makes models more alike. Nothing hides a mistake: weights are large enough for gates to close, no
two biases are equal, batch norms have statistics of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from . import signals as shapes
from .rtneural_json import Model, grammar as g

WIDTHS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33)
"""Around the multiples of vectors of 4, 8 and 16 floats, where loops have their rests."""
LONG = 10_000
LENGTHS = (1, 2, 3, 5, 16, 17, 64, 334)
"""Frames: one, few, a usual block, an odd host's."""
MAX_SEED = 2**31 - 1


def models(
    *,
    layer_types: Sequence[str] = g.LAYER_TYPES,
    min_layers: int = 1,
    max_layers: int = 4,
    widths: Sequence[int] = WIDTHS,
) -> st.SearchStrategy[Model]:
    """Valid models of min_layers to max_layers layers, each of one of the types, with sizes from widths.

    A conv2d or a batchnorm2d has as many values per frame as its features and filters make. Raises InvalidArgument.
    """
    unknown = sorted(set(layer_types) - set(g.LAYER_TYPES))
    if unknown or not layer_types:
        expected = ", ".join(g.LAYER_TYPES)
        raise InvalidArgument(f"layer_types={list(layer_types)!r}: expected one or more of {expected}")
    if not 1 <= min_layers <= max_layers:
        raise InvalidArgument(f"min_layers={min_layers!r} and max_layers={max_layers!r}: expected 1 ≤ min ≤ max")
    if not widths or not all(isinstance(width, int) and 1 <= width <= g.MAX_SIZE for width in widths):
        raise InvalidArgument(f"widths={list(widths)!r}: expected whole numbers from 1 to {g.MAX_SIZE}")
    counts = tuple(range(min_layers, max_layers + 1))
    return st.builds(_model, _bytes(), seeds(), st.just(tuple(layer_types)), st.just(counts), st.just(tuple(widths)))


def signals(channels: int, *, lengths: Sequence[int] = LENGTHS) -> st.SearchStrategy[np.ndarray]:
    """Frames [T, channels] of float32 with T from lengths: noise of several levels, impulses, steps, silence behind a
    burst. Raises InvalidArgument.
    """
    if not isinstance(channels, int) or channels < 1:
        raise InvalidArgument(f"channels={channels!r}: expected a whole number of at least 1")
    if not lengths or not all(isinstance(length, int) and length >= 1 for length in lengths):
        raise InvalidArgument(f"lengths={list(lengths)!r}: expected whole numbers of at least 1")
    return st.builds(_signal, st.just(channels), st.sampled_from(sorted(lengths)), st.sampled_from(_SIGNALS), seeds())


def block_schedules(frames: int, *, shortest: int = 1, longest: int = 4096) -> st.SearchStrategy[tuple[int, ...]]:
    """How so many frames are cut into blocks of shortest to longest: lengths that are used in turn until they end.

    Ones, primes, powers of two, 334, the whole, and mixtures with blocks of no frames. Raises InvalidArgument.
    """
    if not isinstance(frames, int) or frames < 1 or not 1 <= shortest <= longest:
        expected = "at least one frame, and 1 ≤ shortest ≤ longest"
        raise InvalidArgument(f"frames={frames!r}, shortest={shortest!r}, longest={longest!r}: expected {expected}")
    usual = (1, 2, 3, 7, 13, 31, 64, 128, 257, 334, frames)
    usual = tuple(length for length in usual if shortest <= length <= longest) or (longest,)
    alone = st.sampled_from(usual).map(lambda length: (length,))
    mixed = st.lists(st.sampled_from((0, *usual)), min_size=2, max_size=6).filter(any).map(tuple)
    return alone | mixed


PARTS_WITH_WEIGHTS = ("Linear", "LSTM", "GRU", "Conv1d")
PARTS_OF_ONE_SIZE = ("BatchNorm1d", "LeakyReLU", "Tanh", "ReLU", "Sigmoid", "ELU", "Softmax", "Dropout", "Identity")
PARTS = (*PARTS_WITH_WEIGHTS, *PARTS_OF_ONE_SIZE, "PReLU")


def module_parts(
    *, kinds: Sequence[str] = PARTS, max_parts: int = 4, widths: Sequence[int] = (1, 2, 3, 4, 5, 7, 8)
) -> st.SearchStrategy[list[list[Any]]]:
    """Chains of torch modules for exporters, as `make_parts` of the zoo of modules takes them: [["LSTM", 3, 5, 2], …].

    The first part is of a kind with weights, so that its input size is known. Raises InvalidArgument.
    """
    if not set(kinds) <= set(PARTS) or set(kinds).isdisjoint(PARTS_WITH_WEIGHTS):
        expected = f"{', '.join(PARTS)}, among them one of the first {len(PARTS_WITH_WEIGHTS)}"
        raise InvalidArgument(f"kinds={list(kinds)!r}: expected some of {expected}")
    if max_parts < 1 or not widths or min(widths) < 1:
        raise InvalidArgument(f"max_parts={max_parts!r}, widths={list(widths)!r}: expected sizes of at least 1")
    return st.builds(_module_parts, _bytes(), st.just(tuple(kinds)), st.just(max_parts), st.just(tuple(widths)))


def one_of(choices: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of the choices; the first is the simplest. Raises InvalidArgument if there are none."""
    return st.sampled_from(choices)


def seeds() -> st.SearchStrategy[int]:
    """Seeds for numbers that don't shrink."""
    return st.integers(0, MAX_SEED)


_MOST_CHOICES = 64


def _bytes() -> st.SearchStrategy[bytes]:
    return st.binary(min_size=_MOST_CHOICES, max_size=_MOST_CHOICES)


class _Choices:
    """Choices by one byte each; without bytes, the first of the choices, which has to be the simplest."""

    def __init__(self, data: bytes) -> None:
        self._bytes = iter(data)

    def choose(self, choices: Sequence[Any]) -> Any:
        return choices[next(self._bytes, 0) % len(choices)]


class _Drawing(_Choices):
    """What one model is made of: choices for its structure, a generator for its numbers."""

    def __init__(self, data: bytes, seed: int, widths: tuple[int, ...]) -> None:
        super().__init__(data)
        self.random = np.random.default_rng(seed)
        self.gain = self.choose((1.0, 2.0, 3.0))
        self._widths = widths

    def width(self) -> int:
        return self.choose(self._widths)

    def hidden(self) -> int:
        """A width, the smallest more often: a recurrent kernel [1][4] has no rows to mistake for columns."""
        return self.choose((*self._widths, min(self._widths)))

    def even(self, *shape: int, fan_in: int) -> np.ndarray:
        """Numbers in ±gain/√fan_in; even, and therefore no two the same."""
        numbers = self.random.uniform(-self.gain, self.gain, shape) / np.sqrt(fan_in)
        return numbers.astype(np.float32)

    def activation(self, size: int) -> str:
        # A softmax over one value is 1 whatever the weights are.
        return self.choose([name for name in ("", *g.ACTIVATIONS) if size > 1 or name != "softmax"])


def _model(
    data: bytes, seed: int, layer_types: tuple[str, ...], counts: tuple[int, ...], widths: tuple[int, ...]
) -> Model:
    drawing = _Drawing(data, seed, widths)
    size = first = drawing.width()
    layers = []
    for _ in range(drawing.choose(counts)):
        layers.append(_LAYERS[drawing.choose(layer_types)](drawing, size))
        size = layers[-1].output_size
    return Model(first, tuple(layers))


def _dense(drawing: _Drawing, size: int, kind: str = "dense") -> g.Layer:
    out = drawing.width()
    kernel, bias = drawing.even(size, out, fan_in=size), drawing.even(out, fan_in=1)
    return g.Dense(kernel, bias, drawing.activation(out), kind)


def _time_distributed(drawing: _Drawing, size: int) -> g.Layer:
    return _dense(drawing, size, "time-distributed-dense")


def _conv1d(drawing: _Drawing, size: int) -> g.Layer:
    taps, dilation = drawing.choose((3, 1, 2, 4)), drawing.choose((2, 1, 3, 8))
    groups = drawing.choose(sorted({n for n in (1, 2, 3, 4, 5, size) if size % n == 0}))
    out = groups * drawing.choose((1, 2, 3) if groups <= 5 else (1,))
    kernel = drawing.even(taps, size // groups, out, fan_in=taps * size // groups)
    return g.Conv1d(kernel, drawing.even(out, fan_in=1), dilation, groups, drawing.activation(out))


def _conv2d(drawing: _Drawing, size: int) -> g.Layer:
    filters_in = drawing.choose([n for n in (1, 2, 3, 4) if size % n == 0])
    features = size // filters_in
    padding = drawing.choose(("valid", "same"))
    reach = drawing.choose([n for n in (1, 2, 3) if n <= features])
    taps, dilation, stride = drawing.choose((1, 2, 3)), drawing.choose((1, 2)), drawing.choose((1, 2))
    filters_out = drawing.choose((1, 2, 3))
    out = filters_out * g.conv2d_features_out(features, reach, stride, padding)
    kernel = drawing.even(taps, reach, filters_in, filters_out, fan_in=taps * reach * filters_in)
    bias = drawing.even(filters_out, fan_in=1)
    return g.Conv2d(kernel, bias, features, dilation, stride, padding, drawing.activation(out))


def _gru(drawing: _Drawing, size: int) -> g.Layer:
    hidden = drawing.hidden()
    shapes_of = ((size, 3 * hidden), (hidden, 3 * hidden), (2, 3 * hidden))
    return g.Gru(*(drawing.even(*shape, fan_in=hidden) for shape in shapes_of))


def _lstm(drawing: _Drawing, size: int) -> g.Layer:
    hidden = drawing.hidden()
    shapes_of = ((size, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,))
    return g.Lstm(*(drawing.even(*shape, fan_in=hidden) for shape in shapes_of))


def _prelu(drawing: _Drawing, size: int) -> g.Layer:
    count = drawing.choose((1, size))
    return g.Prelu(drawing.random.uniform(-0.5, 1.5, count).astype(np.float32), size)


def _norm_arrays(drawing: _Drawing, size: int) -> list[np.ndarray | None]:
    gamma, beta, mean = (drawing.random.uniform(-2, 2, size).astype(np.float32) for _ in range(3))
    variance = drawing.random.uniform(1e-4, 3, size).astype(np.float32)
    return [gamma, beta, mean, variance] if drawing.choose((True, False)) else [None, None, mean, variance]


def _batchnorm(drawing: _Drawing, size: int) -> g.Layer:
    return g.BatchNorm(*_norm_arrays(drawing, size), np.float32(drawing.choose((1e-5, 1e-3))))


def _batchnorm2d(drawing: _Drawing, size: int) -> g.Layer:
    filters = drawing.choose([n for n in (1, 2, 3, 4) if size % n == 0])
    epsilon = np.float32(drawing.choose((1e-5, 1e-3)))
    return g.BatchNorm2d(*_norm_arrays(drawing, filters), epsilon, size // filters)


def _activation(drawing: _Drawing, size: int) -> g.Layer:
    return g.Activation(drawing.activation(size) or "tanh", size)


_LAYERS: dict[str, Callable[[_Drawing, int], g.Layer]] = {
    "dense": _dense,
    "time-distributed-dense": _time_distributed,
    "conv1d": _conv1d,
    "conv2d": _conv2d,
    "gru": _gru,
    "lstm": _lstm,
    "prelu": _prelu,
    "batchnorm": _batchnorm,
    "batchnorm2d": _batchnorm2d,
    "activation": _activation,
}


def _module_parts(data: bytes, kinds: tuple[str, ...], most: int, widths: tuple[int, ...]) -> list[list[Any]]:
    choose = _Choices(data).choose
    first = [kind for kind in kinds if kind in PARTS_WITH_WEIGHTS]
    size = choose(widths)
    parts: list[list[Any]] = []
    for place in range(choose(range(1, most + 1))):
        kind = choose(first if place == 0 else kinds)
        if kind == "PReLU":
            parts.append([kind, size, choose((size, 1))])
        elif kind in PARTS_OF_ONE_SIZE:
            parts.append([kind, size])
        elif kind == "Conv1d":
            groups = choose([n for n in (1, 2, 3) if size % n == 0])
            out = groups * choose((1, 2, 3))
            parts.append([kind, size, out, choose((1, 2, 3)), choose((1, 2)), groups])
            size = out
        else:
            out = choose(widths)
            parts.append([kind, size, out, *([choose((1, 2))] if kind != "Linear" else [])])
            size = out
    return parts


def _signal(channels: int, frames: int, kind: str, seed: int) -> np.ndarray:
    if kind == "impulses":
        signal = np.zeros((frames, channels), np.float32)
        turns = np.arange(min(frames, channels))
        signal[turns, (turns + seed) % channels] = 1.0 + turns
        return signal
    if kind == "steps":
        return shapes.alternating(frames, channels, period=5, seed=seed, amplitude=2.0)
    if kind == "burst":
        return shapes.burst_then_silence(frames, channels, burst=1 + frames // 4, seed=seed)
    amplitude = {"quiet": 1e-3, "noise": 1.0, "loud": 8.0}[kind]
    return shapes.noise(frames, channels, seed=seed, amplitude=amplitude)


_SIGNALS = ("noise", "impulses", "steps", "burst", "quiet", "loud")
