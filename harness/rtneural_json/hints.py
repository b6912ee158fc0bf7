"""What a fault probably comes from: guesses from the mistakes that exporters make, worded as advice."""

import difflib
from collections.abc import Callable

from .grammar import ACTIVATIONS, LAYER_TYPES
from .numbers import Shape

_ACTIVATIONS_ELSEWHERE = (
    "gelu",
    "selu",
    "silu",
    "swish",
    "softplus",
    "softsign",
    "hardtanh",
    "leaky_relu",
    "leakyrelu",
    "log_softmax",
)
_TYPES_ELSEWHERE = {
    "linear": "a torch Linear is a dense layer, its weight transposed",
    "leaky_relu": "a LeakyReLU is a prelu with one alpha",
    "leakyrelu": "a LeakyReLU is a prelu with one alpha",
    "batchnorm1d": "a torch BatchNorm1d is batchnorm",
    "batch_norm": "write batchnorm",
    "dropout": "dropout does nothing when a model runs: leave it out",
    "unknown": "RTNeural's Keras exporter writes this for a layer it can't name: the model can't be expressed",
}


def type_hint(kind: object) -> str:
    """Why a layer's type may be unknown, and the nearest valid name."""
    if type(kind) is not str:
        return ""
    lower = kind.lower()
    if lower in LAYER_TYPES:
        return f'types are lower case: "{lower}"'
    if lower in _TYPES_ELSEWHERE:
        return _TYPES_ELSEWHERE[lower]
    if lower in ACTIVATIONS:
        return f'write {{"type": "activation", "activation": "{lower}", …}}'
    near = difflib.get_close_matches(lower, LAYER_TYPES, n=1)
    return (
        f'did you mean "{near[0]}"?' if near else "RTNeural skips a layer that it doesn't know: the model would lack it"
    )


def activation_hint(name: object) -> str:
    """The nearest valid activation."""
    if type(name) is not str:
        return 'write "" for none'
    lower = name.lower()
    if lower in ("linear", "none", "identity"):
        return 'write "" for none: RTNeural crashes on an activation that it doesn\'t know'
    if lower in ACTIVATIONS:
        return f'activations are lower case: "{lower}"'
    if lower in _ACTIVATIONS_ELSEWHERE:
        slope = (
            ", but a prelu layer with one alpha is the same"
            if "leaky" in lower
            else ": such a model can't be expressed"
        )
        return f"RTNeural JSON has no {lower}{slope}"
    near = difflib.get_close_matches(lower, ACTIVATIONS, n=1)
    return f'did you mean "{near[0]}"?' if near else "RTNeural crashes on an activation that it doesn't know"


def matrix_hint(*shape: int | None) -> Callable[[Shape], str]:
    """Why a kernel may have another shape than this one."""

    def explain(found: Shape) -> str:
        if None in shape:
            return ""
        if len(shape) > 1 and found == shape[::-1]:
            return "it stands as torch stores it: transpose it, the input axis comes before the output axis"
        if len(found) == 3 and found == (1, *shape):
            return "one pair of brackets too many"
        if len(shape) == 2 and found == (shape[0] * shape[1],):
            return "the matrix is flattened"
        if (
            len(shape) == 3
            and len(found) == 3
            and found[1] * (shape[1] or 1)
            and found[1] != shape[1]
            and found[0::2] == shape[0::2]
        ):
            return "the second axis is the input size divided by groups: is groups missing or wrong?"
        if len(shape) == 2 and len(found) == 2 and found[1] == shape[1]:
            return "rows are inputs: does the size of the layer in front, or in_shape, fit?"
        return ""

    return explain


def bias_hint(length: int | None) -> Callable[[Shape], str]:
    """Why a bias or another vector may have another length than this one."""

    def explain(found: Shape) -> str:
        if length is None:
            return ""
        if found == (2 * length,):
            return "two biases one behind the other? write the sum of bias_ih and bias_hh"
        if found in ((1, length), (length,)):
            return "a GRU keeps two bias rows, for the input and for the state" if length % 3 == 0 else ""
        if found == (2, length):
            return "two rows where one is due: write their sum"
        return ""

    return explain


def batchnorm_hint(found: int) -> str:
    """Why a batch norm may have another number of arrays than two or four."""
    if found == 5:
        return "num_batches_tracked has no place here: drop it"
    if found == 3:
        return "gamma and beta come as a pair, or not at all"
    return ""
