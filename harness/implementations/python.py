"""The roles in process (py:): a user's own objects, with every exception and every odd answer made a value.

In process means that a crash or a hang takes the run with it; serve.py puts a process between.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import BadConnection, ProtocolViolation
from .module_ref import ModuleRef
from .protocols import Declaration, with_article
from .python_pipeline import PythonPipeline
from .roles import (
    MAX_FRAMES,
    ExporterImplementation,
    Implementation,
    LoadedModel,
    LoaderImplementation,
    LoaderSession,
    Progress,
    TrainerImplementation,
)
from .user_code import as_array, as_values, is_named, member, refused

METHODS = {"loader": "load", "exporter": "export", "trainer": "train", "pipeline": "open"}
"""The method that makes an object an implementation of a role."""


def adopt(found: Any, role: str, connection: str) -> Implementation:
    """Take an object, or a mapping of names to functions, as an implementation of a role.

    Raises BadConnection if it lacks the role's method or a proper declaration.
    """
    method = METHODS[role]
    if not callable(member(found, method)):
        raise BadConnection(
            who=connection,
            expected=f"{with_article(role)}: an object with a method {method}",
            found=f"{type(found).__name__} without one",
            hint="see docs/PLUG_IN.md for the members of each role",
        )
    try:
        declaration = Declaration.from_dict(member(found, "declares"), role=role)
    except ValueError as error:
        raise BadConnection(
            who=connection,
            expected="an attribute declares, such as {'name': 'mine', 'version': '1.0', 'layer_types': ['dense']}",
            found=str(error),
            hint="add it to the object that the factory returns",
        ) from None
    if declaration.role != role:
        raise BadConnection(
            who=connection,
            expected=with_article(role),
            found=f"{with_article(declaration.role)} by its declaration",
            hint="name it as that role",
        )
    return _ADOPTERS[role](found, declaration, connection)


def _load_phase(error: Exception) -> str:
    phase = getattr(error, "phase", None)
    if phase in ("read", "parse", "validate", "build"):
        return phase
    if isinstance(error, OSError):
        return "read"
    return "parse" if is_named(error, "JSONDecodeError") else "validate"


class PythonModel(LoadedModel):
    """A user's model object."""

    def __init__(self, who: str, model: Any, max_frames: int) -> None:
        sizes = [member(model, name) for name in ("input_size", "output_size")]
        self._calls = [member(model, name) for name in ("reset", "process")]
        try:
            sizes = [operator.index(size) for size in sizes]
        except TypeError:
            sizes = [0, 0]
        if min(sizes) < 1 or not all(callable(call) for call in self._calls):
            raise ProtocolViolation(
                who=who,
                op="load",
                expected="a model with integers input_size and output_size and methods reset and process",
                found=repr(model)[:200],
            )
        super().__init__(who, sizes[0], sizes[1], max_frames)

    def reset(self) -> None:
        with as_values(self.who, "reset"):
            self._calls[0]()

    def _process(self, frames: np.ndarray) -> np.ndarray:
        # Copies both ways: the model may write to its input, and give the same buffer each time.
        with as_values(self.who, "process"):
            outputs = self._calls[1](frames.copy())
        return as_array(self.who, "process", outputs)


class PythonSession(LoaderSession):
    """A user's loader object at work; nothing to start and nothing to end."""

    def __init__(self, who: str, load: Callable[[str], Any]) -> None:
        self._who = who
        self._load = load

    def load(self, path: str | Path, max_frames: int = MAX_FRAMES) -> PythonModel:
        with as_values(self._who, "load", lambda error: refused(self._who, "load", _load_phase(error), error)):
            model = self._load(str(path))
        return PythonModel(self._who, model, max_frames)


class _Python:
    def __init__(self, found: Any, declaration: Declaration, connection: str) -> None:
        super().__init__(declaration, connection)  # type: ignore[call-arg]
        self._call = member(found, METHODS[declaration.role])


class PythonLoader(_Python, LoaderImplementation):
    """A loader object."""

    def open(self) -> PythonSession:
        return PythonSession(self.declaration.name, self._call)


class PythonExporter(_Python, ExporterImplementation):
    """An exporter object. The module is built here, from its reference; `timeout` can't be kept in process."""

    def export(self, module: ModuleRef, path: str | Path, *, timeout: float | None = None) -> None:
        who, built = self.declaration.name, module.build()
        unsupported = "UnsupportedModule"
        with as_values(
            who,
            "export",
            lambda error: refused(who, "export", "unsupported", error) if is_named(error, unsupported) else None,
        ):
            self._call(built, str(path))
        self._check_written(Path(path))


class PythonTrainer(_Python, TrainerImplementation):
    """A trainer object. `timeout` can't be kept in process."""

    def train(
        self,
        config: Mapping[str, Any],
        out_dir: str | Path,
        progress: Progress | None = None,
        *,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        who = self.declaration.name
        extra = {"progress": progress or (lambda _: None)} if _takes(self._call, "progress") else {}
        with as_values(
            who,
            "train",
            lambda error: refused(who, "train", "config", error) if is_named(error, "ConfigError") else None,
        ):
            metrics = self._call(config, str(out_dir), **extra)
        if not isinstance(metrics, Mapping):
            raise ProtocolViolation(who=who, op="train", expected="a mapping of metrics", found=type(metrics).__name__)
        return dict(metrics)


def _takes(call: Callable[..., Any], name: str) -> bool:
    try:
        return name in inspect.signature(call).parameters
    except ValueError:
        return False


_ADOPTERS: dict[str, Callable[[Any, Declaration, str, str], Implementation]] = {
    "loader": PythonLoader,
    "exporter": PythonExporter,
    "trainer": PythonTrainer,
    "pipeline": PythonPipeline,
}
