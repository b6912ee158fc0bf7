"""The roles in process (py:): a user's own objects, with every exception and every odd answer made a value.

In process means that a crash or a hang takes the run with it; `connect(…, isolate=True)` puts a process between.
"""

from __future__ import annotations

import inspect
import operator
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .errors import BadConnection, Exited, ImplementationError, ProtocolViolation, Raised, Refused
from .module_ref import ModuleRef
from .protocols import Declaration
from .roles import (
    MAX_FRAMES,
    ExporterImplementation,
    Implementation,
    LoadedModel,
    LoaderImplementation,
    LoaderSession,
    PipelineImplementation,
    PipelineSession,
    Progress,
    TrainerImplementation,
)

METHODS = {"loader": "load", "exporter": "export", "trainer": "train", "pipeline": "open"}
"""The method that makes an object an implementation of a role."""

FEATURES = 128


def adopt(found: Any, role: str, connection: str, resolved: str = "") -> Implementation:
    """Take an object, or a mapping of names to functions, as an implementation of a role.

    Raises BadConnection if it lacks the role's method or a proper declaration.
    """
    method = METHODS[role]
    if not callable(member(found, method)):
        raise BadConnection(
            who=connection,
            expected=f"a {role}: an object with a method {method}",
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
            expected=f"a {role}",
            found=f"a {declaration.role} by its declaration",
            hint="name it as that role",
        )
    return _ADOPTERS[role](found, declaration, connection, resolved or connection)


def member(found: Any, name: str) -> Any:
    """An attribute of an object, or an item of a mapping; None if there is none."""
    return found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)


@contextmanager
def as_values(who: str, op: str, refusal: Callable[[Exception], Refused | None] = lambda error: None) -> Iterator[None]:
    """Turn any exception from a user's code into a Refused, if `refusal` makes it one, or a Raised; exit into Exited."""
    try:
        yield
    except ImplementationError:
        raise
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise Exited(who=who, op=op, returncode=code) from error
    except Exception as error:
        where = "".join(
            traceback.format_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
        )
        raised = Raised(who=who, op=op, class_name=type(error).__name__, message=str(error), traceback=where)
        raise (refusal(error) or raised) from error


def is_named(error: BaseException, name: str) -> bool:
    """True if the exception's class, or one that it derives from, has this name."""
    return any(cls.__name__ == name for cls in type(error).__mro__)


def _refused(who: str, op: str, phase: str, error: Exception) -> Refused:
    path = getattr(error, "json_path", "")
    return Refused(
        who=who,
        op=op,
        phase=phase,
        message=str(error),
        json_path=path if isinstance(path, str) else "",
        class_name=type(error).__name__,
    )


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
        return _array(self.who, "process", outputs)


def _array(who: str, op: str, values: Any) -> np.ndarray:
    try:
        return np.array(values)
    except (ValueError, TypeError) as error:
        raise ProtocolViolation(
            who=who, op=op, expected="a float32 array", found=f"{type(values).__name__}: {error}"
        ) from None


class PythonSession(LoaderSession):
    """A user's loader object at work; nothing to start and nothing to end."""

    def __init__(self, who: str, load: Callable[[str], Any]) -> None:
        super().__init__()
        self._who = who
        self._load = load

    def load(self, path: str | Path, max_frames: int = MAX_FRAMES) -> PythonModel:
        with as_values(self._who, "load", lambda error: _refused(self._who, "load", _load_phase(error), error)):
            model = self._load(str(path))
        return PythonModel(self._who, model, max_frames)


class _Python:
    def __init__(self, found: Any, declaration: Declaration, connection: str, resolved: str) -> None:
        super().__init__(declaration, connection, resolved)  # type: ignore[call-arg]
        self._call = member(found, METHODS[declaration.role])


class PythonLoader(_Python, LoaderImplementation):
    """A loader object."""

    def open(self) -> PythonSession:
        return PythonSession(self.declaration.name, self._call)


