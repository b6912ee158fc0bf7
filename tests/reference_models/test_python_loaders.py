"""The loaders on torch and on ONNX Runtime: what the graph is made of, and where they can't be had."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from rtconform.harness import signals
from rtconform.harness.implementations import NotAvailable, connect
from rtconform.harness.selection import stored_cases
from rtconform.reference_models.onnx_step import onnx_of
from rtconform.reference_models.python_loaders import onnx_runtime
from rtconform.reference_models.torch_import import import_model

CASES = {case.name: case.path for case in stored_cases("stored")}


def graph(name):
    return onnx.load_from_string(onnx_of(import_model(CASES[name]))).graph


def test_layers_are_operators_of_onnx_unless_these_are_too_coarse():
    """ONNX Runtime's sigmoid, alone or in its recurrent layers, has not the precision of float32."""
    found = {node.op_type for name in CASES for node in graph(name).node}
    assert found >= {"BatchNormalization", "Conv", "Elu", "PRelu", "Relu", "Softmax", "Tanh"}
    assert found.isdisjoint({"GRU", "LSTM", "Sigmoid"})


def test_state_goes_in_and_comes_out():
    """The history of a convolution, h of a GRU, h and c of an LSTM, in the order of the layers, behind the frame."""

    def shapes(values):
        return [tuple(d.dim_value for d in value.type.tensor_type.shape.dim) for value in values]

    found = graph("keras-conv1d-gru")
    assert shapes(found.input) == [(1, 1, 3), (1, 4, 3), (1, 1, 4)]
    assert shapes(found.output)[1:] == shapes(found.input)[1:]
    found = graph("lstm-dense")
    assert shapes(found.input) == [(1, 1, 3), (1, 1, 7), (1, 1, 7)]
    assert shapes(found.output) == [(1, 1, 2), (1, 1, 7), (1, 1, 7)]


def test_models_may_be_loaded_on_several_threads_at_once():
    """torch's exporter alone refuses that."""
    paths = [str(path) for path in CASES.values()]
    loader = onnx_runtime()

    def outputs(path):
        model = loader.load(path)
        return model.process(signals.noise(8, model.input_size, seed=4))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(outputs, paths))
    for path, together in zip(paths, found, strict=True):
        np.testing.assert_array_equal(together, outputs(path))


@pytest.mark.parametrize(
    ("name", "missing", "extra"), [("torch-runtime", "torch", "torch"), ("onnx-runtime", "onnxruntime", "onnx")]
)
def test_what_is_missing_is_said_with_what_to_install(monkeypatch, name, missing, extra):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(NotAvailable, match=rf"it needs {missing}, .*: pip install 'rtconform\[{extra}\]'$"):
        connect(name, "loader")
