"""Three loaders in Python, on NumPy, on the imported torch module and on ONNX Runtime.

They are slow, and independent of RTNeural.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .errors import NotAvailable
from .numpy_runtime import READERS, BadModelFile, NumpyModel, read_model


class LoadError(ValueError):
    """A file is refused; `phase` is read, parse or validate, `json_path` the place in the file."""

    def __init__(self, message: str, phase: str, json_path: str = "") -> None:
        super().__init__(message)
        self.phase = phase
        self.json_path = json_path


def _read(path: str) -> NumpyModel:
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise LoadError(f"{path}: {error.strerror}", "read") from None
    try:
        return read_model(text)
    except BadModelFile as error:
        place, _, message = str(error).partition(": ")
        raise LoadError(message, "parse" if message.startswith("not JSON") else "validate", place) from None


def _declared(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "version": __version__,
        "role": "loader",
        "numeric_class": "f32",
        "layer_types": list(READERS),
        "features": [],
    }


class _FrameByFrame(ABC):
    """A model whose outputs don't depend on how the frames are cut into blocks.

    Matrix products pick another kernel, which sums in another order, for another number of frames.
    """

    def __init__(self, input_size: int, output_size: int) -> None:
        self.input_size, self.output_size = input_size, output_size

    def process(self, frames: np.ndarray) -> np.ndarray:
        """The outputs `[T, output_size]` for frames `[T, input_size]`."""
        outputs = np.empty((len(frames), self.output_size), np.float32)
        for frame, output in zip(frames, outputs, strict=True):
            output[:] = self.step(np.array(frame)[None])[0]
        return outputs

    @abstractmethod
    def reset(self) -> None:
        """Clears the state."""

    @abstractmethod
    def step(self, frame: np.ndarray) -> np.ndarray:
        """The output `[1, output_size]` of one frame `[1, input_size]`."""


class _OnNumpy(_FrameByFrame):
    def __init__(self, model: NumpyModel) -> None:
        super().__init__(model.input_size, model.output_size)
        self._model = model

    def reset(self) -> None:
        self._model.reset()

    def step(self, frame: np.ndarray) -> np.ndarray:
        return self._model.process(frame)


class _OnTorch(_FrameByFrame):
    def __init__(self, model: NumpyModel) -> None:
        from .torch_import import imported

        super().__init__(model.input_size, model.output_size)
        self._module = imported(model)
        self.reset()

    def reset(self) -> None:
        self._state = None

    def step(self, frame: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            outputs, self._state = self._module.step(torch.from_numpy(frame)[None], self._state)
        return outputs[0].numpy()


class _OnOnnx(_FrameByFrame):
    def __init__(self, model: NumpyModel) -> None:
        from .onnx_step import session_of
        from .torch_import import imported

        super().__init__(model.input_size, model.output_size)
        self._session = session_of(imported(model))
        self._inputs = self._session.get_inputs()
        self.reset()

    def reset(self) -> None:
        self._state = [np.zeros(carried.shape, np.float32) for carried in self._inputs[1:]]

    def step(self, frame: np.ndarray) -> np.ndarray:
        values = (frame[None], *self._state)
        named = {known.name: value for known, value in zip(self._inputs, values, strict=True)}
        outputs, *self._state = self._session.run(None, named)
        return outputs[0]


class NumpyLoader:
    """The Loader role on the NumPy runtime."""

    declares = _declared("numpy-runtime")

    def load(self, path: str) -> _FrameByFrame:
        """Raises LoadError."""
        return _OnNumpy(_read(path))


class TorchLoader:
    """The Loader role on PyTorch, by way of the importer."""

    declares = _declared("torch-runtime")

    def load(self, path: str) -> _FrameByFrame:
        """Raises LoadError."""
        return _OnTorch(_read(path))


class OnnxLoader:
    """The Loader role on ONNX Runtime, by way of the importer and torch's ONNX exporter."""

    declares = _declared("onnx-runtime")

    def load(self, path: str) -> _FrameByFrame:
        """Raises LoadError."""
        return _OnOnnx(_read(path))


def _need(extra: str, *modules: str) -> None:
    """Said here, before any file is blamed."""
    for module in modules:
        try:
            import_module(module)
        except ImportError as error:
            raise NotAvailable(
                f"it needs {module}, which can't be imported here ({error}): pip install 'rtconform[{extra}]'"
            ) from None


def numpy_runtime() -> NumpyLoader:
    """The entry point `numpy-runtime`."""
    return NumpyLoader()


def torch_runtime() -> TorchLoader:
    """The entry point `torch-runtime`; raises NotAvailable where torch is not installed."""
    _need("torch", "torch")
    return TorchLoader()


def onnx_runtime() -> OnnxLoader:
    """The entry point `onnx-runtime`; raises NotAvailable where torch, onnx or onnxruntime is not installed."""
    _need("onnx", "torch", "onnx", "onnxruntime")
    return OnnxLoader()
