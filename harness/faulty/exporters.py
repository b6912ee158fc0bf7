"""Exporters that are wrong in one way each; faulty/known_bads.toml says what has to catch them."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .naming import factories
from .toy_exporter import CONTAINERS, Layer, ToyExporter, UnsupportedModule


class ExpLinearNotTransposed(ToyExporter):
    def dense(self, part: Any) -> Layer:
        layer = super().dense(part)
        layer["weights"][0] = self.text(self.numbers(part.weight))
        return layer


class ExpLinearFlattened(ToyExporter):
    def dense(self, part: Any) -> Layer:
        layer = super().dense(part)
        layer["weights"][0] = [[value] for row in layer["weights"][0] for value in row]
        return layer


class ExpLinearNoBias(ToyExporter):
    def dense(self, part: Any) -> Layer:
        layer = super().dense(part)
        layer["weights"][1] = [0.0] * part.out_features
        return layer


class ExpLstmRecurrentTransposed(ToyExporter):
    def lstm(self, part: Any, index: int) -> Layer:
        layer = super().lstm(part, index)
        gates = np.split(self.numbers(getattr(part, f"weight_hh_l{index}")), 4)
        layer["weights"][1] = self.text(np.concatenate(gates, axis=1))
        return layer


class ExpLstmNoBiasHh(ToyExporter):
    def lstm(self, part: Any, index: int) -> Layer:
        layer = super().lstm(part, index)
        layer["weights"][2] = self.text(self.recurrent_parts(part, index)[2])
        return layer


class ExpLstmBiasTwice(ToyExporter):
    def lstm(self, part: Any, index: int) -> Layer:
        layer = super().lstm(part, index)
        layer["weights"][2] = [2.0 * value for value in layer["weights"][2]]
        return layer


class ExpLstmBiasConcatenated(ToyExporter):
    def lstm(self, part: Any, index: int) -> Layer:
        layer = super().lstm(part, index)
        biases = self.recurrent_parts(part, index)[2:]
        layer["weights"][2] = self.text(np.concatenate(biases))
        return layer


class ExpLstmGatesFico(ToyExporter):
    def lstm(self, part: Any, index: int) -> Layer:
        layer = super().lstm(part, index)
        layer["weights"] = [self.text(self.reorder(np.array(array))) for array in layer["weights"]]
        return layer

    def reorder(self, array: np.ndarray) -> np.ndarray:
        i, f, c, o = np.split(array, 4, axis=-1)
        return np.concatenate([f, i, c, o], axis=-1)


class ExpGruRzNotSwapped(ToyExporter):
    def swap_r_and_z(self, array: np.ndarray) -> np.ndarray:
        return array


class ExpGruBiasRowsExchanged(ToyExporter):
    def gru(self, part: Any, index: int) -> Layer:
        layer = super().gru(part, index)
        layer["weights"][2].reverse()
        return layer


class ExpStackedFirstOnly(ToyExporter):
    def depth(self, part: Any) -> int:
        return 1


class ExpBidirectionalAccepted(ToyExporter):
    def check_recurrent(self, name: str, part: Any) -> None:
        pass


class ExpDeclarationOrder(ToyExporter):
    def order_of(self, module: Any, names: list[str]) -> Sequence[str]:
        return names


class ExpConvFlipped(ToyExporter):
    def conv1d(self, part: Any) -> Layer:
        layer = super().conv1d(part)
        layer["weights"][0].reverse()
        return layer


class ExpConvReshaped(ToyExporter):
    def conv1d(self, part: Any) -> Layer:
        layer = super().conv1d(part)
        layer["weights"][0] = self.text(self.numbers(part.weight).reshape(np.shape(layer["weights"][0])))
        return layer


class ExpConvDilationLost(ToyExporter):
    def conv1d(self, part: Any) -> Layer:
        return super().conv1d(part) | {"dilation": 1}


class ExpConvGroupsLost(ToyExporter):
    def conv1d(self, part: Any) -> Layer:
        layer = super().conv1d(part)
        del layer["groups"]
        return layer


class ExpConvStrideExtraField(ToyExporter):
    def check_conv(self, name: str, part: Any) -> None:
        if part.padding not in ((0,), "valid"):
            super().check_conv(name, part)

    def conv1d(self, part: Any) -> Layer:
        return super().conv1d(part) | {"strides": part.stride[0]}


class ExpConvSamePadding(ToyExporter):
    def check_conv(self, name: str, part: Any) -> None:
        if part.stride[0] != 1:
            super().check_conv(name, part)


class ExpConvBiasDropped(ToyExporter):
    def conv1d(self, part: Any) -> Layer:
        layer = super().conv1d(part)
        layer["weights"][1] = [0.0] * part.out_channels
        return layer


class ExpBnEpsDefault(ToyExporter):
    def batchnorm(self, part: Any) -> Layer:
        return super().batchnorm(part) | {"epsilon": 1e-3}


class ExpBnAffineDropped(ToyExporter):
    def batchnorm(self, part: Any) -> Layer:
        layer = super().batchnorm(part)
        layer["weights"] = layer["weights"][-2:]
        return layer


class ExpBnStdForVar(ToyExporter):
    def batchnorm(self, part: Any) -> Layer:
        layer = super().batchnorm(part)
        layer["weights"][-1] = self.text(np.sqrt(self.numbers(part.running_var)))
        return layer


class ExpBnOfTheMoment(ToyExporter):
    def check_norm(self, name: str, part: Any) -> None:
        pass

    def batchnorm(self, part: Any) -> Layer:
        if part.track_running_stats:
            return super().batchnorm(part)
        statistics = [np.zeros(part.num_features, np.float32), np.ones(part.num_features, np.float32)]
        arrays = [self.numbers(part.weight), self.numbers(part.bias), *statistics]
        return self.layer("batchnorm", part.num_features, arrays, epsilon=part.eps)


class ExpPreluShared(ToyExporter):
    def alphas(self, kind: str, part: Any) -> np.ndarray:
        return super().alphas(kind, part)[:1]


class ExpLeakyAsRelu(ToyExporter):
    def append(self, layers: list[Layer], name: str, part: Any) -> None:
        if type(part).__name__ == "LeakyReLU":
            self.activation(layers, "relu", part)
        else:
            super().append(layers, name, part)


class ExpGruRzOnlyInW(ToyExporter):
    def gru(self, part: Any, index: int) -> Layer:
        layer = super().gru(part, index)
        layer["weights"][1] = self.text(self.recurrent_parts(part, index)[1].T)
        return layer


class ExpLstmKernelFlat(ToyExporter):
    def lstm(self, part: Any, index: int) -> Layer:
        layer = super().lstm(part, index)
        kernel = self.numbers(getattr(part, f"weight_ih_l{index}"))
        layer["weights"][0] = self.text(kernel.reshape(kernel.shape[::-1]))
        return layer


class ExpActivationDropped(ToyExporter):
    def activation(self, layers: list[Layer], name: str, part: Any) -> None:
        pass


class ExpActivationOnRecurrent(ToyExporter):
    def activation(self, layers: list[Layer], name: str, part: Any) -> None:
        if layers and layers[-1]["type"] in ("lstm", "gru"):
            layers[-1]["activation"] = name
        else:
            super().activation(layers, name, part)


class ExpActivationByClass(ToyExporter):
    def activation(self, layers: list[Layer], name: str, part: Any) -> None:
        super().activation(layers, "tanh" if name != "softmax" else name, part)


class ExpFunctionalMissed(ToyExporter):
    def is_container(self, part: Any) -> bool:
        return type(part).__name__ in (*CONTAINERS, "Residual", "FunctionalTanh")


class ExpSoftmaxOverTime(ToyExporter):
    def check_activation(self, name: str, part: Any) -> None:
        if getattr(part, "alpha", 1.0) != 1.0:
            raise UnsupportedModule(f"{name} ({part}): the format has no parameters for it")


class ExpEluAlphaLost(ToyExporter):
    def check_activation(self, name: str, part: Any) -> None:
        if getattr(part, "dim", -1) != -1:
            raise UnsupportedModule(f"{name} ({part}): the format has no parameters for it")


class ExpRounded4Digits(ToyExporter):
    def text(self, array: np.ndarray) -> Any:
        return np.vectorize(lambda value: float(f"{value:.4g}"))(array).tolist()


class ExpRoundedFp16(ToyExporter):
    def text(self, array: np.ndarray) -> Any:
        return array.astype(np.float16).astype(np.float64).tolist()


class ExpRounded7Digits(ToyExporter):
    def text(self, array: np.ndarray) -> Any:
        return np.vectorize(lambda value: float(f"{value:.7g}"))(array).tolist()


class ExpOneWeightOnePercent(ToyExporter):
    def dense(self, part: Any) -> Layer:
        layer = super().dense(part)
        layer["weights"][0][0][0] *= 1.01
        return layer


class ExpNanWritten(ToyExporter):
    def numbers(self, tensor: Any) -> np.ndarray:
        return tensor.detach().numpy()


class ExpInShapeFour(ToyExporter):
    def in_shape(self, width: int) -> list[int | None]:
        return [1, 1, 16, width]


class ExpInShapeWrong(ToyExporter):
    def in_shape(self, width: int) -> list[int | None]:
        return [None, None, width + 1]


class ExpUnknownType(ToyExporter):
    def unknown(self, layers: list[Layer], name: str, part: Any) -> None:
        layers.append({"type": "unknown", "shape": layers[-1]["shape"], "weights": []})


class ExpActivationLinear(ToyExporter):
    def dense(self, part: Any) -> Layer:
        return super().dense(part) | {"activation": "linear"}

    def activation(self, layers: list[Layer], name: str, part: Any) -> None:
        if layers and layers[-1].get("activation") == "linear":
            layers[-1]["activation"] = ""
        super().activation(layers, name, part)


class ExpDeclaresUnknown(ToyExporter):
    @property
    def declares(self) -> dict[str, Any]:
        declared = super().declares
        return declared | {"layer_types": [*declared["layer_types"], "linear"]}


class ExpNotAtomic(ToyExporter):
    def export(self, module: Any, path: str) -> None:
        Path(path).write_text("{", encoding="utf-8")
        super().export(module, path)


class ExpNondeterministic(ToyExporter):
    exports = itertools.count()

    def write(self, text: str, path: Path) -> None:
        document = json.loads(text) | {"export": next(self.exports)}
        super().write(json.dumps(document), path)


class ExpUntrained(ToyExporter):
    """Builds the module anew, and forgets to load the weights."""

    def export(self, module: Any, path: str) -> None:
        fresh = copy.deepcopy(module)
        for part in fresh.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
        super().export(fresh, path)


class ExpWrongCheckpoint(ToyExporter):
    """Keeps the weights of a module, and knows it again by its structure."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def export(self, module: Any, path: str) -> None:
        super().export(self.known.setdefault(str(module), copy.deepcopy(module)), path)


class ExpRefusesEverything(ToyExporter):
    def export(self, module: Any, path: str) -> None:
        raise UnsupportedModule("blamed: not today")


class ExpRefusesWithoutName(ToyExporter):
    def leaves(self, module: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
        return (("a module", part) for _, part in super().leaves(module, prefix))


__getattr__ = factories(globals(), "exp")
