"""The pipeline role over protocol 1: pipelines in a process of their own, and what rtc-host can measure of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..five_models import AUDIO_SIZE
from . import wire
from .client import Client
from .errors import ImplementationError
from .host import MEASURE, Environment
from .live_run import LivePlan, LiveRun, PipelineMemory
from .remote import Remote
from .roles import PipelineImplementation, PipelineSession

MEASURE_SECONDS = 300.0
"""How long a run or a measurement may take when the caller doesn't say."""

LOAD_SECONDS = 30.0
"""The least that reading five models is given, on a machine that has much else to do."""

MOST_RESULTS = 1 << 12
"""Of one poll."""


class RemotePipelineSession(PipelineSession):
    """A pipeline in a process; the one that opened the process ends it.

    `pid` is the process's id, `models` are {name: output size} in the partner's order.
    """

    def __init__(self, client: Client, models_dir: str | Path, *, is_first: bool = True) -> None:
        self._client = client
        self._is_first = is_first
        self.pid = client.pid
        self.noise = client.noise
        values = {"dir": str(Path(models_dir).absolute())}
        reply = client.request("open", values, timeout=max(client.timeout, LOAD_SECONDS))
        size, names = reply["frame_size"], [model["name"] for model in reply["models"]]
        client.demand(size == AUDIO_SIZE, "open", f"frames of {AUDIO_SIZE} features", size)
        client.demand(len(set(names)) == len(names), "open", "each model once", names)
        self.capacity = reply["capacity"]
        self.models = {model["name"]: model["output_size"] for model in reply["models"]}
        self._pipeline = {"pipeline": reply["pipeline"]}
        self._ends = np.cumsum(list(self.models.values()))
        self._closed = False

    def _ask(self, op: str, *, timeout: float | None = None, **values: Any) -> dict[str, Any]:
        return self._client.request(op, {**self._pipeline, **values}, timeout=timeout)

    def submit(self, frame_id: int, audio: np.ndarray) -> bool:
        return self.submit_all(frame_id, np.asarray(audio, np.float32)[np.newaxis]) == 1

    def submit_all(self, first_id: int, frames: np.ndarray) -> int:
        """Hand over frames `[N, 128]`, one after the other at once; how many were taken before there was no room."""
        if frames.ndim != 2 or frames.shape[1] != AUDIO_SIZE:
            raise ValueError(f"audio must have the shape [{AUDIO_SIZE}] per frame, not {list(frames.shape[1:])}")
        return self._ask("submit", first_id=first_id, frames=wire.array_to_wire(frames))["accepted"]

    def poll(self) -> list[dict[str, Any]]:
        reply = self._ask("poll", most=MOST_RESULTS)
        ids, outputs = reply["ids"], self._client.array("poll", reply["outputs"])
        shapes = {len(ids), len(outputs), len(reply["fallback"]), len(reply["version"])}
        self._client.demand(len(shapes) == 1, "poll", "as many rows of each kind as there are ids", sorted(shapes))
        widths = {len(row) for row in (*reply["fallback"], *reply["version"])}
        self._client.demand(widths <= {len(self.models)}, "poll", f"{len(self.models)} models in each row", widths)
        if not ids:
            return []
        total = self._ends[-1]
        self._client.demand(outputs.shape[1] == total, "poll", f"{total} outputs", outputs.shape[1])
        return [
            {
                "id": frame_id,
                "outputs": dict(zip(self.models, np.split(row, self._ends[:-1]), strict=True)),
                "fallback": {name: bool(flag) for name, flag in zip(self.models, flags, strict=True)},
                "version": dict(zip(self.models, versions, strict=True)),
            }
            for frame_id, row, flags, versions in zip(ids, outputs, reply["fallback"], reply["version"], strict=True)
        ]

    def reload(self, name: str | None = None) -> bool:
        seconds = max(self._client.timeout, LOAD_SECONDS)
        return self._ask("reload", model=self.number_of(name), timeout=seconds)["accepted"]

    def number_of(self, name: str | None) -> int | None:
        """A model's number, None for all of them. Raises KeyError."""
        if name is not None and name not in self.models:
            raise KeyError(f"no model is called {name!r}; there are {', '.join(self.models)}")
        return None if name is None else list(self.models).index(name)

    def status(self) -> dict[str, dict[str, Any]]:
        found = self._ask("status")["models"]
        expected = f"the status of {len(self.models)} models"
        self._client.demand(len(found) == len(self.models), "status", expected, len(found))
        return dict(zip(self.models, found, strict=True))

    def counters(self) -> dict[str, int]:
        """Frames since open: submitted = accepted + refused, accepted = polled + pending."""
        reply = self._ask("counters")
        return {name: reply[name] for name in ("submitted", "refused", "polled", "pending")}

    def beside(self, models_dir: str | Path) -> RemotePipelineSession:
        return type(self)(self._client, models_dir, is_first=False)

    def close(self) -> None:
        if not (self._closed or self._client.over):
            self._closed = True
            self._ask("close")
        if self._is_first:
            self._client.close()

    def abandon(self) -> None:
        if self._is_first:
            self._client.abandon()
            return
        with suppress(ImplementationError):
            self.close()


class MeasuringPipelineSession(RemotePipelineSession):
    """A pipeline whose process can be measured from inside. Each method raises as `Client.request` does."""

    def plain_memory(self) -> None:
        """From now on fresh memory is as the system gives it, not filled, so that its first touch is a page fault."""
        self._client.request("plain_memory")

    def environment(self, *, at_start: bool = False) -> Environment:
        """The process state of this moment or, `at_start`, of before the library was opened, to be compared."""
        return Environment.of(self._client, at_start)

    def run_live(self, frames: np.ndarray, plan: LivePlan, *, timeout: float | None = None) -> LiveRun:
        """Frames from a thread that plays the audio thread, while another one reloads; `frames` are `[N, 128]`.

        Frame i is row i modulo N. Where only seccomp can trap system calls, all that a process does after a run with
        `plan.watch` is close and quit.
        """
        request = {**self._pipeline, **plan.to_request(self.number_of), "frames": wire.array_to_wire(frames)}
        reply = self._client.request("run_live", request, timeout=MEASURE_SECONDS if timeout is None else timeout)
        return LiveRun.from_reply(reply, self._client, self.models)


class RemotePipeline(Remote, PipelineImplementation):
    """A pipeline behind a command; a process for each session."""

    role = "pipeline"

    def open(self, models_dir: str | Path) -> RemotePipelineSession:
        client, declaration = self._start(self.declaration.name)
        kind = MeasuringPipelineSession if MEASURE in declaration.features else RemotePipelineSession
        try:
            return kind(client, models_dir)
        except BaseException:
            client.abandon()
            raise

    def measure_memory(
        self, models_dir: str | Path, frames: np.ndarray, cycles: int, *, timeout: float | None = None
    ) -> PipelineMemory:
        """Count, in a process of its own, what a pipeline holds after frames `[N, 128]` and takes to be reloaded.

        And what it leaves behind each time: all models are reloaded, and the pipeline closed and opened, `cycles`
        times. Only for those who declare the feature.
        """
        values = {"dir": str(Path(models_dir).absolute()), "frames": wire.array_to_wire(frames), "cycles": cycles}
        with self._talking(self.declaration.name) as (client, _):
            client.request("plain_memory")  # filling it would count for the resident set
            seconds = MEASURE_SECONDS if timeout is None else timeout
            reply: Mapping[str, Any] = client.request("measure_pipeline_memory", values, timeout=seconds)
        return PipelineMemory(**{name: reply[name] for name in PipelineMemory.__dataclass_fields__})
