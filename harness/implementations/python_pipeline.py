"""The pipeline role in process: results and status are checked for their form as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..five_models import AUDIO_SIZE
from .errors import ImplementationError, ProtocolViolation
from .protocols import Declaration
from .roles import PipelineImplementation, PipelineSession
from .user_code import as_array, as_values, member

METHODS = ("submit", "poll", "reload", "status", "close")
RESULT = "{'id': int, 'outputs': {name: array}, 'fallback': {name: bool}, 'version': {name: int}}"
STATUS = "{'state': \"loaded\", \"fallback\" or \"disabled\", 'reason': text, 'version': int}"
STATES = ("loaded", "fallback", "disabled")


class PythonPipelineSession(PipelineSession):
    """A user's live pipeline object. `opened` makes another one."""

    def __init__(self, who: str, live: Any, opened: Callable[[str | Path], PythonPipelineSession]) -> None:
        self._who = who
        self._live = live
        self._opened = opened
        if missing := [name for name in METHODS if not callable(member(live, name))]:
            self._broken("open", f"a session with {', '.join(METHODS)}", f"no {' and no '.join(missing)}")
        capacity = member(live, "capacity")
        if not (capacity is None or _is_count(capacity)):
            self._broken("open", "no capacity, or a whole number of frames", repr(capacity))
        self.capacity = capacity
        self._closed = False

    def _ask(self, op: str, *args: Any) -> Any:
        with as_values(self._who, op):
            return member(self._live, op)(*args)

    def _broken(self, op: str, expected: str, found: str) -> None:
        raise ProtocolViolation(who=self._who, op=op, expected=expected, found=found)

    def submit(self, frame_id: int, audio: np.ndarray) -> bool:
        audio = np.array(audio, dtype=np.float32)
        if audio.shape != (AUDIO_SIZE,):
            raise ValueError(f"audio must have the shape [{AUDIO_SIZE}], not {list(audio.shape)}")
        return self._ask("submit", frame_id, audio) is not False

    def poll(self) -> list[dict[str, Any]]:
        return [self._result(result) for result in self._ask("poll")]

    def _result(self, result: Any) -> dict[str, Any]:
        names = ("id", "outputs", "fallback", "version")
        parts = [result.get(name) for name in names] if isinstance(result, Mapping) else [None]
        if not (isinstance(parts[0], int) and all(isinstance(part, Mapping) for part in parts[1:])):
            self._broken("poll", f"results of the form {RESULT}", repr(result)[:200])
        frame_id, outputs, fallback, version = parts
        if not (outputs.keys() == fallback.keys() == version.keys() and all(map(_is_count, version.values()))):
            found = f"{list(outputs)}, {list(fallback)} and {dict(version)}"
            self._broken("poll", "outputs, fallback flags and whole numbers as versions of the same models", found)
        outputs = {name: as_array(self._who, "poll", values) for name, values in outputs.items()}
        for name, values in outputs.items():
            if values.dtype != np.float32 or values.ndim != 1:
                found = f"{values.dtype} of shape {list(values.shape)}"
                self._broken("poll", f"float32 outputs of {name} in one dimension", found)
        flags = {name: bool(flag) for name, flag in fallback.items()}
        return {"id": frame_id, "outputs": outputs, "fallback": flags, "version": dict(version)}

    def reload(self, name: str | None = None) -> bool | None:
        said = self._ask("reload", name)
        return said if isinstance(said, bool) else None

    def status(self) -> dict[str, dict[str, Any]]:
        status = self._ask("status")
        if not isinstance(status, Mapping) or not all(map(_is_status, status.values())):
            self._broken("status", f"a mapping from model to {STATUS}", repr(status)[:200])
        return {name: dict(state) for name, state in status.items()}

    def beside(self, models_dir: str | Path) -> PythonPipelineSession:
        return self._opened(models_dir)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._ask("close")

    def abandon(self) -> None:
        # The exception that brought us here is the news; what close has to say on top of it is not.
        with suppress(ImplementationError):
            self.close()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_status(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.get("state") in STATES
        and isinstance(value.get("reason"), str)
        and _is_count(value.get("version"))
    )


class PythonPipeline(PipelineImplementation):
    """A pipeline object."""

    def __init__(self, found: Any, declaration: Declaration, connection: str) -> None:
        super().__init__(declaration, connection)
        self._open = member(found, "open")

    def open(self, models_dir: str | Path) -> PythonPipelineSession:
        with as_values(self.declaration.name, "open"):
            live = self._open(str(models_dir))
        return PythonPipelineSession(self.declaration.name, live, self.open)
