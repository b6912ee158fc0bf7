"""The grammar of RTNeural JSON as values: one frozen class per layer type.

All arrays are float32, read-only, and stand in the file's own axis order (`[in][out]`), which is not PyTorch's.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

ACTIVATIONS = ("tanh", "relu", "sigmoid", "softmax", "elu")

# Nothing real comes near it, and it keeps a hostile `shape` from allocating gigabytes.
MAX_SIZE = 2**20


class Layer(ABC):
    """What all layer classes share: sizes in floats per frame, and the arrays that `weights` holds."""

    type: str
    array_names: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def input_size(self) -> int: ...

    @property
    @abstractmethod
    def output_size(self) -> int: ...

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Name to array, in the order of the file; an optional array that is absent is left out."""
        present = ((name, getattr(self, name)) for name in self.array_names)
        return {name: array for name, array in present if array is not None}

    @property
    def parameters(self) -> int:
        """How many numbers `weights` holds."""
        return sum(array.size for array in self.arrays.values())


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """y = kernelᵀ x + bias, then the activation. kernel [in, out], bias [out]."""

    array_names: ClassVar = ("kernel", "bias")
    kernel: np.ndarray
    bias: np.ndarray
    activation: str = ""
    type: str = "dense"  # or "time-distributed-dense", which is the same layer

    @property
    def input_size(self) -> int:
        return self.kernel.shape[0]

    @property
    def output_size(self) -> int:
        return self.kernel.shape[1]


@dataclass(frozen=True, eq=False)
class Conv1d(Layer):
    """Causal convolution over frames, stride 1. kernel [K, in / groups, out], bias [out].

    kernel[K-1] meets the newest frame; the history in front of the first frame is zero.
    """

    array_names: ClassVar = ("kernel", "bias")
    kernel: np.ndarray
    bias: np.ndarray
    dilation: int = 1
    groups: int = 1
    activation: str = ""
    type: str = "conv1d"

    @property
    def kernel_size(self) -> int:
        return self.kernel.shape[0]

    @property
    def input_size(self) -> int:
        return self.kernel.shape[1] * self.groups

    @property
    def output_size(self) -> int:
        return self.kernel.shape[2]


@dataclass(frozen=True, eq=False)
class Conv2d(Layer):
    """Convolution over frames (causal, dilated) and over the features inside a frame (strided, padded).

    kernel [Kt, Kf, filters in, filters out], bias [filters out]. A frame is laid out [features][filters].
    """

    array_names: ClassVar = ("kernel", "bias")
    kernel: np.ndarray
    bias: np.ndarray
    features_in: int
    dilation: int = 1
    stride: int = 1
    padding: str = "valid"  # "valid" or "same", along the features
    activation: str = ""
    type: str = "conv2d"

    @property
    def filters_in(self) -> int:
        return self.kernel.shape[2]

    @property
    def filters_out(self) -> int:
        return self.kernel.shape[3]

    @property
    def features_out(self) -> int:
        return conv2d_features_out(self.features_in, self.kernel.shape[1], self.stride, self.padding)

    @property
    def input_size(self) -> int:
        return self.features_in * self.filters_in

    @property
    def output_size(self) -> int:
        return self.features_out * self.filters_out


def conv2d_features_out(features_in: int, kernel_size: int, stride: int, padding: str) -> int:
    """Features per filter behind a conv2d, by TensorFlow's rule for "valid" and "same" padding."""
    covered = features_in if padding == "same" else features_in - kernel_size + 1
    return -(-covered // stride)


@dataclass(frozen=True, eq=False)
class Recurrent(Layer):
    """What gru and lstm share: kernel [in, gates · H], recurrent [H, gates · H], and a bias."""

    array_names: ClassVar = ("kernel", "recurrent", "bias")
    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray

    @property
    def input_size(self) -> int:
        return self.kernel.shape[0]

    @property
    def output_size(self) -> int:
        return self.recurrent.shape[0]


@dataclass(frozen=True, eq=False)
class Gru(Recurrent):
    """Gates z, r, h; bias [2, 3H], of which row 0 is the input's and row 1 the state's."""

    type: str = "gru"


@dataclass(frozen=True, eq=False)
class Lstm(Recurrent):
    """Gates i, f, c, o; bias [4H]."""

    type: str = "lstm"


@dataclass(frozen=True, eq=False)
class Prelu(Layer):
    """y = x where x > 0, else alpha · x. alpha [size], or [1] shared by all."""

    array_names: ClassVar = ("alpha",)
    alpha: np.ndarray
    size: int
    type: str = "prelu"

    @property
    def input_size(self) -> int:
        return self.size

    output_size = input_size


@dataclass(frozen=True, eq=False)
class BatchNorm(Layer):
    """y = gamma / √(variance + epsilon) · (x - mean) + beta. Arrays [size]; gamma and beta may be None (1, 0)."""

    array_names: ClassVar = ("gamma", "beta", "mean", "variance")
    gamma: np.ndarray | None
    beta: np.ndarray | None
    mean: np.ndarray
    variance: np.ndarray
    epsilon: np.float32
    type: str = "batchnorm"

    @property
    def input_size(self) -> int:
        return self.mean.size

    output_size = input_size


@dataclass(frozen=True, eq=False)
class BatchNorm2d(Layer):
    """BatchNorm per filter; a frame is laid out [features][filters]. Arrays [filters]."""

    array_names: ClassVar = ("gamma", "beta", "mean", "variance")
    gamma: np.ndarray | None
    beta: np.ndarray | None
    mean: np.ndarray
    variance: np.ndarray
    epsilon: np.float32
    features: int
    type: str = "batchnorm2d"

    @property
    def filters(self) -> int:
        return self.mean.size

    @property
    def input_size(self) -> int:
        return self.features * self.filters

    output_size = input_size


@dataclass(frozen=True, eq=False)
class Activation(Layer):
    """An activation as a layer of its own; softmax runs over the features of one frame, elu has alpha = 1."""

    activation: str
    size: int
    type: str = "activation"

    @property
    def input_size(self) -> int:
        return self.size

    output_size = input_size


LAYER_TYPES = (
    "dense",
    "time-distributed-dense",
    "conv1d",
    "conv2d",
    "gru",
    "lstm",
    "prelu",
    "batchnorm",
    "batchnorm2d",
    "activation",
)


@dataclass(frozen=True, eq=False)
class Model:
    """A whole file: frames of `input_size` floats go through the layers in order."""

    input_size: int
    layers: tuple[Layer, ...]

    @property
    def output_size(self) -> int:
        return self.layers[-1].output_size

    @property
    def layer_types(self) -> tuple[str, ...]:
        """The distinct types that a loader needs for this file, in order of first use."""
        return tuple(dict.fromkeys(layer.type for layer in self.layers))

    @property
    def parameters(self) -> int:
        """How many numbers all `weights` hold."""
        return sum(layer.parameters for layer in self.layers)


def identical(one: Model, other: Model) -> bool:
    """Whether two models agree in structure and in every bit of every number."""
    if one.input_size != other.input_size or len(one.layers) != len(other.layers):
        return False
    return all(_same_layer(a, b) for a, b in zip(one.layers, other.layers, strict=True))


def _same_layer(a: Layer, b: Layer) -> bool:
    def bits(value: object) -> object:
        return (value.shape, value.tobytes()) if isinstance(value, (np.ndarray, np.float32)) else value

    return type(a) is type(b) and {k: bits(v) for k, v in vars(a).items()} == {k: bits(v) for k, v in vars(b).items()}
