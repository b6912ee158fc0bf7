"""The reference pipeline: the five models over a stream of audio frames, one after the other, in the caller's thread.

It is the plain statement of what a pipeline owes its caller: one result per frame with that frame's id, a flagged
stand-in for each model that can't run, a reload that never makes things worse, and an account of what plays.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import orjson

from .. import __version__
from .numpy_runtime import NumpyModel, read_model
from .specs import ModelSpec, Specs, load_specs

AUDIO_FEATURES = 128


class Model(Protocol):
    """A loaded model: `process` maps float32 `[T, input_size]` to `[T, output_size]` and carries state."""

    input_size: int
    output_size: int

    def reset(self) -> None: ...
    def process(self, frames: np.ndarray) -> np.ndarray: ...


class Loader(Protocol):
    """Whatever reads a file into a Model; a refusal is any exception."""

    def load(self, path: str) -> Model: ...


class NumpyLoader:
    """The loader used by default: RTNeural JSON evaluated in NumPy float32."""

    def load(self, path: str) -> NumpyModel:
        """Raises OSError or BadModelFile."""
        return read_model(Path(path).read_bytes())


def check_layers(text: bytes, spec: ModelSpec) -> None:
    """Raises ValueError unless a file that a loader took for RTNeural JSON holds the layers of a spec.

    Two of the five models have the same outer sizes, so that sizes alone would let one play in the other's place.
    """
    document = orjson.loads(text)
    found = [
        (layer["type"], layer["shape"][-1], layer.get("activation", "") if layer["type"] != "lstm" else "")
        for layer in document["layers"]
    ]
    wanted = [(layer.type, layer.output, layer.activation) for layer in spec.layers]
    for index, (is_there, due) in enumerate(zip_longest(found, wanted)):
        if is_there != due:
            raise ValueError(
                f"$.layers[{index}]: expected {_described(due)}, found {_described(is_there)}; "
                f"this is not the file of a {spec.name}"
            )


def _described(layer: tuple[str, int, str] | None) -> str:
    return f"{layer[0]} of {layer[1]} {layer[2]}".rstrip() if layer else "no further layer"


class ReferencePipeline:
    """The Pipeline role: `declares`, and `open(models_dir)`."""

    declares: ClassVar = {
        "name": "reference-pipeline",
        "version": __version__,
        "role": "pipeline",
        "numeric_class": "f32",
        "layer_types": ["dense", "lstm"],
        "features": ["synchronous", "reload", "fallback"],
    }

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def open(self, models_dir: str | os.PathLike[str], *, disabled: Iterable[str] = ()) -> Session:
        """A session on the files of `models_dir`, named as the specs say; raises KeyError for an unknown name.

        A missing or broken file is no error: that model runs on its fallback, and `status()` says why.
        """
        return Session(Path(models_dir), self._loader, load_specs(), disabled)


def reference_pipeline(loader: Loader | None = None) -> ReferencePipeline:
    """The entry point `reference-pipeline`; any object with the Loader role's `load(path)` can do the computing."""
    return ReferencePipeline(loader or NumpyLoader())