class PythonExporter(_Python, ExporterImplementation):
    """An exporter object. The module is built here, from its reference."""

    def export(self, module: ModuleRef, path: str | Path) -> None:
        who, built = self.declaration.name, module.build()
        unsupported = "UnsupportedModule"
        with as_values(
            who,
            "export",
            lambda error: _refused(who, "export", "unsupported", error) if is_named(error, unsupported) else None,
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
        extra = {"progress": progress} if progress and _takes(self._call, "progress") else {}
        with as_values(
            who,
            "train",
            lambda error: _refused(who, "train", "config", error) if is_named(error, "ConfigError") else None,
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


class PythonPipelineSession(PipelineSession):
    """A user's live pipeline object."""

    def __init__(self, who: str, live: Any) -> None:
        self._who = who
        self._live = live
        missing = [name for name in ("submit", "poll", "reload", "status", "close") if not callable(member(live, name))]
        if missing:
            expected = "a session with submit, poll, reload, status and close"
            raise ProtocolViolation(who=who, op="open", expected=expected, found=f"no {' and no '.join(missing)}")
        self._closed = False

    def _ask(self, op: str, *args: Any) -> Any:
        with as_values(self._who, op):
            return member(self._live, op)(*args)

    def submit(self, frame_id: int, audio: np.ndarray) -> None:
        audio = np.array(audio, dtype=np.float32)
        if audio.shape != (FEATURES,):
            raise ValueError(f"audio must have the shape [{FEATURES}], not {list(audio.shape)}")
        self._ask("submit", frame_id, audio)

    def poll(self) -> list[dict[str, Any]]:
        return [self._result(result) for result in self._ask("poll")]

    def _result(self, result: Any) -> dict[str, Any]:
        parts = [result.get(name) for name in ("id", "outputs", "fallback")] if isinstance(result, Mapping) else []
        if not (
            parts and isinstance(parts[0], int) and isinstance(parts[1], Mapping) and isinstance(parts[2], Mapping)
        ):
            expected = "results of the form {'id': int, 'outputs': {name: array}, 'fallback': {name: bool}}"
            raise ProtocolViolation(who=self._who, op="poll", expected=expected, found=repr(result)[:200])
        outputs = {name: _array(self._who, "poll", values) for name, values in parts[1].items()}
        for name, values in outputs.items():
            if values.dtype != np.float32 or values.ndim != 1:
                expected, found = (
                    f"float32 outputs of {name} in one dimension",
                    f"{values.dtype} of shape {list(values.shape)}",
                )
                raise ProtocolViolation(who=self._who, op="poll", expected=expected, found=found)
        return {"id": parts[0], "outputs": outputs, "fallback": {name: bool(flag) for name, flag in parts[2].items()}}

    def reload(self, name: str | None = None) -> None:
        self._ask("reload", name)

    def status(self) -> dict[str, dict[str, str]]:
        status = self._ask("status")
        if not isinstance(status, Mapping) or not all(isinstance(s, Mapping) and "state" in s for s in status.values()):
            expected = "a mapping from model to {'state': …, 'reason': …}"
            raise ProtocolViolation(who=self._who, op="status", expected=expected, found=repr(status)[:200])
        return {name: dict(state) for name, state in status.items()}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._ask("close")

    def _abandon(self) -> None:
        # The exception that brought us here is the news; what close has to say on top of it is not.
        try:
            self.close()
        except ImplementationError:
            pass


class PythonPipeline(_Python, PipelineImplementation):
    """A pipeline object."""

    def open(self, models_dir: str | Path) -> PythonPipelineSession:
        with as_values(self.declaration.name, "open"):
            live = self._call(str(models_dir))
        return PythonPipelineSession(self.declaration.name, live)


_ADOPTERS: dict[str, Callable[[Any, Declaration, str, str], Implementation]] = {
    "loader": PythonLoader,
    "exporter": PythonExporter,
    "trainer": PythonTrainer,
    "pipeline": PythonPipeline,
}
