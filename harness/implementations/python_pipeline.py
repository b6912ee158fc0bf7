"""The pipeline role in process: results and status are checked for their form as they come."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..five_models import AUDIO_SIZE
from .errors import ImplementationError, ProtocolViolation
from .protocols import Declaration
from .roles import PipelineImplementation, PipelineSession
from .user_code import as_array, as_values, member


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
        if audio.shape != (AUDIO_SIZE,):
            raise ValueError(f"audio must have the shape [{AUDIO_SIZE}], not {list(audio.shape)}")
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
        outputs = {name: as_array(self._who, "poll", values) for name, values in parts[1].items()}
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

    def abandon(self) -> None:
        # The exception that brought us here is the news; what close has to say on top of it is not.
        with suppress(ImplementationError):
            self.close()


class PythonPipeline(PipelineImplementation):
    """A pipeline object."""

    def __init__(self, found: Any, declaration: Declaration, connection: str) -> None:
        super().__init__(declaration, connection)
        self._open = member(found, "open")

    def open(self, models_dir: str | Path) -> PythonPipelineSession:
        with as_values(self.declaration.name, "open"):
            live = self._open(str(models_dir))
        return PythonPipelineSession(self.declaration.name, live)