class _Slot:
    """One model's place in the pipeline: the model, if there is one, and why there is none."""

    def __init__(self, spec: ModelSpec, path: Path, *, enabled: bool) -> None:
        self.spec = spec
        self._path = path
        self._enabled = enabled
        self._model: Model | None = None
        self._version = 0
        self._fallback = spec.fallback.values(spec.output_size)
        self._reason = "" if enabled else "switched off"

    def load(self, loader: Loader) -> None:
        """Replaces the model, with cleared state, if the file gives a good one; keeps the old one otherwise."""
        if not self._enabled:
            return
        try:
            text = self._path.read_bytes()
            model = loader.load(str(self._path))
            if self._path.read_bytes() != text:
                raise ValueError("the file changed while it was read; write it elsewhere and rename it")
            sizes, wanted = (model.input_size, model.output_size), (self.spec.input_size, self.spec.output_size)
            if sizes != wanted:
                raise ValueError(
                    f"expected {wanted[0]} inputs and {wanted[1]} outputs, found {sizes[0]} and {sizes[1]}"
                )
            check_layers(text, self.spec)
            model.reset()
        except Exception as error:
            kept = "; the model loaded before still runs" if self._model is not None else ""
            self._reason = f"{self._path.name}: {error}{kept}"
        else:
            self._model, self._reason = model, ""
            self._version += 1

    def process(self, inputs: np.ndarray) -> tuple[np.ndarray, bool]:
        """The outputs for one frame and whether they are the fallback; a model that fails is dropped until a reload."""
        if self._model is None:
            return self._fallback.copy(), True
        try:
            outputs = np.array(self._model.process(inputs[np.newaxis]), np.float32).reshape(self.spec.output_size)
            if not np.isfinite(outputs).all():
                raise ValueError("its outputs are not finite")
        except Exception as error:
            self._model, self._reason = None, f"{self._path.name}: failed while running: {error}"
            return self._fallback.copy(), True
        return outputs, False

    def status(self) -> dict[str, object]:
        state = "loaded" if self._model is not None else "fallback" if self._enabled else "disabled"
        return {"state": state, "reason": self._reason, "version": self._version}

    @property
    def version(self) -> int:
        """How many good loads there were; the last of them plays, unless it failed while running."""
        return self._version

    def fallback(self) -> np.ndarray:
        return self._fallback.copy()


class Session:
    """One stream of frames through the five models; not thread-safe. State is cleared by opening and reloading."""

    def __init__(self, models_dir: Path, loader: Loader, specs: Specs, disabled: Iterable[str]) -> None:
        off = set(disabled)
        self._flow = specs.flow
        self._loader = loader
        self._slots = {
            name: _Slot(spec, models_dir / spec.file, enabled=name not in off) for name, spec in specs.models.items()
        }
        for name in off:
            self._slot(name)
        self._results: list[dict[str, object]] = []
        self._open = True
        self.reload()

    def submit(self, frame_id: int, audio: np.ndarray) -> None:
        """Runs one frame of features, float32 `[128]`; its result waits for `poll()`.

        A frame with NaN or infinity reaches no model: its result is all fallback, and the state stays as it was.
        Raises ValueError for another shape and RuntimeError after `close()`.
        """
        self._require_open()
        features = np.asarray(audio, np.float32)
        if features.shape != (AUDIO_FEATURES,):
            raise ValueError(f"frame {frame_id}: expected features of shape [{AUDIO_FEATURES}], found {features.shape}")
        usable = bool(np.isfinite(features).all())
        values: dict[str, np.ndarray] = {"audio": features}
        flags: dict[str, bool] = {}
        for step in self._flow:
            slot = self._slots[step.model]
            if usable:
                inputs = np.concatenate([values[part.origin][part.begin : part.end] for part in step.inputs])
                values[step.model], flags[step.model] = slot.process(inputs)
            else:
                values[step.model], flags[step.model] = slot.fallback(), True
        del values["audio"]
        versions = {name: slot.version for name, slot in self._slots.items()}
        self._results.append({"id": frame_id, "outputs": values, "fallback": flags, "version": versions})

    def poll(self) -> list[dict[str, object]]:
        """The results since the last poll, in the order of submission: {"id", "outputs", "fallback", "version"}."""
        self._require_open()
        results, self._results = self._results, []
        return results

    def reload(self, name: str | None = None) -> None:
        """Reads one model's file again, or all; a file that can't be used leaves the model as it is.

        Raises KeyError for an unknown name; what became of the file is in `status()`.
        """
        self._require_open()
        for slot in [self._slot(name)] if name is not None else self._slots.values():
            slot.load(self._loader)

    def status(self) -> dict[str, dict[str, object]]:
        """Per model, its state ("loaded", "fallback" or "disabled"), its version, and the reason unless all is well."""
        return {name: slot.status() for name, slot in self._slots.items()}

    def close(self) -> None:
        """Drops the models and the results that were not polled; a second call does nothing."""
        self._open = False
        self._results = []
        self._slots = {}

    def _slot(self, name: str) -> _Slot:
        if name not in self._slots:
            raise KeyError(f"no model is called {name!r}; there are {', '.join(self._slots)}")
        return self._slots[name]

    def _require_open(self) -> None:
        if not self._open:
            raise RuntimeError("the session is closed")
