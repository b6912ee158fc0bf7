"""One reader per layer type: a JSON object to a Layer, checked against the size of the layer in front."""

import json
from collections.abc import Callable

import numpy as np

from . import grammar
from .faults import describe, quote
from .hints import bias_hint, matrix_hint, type_hint
from .numbers import Shape
from .raw_layer import RawLayer

# Keys that other formats give a meaning which RTNeural JSON has no place for, with the value that changes nothing.
_NOBODY_READS = {
    "alpha": (1, 1.0),
    "bidirectional": (False,),
    "go_backwards": (False,),
    "padding": ("causal",),
    "proj_size": (0,),
    "stride": (1, [1]),
    "strides": (1, [1]),
    "use_bias": (True,),
}


def read_layer(raw: RawLayer) -> grammar.Layer | None:
    """The layer, or None after faults, which are in raw.findings."""
    before = len(raw.findings.faults)
    raw.read_keys |= {"type", "shape", "weights"}
    kind = raw.members.get("type")
    reader = _READERS.get(kind) if type(kind) is str else None
    if reader is None:
        found = describe(kind) if "type" in raw.members else "no such key"
        raw.fault("type", f"one of {', '.join(grammar.LAYER_TYPES)}", found, type_hint(kind))
        return None
    layer = reader(raw)
    _judge_other_keys(raw)
    return layer if len(raw.findings.faults) == before else None


def _judge_other_keys(raw: RawLayer) -> None:
    unread = [key for key in raw.members if key not in raw.read_keys]
    for key in unread:
        neutral = _NOBODY_READS.get(key)
        if neutral is not None and json.dumps(raw.members[key]) not in map(json.dumps, neutral):  # 1, 1.0, true differ
            hint = f"RTNeural JSON can't express it on {raw.members['type']}: such a model can't be exported"
            raw.fault(key, f"nothing, or {describe(neutral[0])}", describe(raw.members[key]), hint)
    harmless = [key for key in unread if key not in _NOBODY_READS]
    if harmless:
        raw.findings.note(raw.path, f"keys that nobody reads: {', '.join(quote(key) for key in harmless[:8])}")


def _dense(raw: RawLayer) -> grammar.Layer | None:
    activation = raw.activation()
    weights = raw.weights(2, meaning="kernel [in][out] and bias [out]")
    if weights is None:
        return None
    kernel = raw.array(
        weights, 0, (raw.input_size, raw.output_size), "in × out", matrix_hint(raw.input_size, raw.output_size)
    )
    bias = raw.array(weights, 1, (raw.output_size,), "out", bias_hint(raw.output_size))
    return None if kernel is None or bias is None else grammar.Dense(kernel, bias, activation, raw.members["type"])


def _conv1d(raw: RawLayer) -> grammar.Layer | None:
    activation = raw.activation()
    kernel_size, dilation = raw.integer("kernel_size"), raw.integer("dilation")
    groups = raw.integer("groups", default=1, lists=False)
    per_group = raw.input_size // groups if raw.input_size and groups else None
    undivided = [f"{size}" for size in (raw.input_size, raw.output_size) if size and groups and size % groups]
    if undivided:
        raw.fault("groups", f"a divisor of {' and '.join(undivided)}, the sizes in and out", f"{groups}")
        per_group = None
    _judge_history(raw, "dilation", kernel_size, dilation)
    weights = raw.weights(2, meaning="kernel [K][in / groups][out] and bias [out]")
    if weights is None:
        return None
    shape = (kernel_size, per_group, raw.output_size)
    kernel = raw.array(weights, 0, shape, "K × in/groups × out", matrix_hint(*shape))
    bias = raw.array(weights, 1, (raw.output_size,), "out", bias_hint(raw.output_size))
    if kernel is None or bias is None or dilation is None or groups is None:
        return None
    return grammar.Conv1d(kernel, bias, dilation, groups, activation)


