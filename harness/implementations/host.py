"""abi: a shared library in the child process rtc-host, and what that process can measure from inside."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import wire
from .client import Client
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


def host_command(library: Path, role: str, name: str = "") -> list[str]:
    """The argument list that runs a library's loader or pipeline, by name if it has several. Raises NotAvailable."""
    return [str(find_host()), "--library", str(library), *([f"--{role}", name] if name or role != "loader" else [])]


@dataclass(frozen=True)
class Offence:
    """Something that real-time code must not do: its kind, the function called, how often, and in which call first.

    Of a loader, resets and blocks are counted together through all sections, from 0 on, and `first_in` says which of
    them the call is; of a pipeline, submit and poll are. `stack` is where the first came from, the innermost first:
    "libthing.so(thing_run+0x1f)", or "libthing.so+0x4a1f", which `addr2line -e libthing.so` takes.
    """

    kind: str
    function: str
    count: int
    first_call: int
    stack: tuple[str, ...] = ()
    first_in: str = ""


def offences_of(reply: Mapping[str, Any]) -> tuple[Offence, ...]:
    """Those that a reply lists."""
    return tuple(Offence(**{**offence, "stack": tuple(offence["stack"])}) for offence in reply["offences"])


@dataclass(frozen=True)
class Section:
    """A part of a watched run: reset, and then frames `[T, in]` in blocks of these sizes, 0 among them, T in all."""

    name: str
    model: RemoteModel
    frames: np.ndarray
    blocks: Sequence[int]

    def calls(self) -> list[str]:
        """What each of its calls is."""
        return [f"reset, before {self.name}", *(f"a block of {size}, {self.name}" for size in self.blocks)]


@dataclass(frozen=True)
class Watched:
    """Each section's outputs `[T, out]`, and the offences seen between entry and exit of reset and process."""

    outputs: tuple[np.ndarray, ...]
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
    """Raw samples of timed steps, in nanoseconds, one per step in each array but the last.

    Wall time and CPU time of a step; how often the system took the processor away meanwhile (`preemptions`), how often
    the step gave it up to wait (`waits`), and what the hypervisor took (`stolen_ns`, in clock ticks). After each step
    stands one that calls no model: `null_ns` is its time, `control_ns` its time when it is drawn out. `wake_ns` is how
    late a thread was that slept until each next millisecond; there is none without a control. `priority` is "real-time"
    or "ordinary". `outputs` holds what each model gave, `[N, out]`.
    """

    wall_ns: np.ndarray
    cpu_ns: np.ndarray
    preemptions: np.ndarray
    waits: np.ndarray
    stolen_ns: np.ndarray
    null_ns: np.ndarray
    control_ns: np.ndarray
    wake_ns: np.ndarray
    priority: str
    outputs: Mapping[str, np.ndarray]

    def samples(self, steps: int | None = None) -> dict[str, np.ndarray]:
        """The arrays by name; of the first steps only if their number is given."""
        return {name: getattr(self, name)[:steps] for name in SAMPLES}


SAMPLES = tuple(name for name in Latency.__dataclass_fields__ if name not in ("priority", "outputs"))


@dataclass(frozen=True)
class Blocks:
    """Raw samples of timed blocks, in nanoseconds, how often each waited, and the outputs `[T, out]`."""

    wall_ns: np.ndarray
    cpu_ns: np.ndarray
    waits: np.ndarray
    outputs: np.ndarray


@dataclass(frozen=True)
class Memory:
    """Bytes that a set of models takes in a library, and what all the cycles of loading and unloading it leave.

    Of bytes that is their slope; of file descriptors and threads how many more there are after the cycles than before.
    """

    live_bytes: int
    peak_bytes: int
    static_bytes: int
    after_processing_bytes: int
    leak_bytes_per_cycle: float
    descriptors_left: int
    threads_left: int
    rss_bytes: int


@dataclass(frozen=True)
class Environment:
    """What no call may change in the process; reply-environment of protocol-1.schema.json says what each field is."""

    fpenv: str
    locale: str
    thread_locale: str
    cpp_locale: str
    cwd: str
    signals: Mapping[str, str]
    blocked_signals: Sequence[int]
    variables: Mapping[str, str]
    umask: str
    streams: Sequence[str]
    terminate_handler: str
    new_handler: str

    @classmethod
    def of(cls, client: Client, at_start: bool) -> Environment:
        """That of the other process. Raises as `Client.request` does."""
        reply = client.request("environment", {"at_start": at_start})
        return cls(**{name: reply[name] for name in cls.__dataclass_fields__})

    def changes(self, later: Environment) -> dict[str, dict[str, Any]]:
        """{"before", "after"}: the fields that differ, and of those that are mappings the keys that do."""
        before, after = {}, {}
        for name in self.__dataclass_fields__:
            old, new = getattr(self, name), getattr(later, name)
            if old == new:
                continue
            if isinstance(old, Mapping):
                keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
                old, new = ({key: each[key] for key in keys if key in each} for each in (old, new))
            before[name], after[name] = old, new
        return {"before": before, "after": after} if before else {}


