"""The operations of protocol 1 on a Python pipeline."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..five_models import AUDIO_SIZE
from . import wire
from .errors import ProtocolViolation
from .roles import PipelineImplementation, PipelineSession

CAPACITY = 64
"""How many frames may be pending where the pipeline itself knows no limit."""

FIRST_RESULT_SECONDS = 10.0


class _Open:
    """One that is open: its models, as {name: output size}, and what became of the frames so far."""

    def __init__(self, session: PipelineSession, models: Mapping[str, int]) -> None:
        self.session = session
        self.models = models
        self.capacity = session.capacity or CAPACITY
        self.counters: Counter[str] = Counter()
        self.ready: list[Mapping[str, Any]] = []

    @property
    def pending(self) -> int:
        return self.counters["submitted"] - self.counters["refused"] - self.counters["polled"]

    def submit(self, frame_id: int, frame: np.ndarray) -> bool:
        accepted = self.pending < self.capacity and self.session.submit(frame_id, frame)
        self.counters["submitted"] += 1
        self.counters["refused"] += not accepted
        return accepted

    def poll(self, most: int) -> list[Mapping[str, Any]]:
        self.ready += self.session.poll()
        results, self.ready = self.ready[:most], self.ready[most:]
        self.counters["polled"] += len(results)
        return results


class PipelineOperations:
    """Each takes a request and returns the fields of a reply."""

    _implementation: Any

    def __init__(self) -> None:
        self._pipelines: dict[int, _Open] = {}
        self._next_pipeline = 1

    def open(self, request: Mapping[str, Any]) -> dict[str, Any]:
        models = _sizes(self._implementation, request["dir"])
        number, self._next_pipeline = self._next_pipeline, self._next_pipeline + 1
        opened = self._pipelines[number] = _Open(self._implementation.open(request["dir"]), models)
        listed = [{"name": name, "output_size": size} for name, size in models.items()]
        return {"pipeline": number, "frame_size": AUDIO_SIZE, "capacity": opened.capacity, "models": listed}

    def submit(self, request: Mapping[str, Any]) -> dict[str, Any]:
        opened = self._opened(request)
        accepted = 0
        for frame in wire.array_from_wire(request["frames"]):
            if not opened.submit(request["first_id"] + accepted, frame):
                break
            accepted += 1
        return {"accepted": accepted}

    def poll(self, request: Mapping[str, Any]) -> dict[str, Any]:
        opened = self._opened(request)
        results = opened.poll(request["most"])
        names = opened.models
        rows = [np.concatenate([result["outputs"][name] for name in names]) for result in results]
        outputs = np.array(rows, np.float32).reshape(len(rows), sum(names.values()))
        return {
            "ids": [result["id"] for result in results],
            "outputs": wire.array_to_wire(outputs),
            "fallback": [[int(result["fallback"][name]) for name in names] for result in results],
            "version": [[result["version"][name] for name in names] for result in results],
        }

    def reload(self, request: Mapping[str, Any]) -> dict[str, Any]:
        opened = self._opened(request)
        name = None if request["model"] is None else list(opened.models)[request["model"]]
        said = opened.session.reload(name)
        status = opened.session.status()
        concerned = opened.models if name is None else [name]
        reasons = [status[each]["reason"] for each in concerned if status[each]["state"] != "disabled"]
        reason = next(filter(None, reasons), "")
        if said is True or (said is None and not reason):
            return {"accepted": True}
        return {"accepted": False, "error": {"phase": "validate", "message": reason or "refused"}}

    def status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        opened = self._opened(request)
        status = opened.session.status()
        return {
            "models": [{key: status[name][key] for key in ("state", "version", "reason")} for name in opened.models]
        }

    def counters(self, request: Mapping[str, Any]) -> dict[str, Any]:
        opened = self._opened(request)
        counted = {key: opened.counters[key] for key in ("submitted", "refused", "polled")}
        return counted | {"pending": opened.pending}

    def close(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._opened(request).session.close()
        del self._pipelines[request["pipeline"]]
        return {}

    def _opened(self, request: Mapping[str, Any]) -> _Open:
        number = request["pipeline"]
        if number not in self._pipelines:
            raise ValueError(
                f"there is no pipeline {number}; open are: {', '.join(map(str, self._pipelines)) or 'none'}"
            )
        return self._pipelines[number]


def _sizes(implementation: PipelineImplementation, folder: str) -> dict[str, int]:
    """The models of a pipeline and the sizes of their outputs, which it shows in its first result and nowhere else."""
    with implementation.open(folder) as session:
        session.submit(0, np.zeros(AUDIO_SIZE, np.float32))
        give_up = time.monotonic() + FIRST_RESULT_SECONDS
        while not (results := session.poll()):
            if time.monotonic() > give_up:
                raise ProtocolViolation(
                    who=implementation.declaration.name,
                    op="open",
                    expected=f"a result of a first frame within {FIRST_RESULT_SECONDS:g} s",
                    found="none",
                )
            time.sleep(0.001)
        return {name: len(values) for name, values in results[0]["outputs"].items()}