def _judge_history(raw: RawLayer, key: str, kernel_size: int | None, dilation: int | None) -> None:
    if kernel_size and dilation and (kernel_size - 1) * dilation > grammar.MAX_SIZE:
        raw.fault(key, f"a history of at most {grammar.MAX_SIZE} frames", f"{(kernel_size - 1) * dilation}")


def _conv2d(raw: RawLayer) -> grammar.Layer | None:
    activation = raw.activation()
    time, feature = raw.integer("kernel_size_time"), raw.integer("kernel_size_feature")
    dilation, stride = raw.integer("dilation"), raw.integer("strides")
    filters_in, features_in = raw.integer("num_filters_in"), raw.integer("num_features_in")
    filters_out = raw.integer("num_filters_out")
    raw.read_keys.add("padding")
    padding = raw.members.get("padding")
    if padding not in ("valid", "same"):
        raw.fault("padding", '"valid" or "same"', describe(padding) if "padding" in raw.members else "no such key")
        padding = None
    if filters_in and features_in and raw.input_size and filters_in * features_in != raw.input_size:
        product = f"{features_in} · {filters_in} = {features_in * filters_in}"
        raw.fault("num_features_in", f"num_features_in · num_filters_in = {raw.input_size}, the input size", product)
    _judge_history(raw, "dilation", time, dilation)
    if feature and stride and features_in and filters_out and padding:
        features_out = grammar.conv2d_features_out(features_in, feature, stride, padding)
        if features_out < 1:
            raw.fault("kernel_size_feature", f"at most {features_in}, the number of features", f"{feature}")
        elif raw.output_size and features_out * filters_out != raw.output_size:
            raw.fault(
                "shape",
                f"{features_out} features · {filters_out} filters = {features_out * filters_out}",
                f"{raw.output_size}",
            )
    weights = raw.weights(2, meaning="kernel [Kt][Kf][in][out] and bias [out]")
    if weights is None:
        return None
    shape = (time, feature, filters_in, filters_out)
    kernel = raw.array(weights, 0, shape, "Kt × Kf × filters in × filters out", matrix_hint(*shape))
    bias = raw.array(weights, 1, (filters_out,), "filters out", bias_hint(filters_out))
    if kernel is None or bias is None or features_in is None or dilation is None or stride is None or padding is None:
        return None
    return grammar.Conv2d(kernel, bias, features_in, dilation, stride, padding, activation)


def _recurrent(
    raw: RawLayer, gates: int, cell: type, bias_shape: Callable[[int | None], Shape], bias_axes: str
) -> grammar.Layer | None:
    raw.no_activation()
    weights = raw.weights(3, meaning=f"kernel [in][{gates}H], recurrent kernel [H][{gates}H] and bias")
    if weights is None:
        return None
    hidden = raw.output_size
    width = gates * hidden if hidden else None
    kernel = raw.array(weights, 0, (raw.input_size, width), f"in × {gates}H", matrix_hint(raw.input_size, width))
    recurrent = raw.array(weights, 1, (hidden, width), f"H × {gates}H", matrix_hint(hidden, width))
    bias = raw.array(weights, 2, bias_shape(width), bias_axes, bias_hint(width))
    return None if kernel is None or recurrent is None or bias is None else cell(kernel, recurrent, bias)


def _gru(raw: RawLayer) -> grammar.Layer | None:
    return _recurrent(raw, 3, grammar.Gru, lambda width: (2, width), "input and recurrent bias × 3H")


def _lstm(raw: RawLayer) -> grammar.Layer | None:
    return _recurrent(raw, 4, grammar.Lstm, lambda width: (width,), "4H")


def _same_size(raw: RawLayer) -> int | None:
    """The size of a layer that keeps it; a `shape` that says otherwise is a fault."""
    if raw.input_size is not None and raw.output_size not in (None, raw.input_size):
        raw.fault("shape", f"{raw.input_size}, the size of what comes in", f"{raw.output_size}")
    return raw.input_size or raw.output_size


