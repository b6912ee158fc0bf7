"""abi: a shared library in the child process rtc-host, and what that process can measure from inside."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import wire
from .errors import NotAvailable
from .remote import RemoteLoader, RemoteModel, RemoteSession

MEASURE = "measure"
"""The feature that a partner declares when it has the operations of MeasuringSession."""

MEASURE_SECONDS = 300.0
"""How long a measurement may take when the caller doesn't say."""


def find_host() -> Path:
    """The rtc-host program, which is installed beside the native module. Raises NotAvailable."""
    spec = importlib.util.find_spec(f"{__package__.rpartition('.')[0]}._native")
    if spec is None or not spec.origin:
        reason = "the native part of rtconform is not built; install rtconform on Linux, where there is a C++ compiler"
        raise NotAvailable(who="rtc-host", reason=reason)
    host = Path(spec.origin).with_name("rtc-host.exe" if sys.platform == "win32" else "rtc-host")
    if not host.is_file():
        raise NotAvailable(who="rtc-host", reason=f"it was expected at {host}; reinstall rtconform")
    return host


def host_command(library: Path, name: str | None = None) -> list[str]:
    """The argument list that runs a library's loader, by name if it has several. Raises NotAvailable."""
    return [str(find_host()), "--library", str(library), *(["--loader", name] if name else [])]


@dataclass(frozen=True)
class Offence:
    """Something that real-time code must not do: its kind, the function called, how often, and in which call first.

    Call 0 is reset, the blocks are calls 1, 2 and so on, and reset again is the last. `stack` is where the first came
    from, the innermost first: "libthing.so(thing_run+0x1f)", or "libthing.so+0x4a1f", which `addr2line -e libthing.so`
    takes.
    """

    kind: str
    function: str
    count: int
    first_call: int
    stack: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watched:
    """The outputs `[T, out]` of a watched run, and the offences seen between entry and exit of reset and process."""

    outputs: np.ndarray
    offences: tuple[Offence, ...]
    unseen: Mapping[str, str] = field(default_factory=dict)
    """Why offences of a kind can't be seen on this machine, by kind."""


@dataclass(frozen=True)
class Together:
    """The outputs `[T, out]` of each model in the last pass, and how many passes differed from their model's first."""

    outputs: tuple[np.ndarray, ...]
    mismatches: int


@dataclass(frozen=True)
class Latency:
    """Raw samples of timed steps, in nanoseconds: wall time, CPU time, and wall time of steps that do nothing.

    `preemptions` counts per step how often the system took the processor away while the step wanted to run.
    `outputs` holds for each model its outputs `[N, out]` of the last pass over the N frames of audio; `mismatches`
    counts the steps whose outputs were not those of the first pass, bit by bit.
    """

    wall_ns: np.ndarray
    cpu_ns: np.ndarray
    preemptions: np.ndarray
    null_ns: np.ndarray
    outputs: Mapping[str, np.ndarray]
    mismatches: int


@dataclass(frozen=True)
class Memory:
    """Bytes that a set of models takes in a library, and the slope in bytes of loading and unloading it again."""

    live_bytes: int
    peak_bytes: int
    static_bytes: int
    after_processing_bytes: int
    leak_bytes_per_cycle: float
    rss_bytes: int


@dataclass(frozen=True)
class Environment:
    """What no call may change: floating-point modes (hex), locale, working directory, signals handled (by number)."""

    fpenv: str
    locale: str
    cwd: str
    signals: tuple[int, ...]


class MeasuringSession(RemoteSession):
    """A loader's process that can be measured from inside. Each method raises as `Client.request` does."""

    def _measure(self, op: str, values: Mapping[str, Any], timeout: float | None) -> dict[str, Any]:
        return self._client.request(op, values, timeout=MEASURE_SECONDS if timeout is None else timeout)

    def plain_memory(self) -> None:
        """From now on fresh memory is as the system gives it, not filled, so that its first touch is a page fault."""
        self._measure("plain_memory", {}, None)

    def watch(self, model: RemoteModel, frames: np.ndarray, block: int, *, timeout: float | None = None) -> Watched:
        """Run frames `[T, in]` in blocks under the detectors of all that loader.h forbids on the audio thread.

        Where only seccomp can trap system calls, all that the process does afterwards is unload and quit.
        """
        values = {"model": model.model_id, "frames": wire.array_to_wire(frames), "block": block}
        reply = self._measure("watch", values, timeout)
        offences = (Offence(**{**offence, "stack": tuple(offence["stack"])}) for offence in reply["offences"])
        outputs = self._client.array("watch", reply["outputs"])
        return Watched(outputs, tuple(offences), reply["unseen"])

    def process_together(
        self, parts: Sequence[tuple[RemoteModel, np.ndarray]], block: int, passes: int, *, timeout: float | None = None
    ) -> Together:
        """Run each model on a thread of its own, all at once, over its frames `[T, in]`, from reset in every pass."""
        listed = [{"model": model.model_id, "frames": wire.array_to_wire(frames)} for model, frames in parts]
        reply = self._measure("process_together", {"parts": listed, "block": block, "passes": passes}, timeout)
        outputs = tuple(self._client.array("process_together", array) for array in reply["outputs"])
        return Together(outputs, reply["mismatches"])

    def measure_latency(
        self,
        models: Mapping[str, RemoteModel],
        flow: Sequence[Mapping[str, Any]],
        audio: np.ndarray,
        steps: int,
        warmup: int,
        *,
        timeout: float | None = None,
    ) -> Latency:
        """Time `steps` steps after `warmup` more.

        One step is the flow, as in fixtures/models/specs.json, over one frame of audio `[N, 128]`; the frames are used
        in turn, state is reset where they start again, and all of them must be used: N <= steps + warmup.
        """
        values = {
            "models": {name: model.model_id for name, model in models.items()},
            "flow": list(flow),
            "audio": wire.array_to_wire(audio),
            "steps": steps,
            "warmup": warmup,
        }
        reply = self._measure("measure_latency", values, timeout)
        samples = {key: np.array(reply[key], np.float64) for key in ("wall_ns", "cpu_ns", "preemptions", "null_ns")}
        outputs = {name: self._client.array("measure_latency", array) for name, array in reply["outputs"].items()}
        return Latency(**samples, outputs=outputs, mismatches=reply["mismatches"])

    def measure_memory(
        self, paths: Sequence[str | Path], *, cycles: int | None = None, timeout: float | None = None
    ) -> Memory:
        """Count what loading these files takes, how much of it processing adds, and how much unloading leaves.

        `cycles` is how often they are loaded and unloaded to see a leak (20 if the caller doesn't say). No other model
        may be loaded.
        """
        values: dict[str, Any] = {"paths": [str(Path(path).absolute()) for path in paths]}
        values |= {} if cycles is None else {"cycles": cycles}
        reply = self._measure("measure_memory", values, timeout)
        return Memory(**{name: reply[name] for name in Memory.__dataclass_fields__})

    def environment(self) -> Environment:
        """The process state of this moment, to be compared with that after other calls."""
        reply = self._client.request("environment")
        return Environment(reply["fpenv"], reply["locale"], reply["cwd"], tuple(reply["signals"]))


class CommandLoader(RemoteLoader):
    """A loader behind a command; a session can measure if the loader declares the feature."""

    def open(self) -> RemoteSession:
        client, declaration = self._start(self.declaration.name)
        return (MeasuringSession if MEASURE in declaration.features else RemoteSession)(client)