class MeasuringSession(RemoteSession):
    """A loader's process that can be measured from inside. Each method raises as `Client.request` does."""

    def _measure(self, op: str, values: Mapping[str, Any], timeout: float | None) -> dict[str, Any]:
        return self._client.request(op, values, timeout=MEASURE_SECONDS if timeout is None else timeout)

    def plain_memory(self) -> None:
        """From now on fresh memory is as the system gives it, not filled, so that its first touch is a page fault."""
        self._measure("plain_memory", {}, None)

    def watch(self, sections: Sequence[Section], *, timeout: float | None = None) -> Watched:
        """Run sections one after the other, under the detectors of all that loader.h forbids on the audio thread.

        They run on a thread of their own, which calls the library for the first time. Where only seccomp can trap
        system calls, all that the process does afterwards is unload and quit.
        """
        listed = [
            {"model": part.model.model_id, "frames": wire.array_to_wire(part.frames), "blocks": list(part.blocks)}
            for part in sections
        ]
        reply = self._measure("watch", {"sections": listed}, timeout)
        outputs = tuple(self._client.array("watch", array) for array in reply["outputs"])
        calls = [call for part in sections for call in part.calls()]
        offences = offences_of(reply)
        unknown = [offence.first_call for offence in offences if not 0 <= offence.first_call < len(calls)]
        self._client.demand(not unknown, "watch", f"offences in calls 0 to {len(calls) - 1}", unknown)
        named = tuple(replace(offence, first_in=calls[offence.first_call]) for offence in offences)
        return Watched(outputs, named, reply["unseen"])

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
        *,
        warmup: int = 0,
        reset_every: int = 0,
        control_ns: int = 0,
        others: Sequence[RemoteModel] = (),
        cache_bytes: int = 0,
        recall_resident: bool = False,
        timeout: float | None = None,
    ) -> Latency:
        """Time one step for each frame of audio `[N, in]` but the first `warmup`.

        A step is the flow, as in fixtures/models/specs.json, over one frame, on a thread that has loaded nothing. The
        first step and each `reset_every` later begin with a reset, which is timed with them; with 0 state goes on from
        where the models are. After each step, one that calls no model is drawn out to `control_ns`. Before each,
        `others` run over a frame of their own, and `cache_bytes` of memory are read. `recall_resident` reads a byte of
        each page of the process once before the first: what a hypervisor took back in a pause is at hand again.
        """
        values = {
            "models": {name: model.model_id for name, model in models.items()},
            "flow": list(flow),
            "audio": wire.array_to_wire(audio),
            "warmup": warmup,
            "reset_every": reset_every,
            "control_ns": control_ns,
            "others": [model.model_id for model in others],
            "cache_bytes": cache_bytes,
            "recall_resident": recall_resident,
        }
        reply = self._measure("measure_latency", values, timeout)
        samples = {name: np.array(reply[name], np.float64).astype(np.int64) for name in SAMPLES}
        outputs = {name: self._client.array("measure_latency", array) for name, array in reply["outputs"].items()}
        steps = {len(taken) for name, taken in samples.items() if name != "wake_ns"}
        shapes = {name: array.shape for name, array in outputs.items()}
        sizes = {name: (len(audio), model.output_size) for name, model in models.items()}
        self._client.demand(
            steps == {len(audio) - warmup}, "measure_latency", f"{len(audio) - warmup} of each sample", steps
        )
        self._client.demand(control_ns == 0 or len(samples["wake_ns"]), "measure_latency", "times of wake-ups", "none")
        self._client.demand(shapes == sizes, "measure_latency", f"outputs of shape {sizes}", shapes)
        return Latency(**samples, priority=reply["priority"], outputs=outputs)

    def measure_blocks(
        self, model: RemoteModel, frames: np.ndarray, block: int, *, timeout: float | None = None
    ) -> Blocks:
        """Time each block of frames `[T, in]`, from the state that the model is in."""
        values = {"model": model.model_id, "frames": wire.array_to_wire(frames), "block": block}
        reply = self._measure("measure_blocks", values, timeout)
        wall, cpu, waits = (np.array(reply[name], np.float64) for name in ("wall_ns", "cpu_ns", "waits"))
        outputs = self._client.array("measure_blocks", reply["outputs"])
        blocks, shape = -(-len(frames) // block), (len(frames), model.output_size)
        lengths = {len(wall), len(cpu), len(waits)}
        self._client.demand(lengths == {blocks}, "measure_blocks", f"{blocks} of each sample", lengths)
        self._client.demand(outputs.shape == shape, "measure_blocks", f"outputs of shape {shape}", outputs.shape)
        return Blocks(wall, cpu, waits, outputs)

    def measure_memory(
        self,
        paths: Sequence[str | Path],
        *,
        cycles: int | None = None,
        others: Sequence[Sequence[str | Path]] = (),
        timeout: float | None = None,
    ) -> Memory:
        """Count what loading these files takes, how much of it processing adds, and how much unloading leaves.

        `cycles` is how often they are loaded and unloaded to see a leak (20 if the caller doesn't say), after once
        before the counting. In each cycle the next one of `others` is loaded besides, and what is refused of it passed
        over. No other model may be loaded.
        """
        values: dict[str, Any] = {"paths": [str(Path(path).absolute()) for path in paths]}
        values |= {} if cycles is None else {"cycles": cycles}
        values |= {"others": [[str(Path(path).absolute()) for path in each] for each in others]} if others else {}
        reply = self._measure("measure_memory", values, timeout)
        return Memory(**{name: reply[name] for name in Memory.__dataclass_fields__})

    def environment(self, *, at_start: bool = False) -> Environment:
        """The process state of this moment or, `at_start`, of before the library was opened, to be compared."""
        return Environment.of(self._client, at_start)


class CommandLoader(RemoteLoader):
    """A loader behind a command; a session can measure if the loader declares the feature."""

    def open(self) -> RemoteSession:
        client, declaration = self._start(self.declaration.name)
        return (MeasuringSession if MEASURE in declaration.features else RemoteSession)(client)