def _prelu(raw: RawLayer) -> grammar.Layer | None:
    raw.no_activation()
    size = _same_size(raw)
    weights = raw.weights(1, meaning="[[alpha, …]]")
    if weights is None:
        return None
    alphas = weights[0]
    shared = type(alphas) is list and len(alphas) == 1 and type(alphas[0]) is list and len(alphas[0]) == 1
    alpha = raw.array(
        weights, 0, (1, 1 if shared else size), "1 × size, or [1][1] for one shared alpha", bias_hint(size)
    )
    return None if alpha is None or size is None else grammar.Prelu(alpha[0], size)


def _batchnorm_arrays(raw: RawLayer, length: int | None, axes: str) -> list[np.ndarray | None] | None:
    weights = raw.weights(4, 2, meaning="gamma, beta, mean, variance, or only mean, variance")
    if weights is None:
        return None
    arrays = [raw.array(weights, index, (length,), axes, bias_hint(length)) for index in range(len(weights))]
    if any(array is None for array in arrays):
        return None
    return arrays if len(arrays) == 4 else [None, None, *arrays]


def _batchnorm(raw: RawLayer) -> grammar.Layer | None:
    raw.no_activation()
    size, epsilon = _same_size(raw), raw.epsilon()
    arrays = _batchnorm_arrays(raw, size, "size")
    return None if arrays is None or epsilon is None else _checked_norm(raw, grammar.BatchNorm(*arrays, epsilon))


def _batchnorm2d(raw: RawLayer) -> grammar.Layer | None:
    raw.no_activation()
    size, epsilon = _same_size(raw), raw.epsilon()
    filters, features = raw.integer("num_filters_in", lists=False), raw.integer("num_features_in", lists=False)
    if size and filters and features and filters * features != size:
        product = f"{features} · {filters} = {features * filters}"
        raw.fault("num_features_in", f"num_features_in · num_filters_in = {size}, the input size", product)
    arrays = _batchnorm_arrays(raw, filters, "filters")
    return (
        None
        if arrays is None or epsilon is None or features is None
        else _checked_norm(raw, grammar.BatchNorm2d(*arrays, epsilon, features))
    )


def _checked_norm(raw: RawLayer, layer: grammar.BatchNorm | grammar.BatchNorm2d) -> grammar.Layer:
    place = f"weights[{len(raw.members['weights']) - 1}]"
    negative = np.nonzero(layer.variance < 0)[0]
    if (layer.variance.astype(np.float64) + float(layer.epsilon) <= 0).any():
        lowest = f"{layer.variance.min():.9g} with epsilon {layer.epsilon:.9g}"
        hint = "are the arrays in the order gamma, beta, mean, variance?"
        raw.findings.fault(
            f"{raw.path}.{place}", "variance + epsilon above 0, since the layer divides by its root", lowest, hint
        )
    elif negative.size:
        raw.findings.note(
            f"{raw.path}.{place}[{negative[0]}]",
            "a negative variance, made up for by a large epsilon: is it what was trained?",
        )
    return layer


def _activation(raw: RawLayer) -> grammar.Layer | None:
    size = _same_size(raw)
    kind = raw.activation()
    if kind == "" and raw.members.get("activation", "") == "":
        found = "no such key" if "activation" not in raw.members else 'the text ""'
        raw.fault(
            "activation",
            f"one of {', '.join(grammar.ACTIVATIONS)}",
            found,
            "RTNeural skips such a layer in silence: leave it out",
        )
    raw.weights(0, meaning="an activation layer has none")
    return None if size is None else grammar.Activation(kind, size)


_READERS: dict[str, Callable[[RawLayer], grammar.Layer | None]] = {
    "dense": _dense,
    "time-distributed-dense": _dense,
    "conv1d": _conv1d,
    "conv2d": _conv2d,
    "gru": _gru,
    "lstm": _lstm,
    "prelu": _prelu,
    "batchnorm": _batchnorm,
    "batchnorm2d": _batchnorm2d,
    "activation": _activation,
}
