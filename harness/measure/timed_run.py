"""A loader's steps, timed in two processes that take turns, and checked afterwards against a run that was not timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import signals
from ..implementations.host import MEASURE_SECONDS, SAMPLES, Latency
from . import machine
from .step import Step
from .step_outputs import check_by_oracle

CHUNK = 64
"""Steps that a process takes before it is the other's turn."""

WARM_UP = 2
"""Steps before a chunk that are not timed: the request has passed through the caches."""

CHUNKS_PER_RESET = 8
QUIET = 5
"""The chunk of these that is silence, and then so little that float32 has no normal number for it."""

DENORMAL = 1e-40
COLDEST = 4
BURST = 32
"""Chunks in a row, without a pause: more steps than a loader waits for before it takes them for a benchmark."""

REST = 0.1
"""The part of its time that a process rests after a chunk: Linux takes the processor away from threads of real-time
priority that want more than 95 % of a second."""

CALIBRATION = 10
LONGEST_CONTROL, LONGEST_CONTROL_NS = 0.5, 5_000_000
"""A step of nothing may take this part of the deadline, or it would be late by itself, and no longer than so long."""

LONGEST_FACTOR = 3
"""A step is waited for so many times as long as is usual."""


@dataclass(frozen=True)
class Conditions:
    """What happens between two steps: as in a benchmark, nothing, or as in a plugin host with other work to do."""

    name: str
    others: bool = False
    """A second set of the same models runs, as in another instance of the plugin."""

    cache_bytes: tuple[int, ...] = (0,)
    """So much memory is read, which takes the models' place in the caches; chunk by chunk the next of these."""


WARM = Conditions("warm")


def cold() -> Conditions:
    """As between two audio callbacks of a host that is busy with other plugins.

    They always take the core's own caches, and in one chunk of COLDEST the one that all cores share, which takes longer
    to read than most steps.
    """
    core = machine.core_cache_bytes()
    return Conditions("cold", others=True, cache_bytes=(core,) * (COLDEST - 1) + (machine.largest_cache_bytes(),))


class _Process:
    """One process of the loader, the models of the step loaded in it."""

    def __init__(self, stack: ExitStack, loader: Any, step: Step, conditions: Conditions) -> None:
        self.session = stack.enter_context(loader.open())
        self.step, self.conditions = step, conditions
        self.models = self._loaded()
        self.others = list(self._loaded().values()) if conditions.others else []

    def _loaded(self) -> dict[str, Any]:
        return {name: self.session.load(case.path, max_frames=1) for name, case in self.step.models.items()}

    def time(self, audio: np.ndarray, place: int = 0, **how: int) -> Latency:
        """Between the steps of the chunk at `place` goes on what the conditions say."""
        sizes = self.conditions.cache_bytes
        between = {"others": self.others, "cache_bytes": sizes[place % len(sizes)]}
        return self.session.measure_latency(self.models, self.step.flow, audio, **between, **how)

    def burst(self, audio: np.ndarray, **how: Any) -> Latency:
        """One step after the other, without a pause."""
        return self.session.measure_latency(self.models, self.step.flow, audio, **how)


@contextmanager
def timed_run(loader: Any, step: Step, conditions: Conditions, deadline_ms: float, seed: int) -> Iterator[TimedRun]:
    """Two processes of a loader with the models of a step, and nothing timed yet."""
    with ExitStack() as stack:
        yield TimedRun(stack, loader, step, conditions, deadline_ms, seed)


def joined(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The samples of several measurements in one row, by name."""
    parts = list(parts)
    return {name: np.concatenate([part[name] for part in parts]) for name in SAMPLES}


class TimedRun:
    """Raw samples of as many steps as `take` was asked for.

    No frame is ever given twice to a process, silence excepted, so that no answer can be a remembered one. Samples of
    both processes stand in one row, in chunks of CHUNK steps, the first process first.
    """

    def __init__(
        self, stack: ExitStack, loader: Any, step: Step, conditions: Conditions, deadline_ms: float, seed: int
    ) -> None:
        self.loader, self.step, self.deadline_ms, self.seed = loader, step, deadline_ms, seed
        self._processes = [_Process(stack, loader, step, conditions) for _ in range(2)]
        self._chunks: list[list[Latency]] = []
        first = [process.time(self._audio(-2, CALIBRATION)) for process in self._processes]
        self._usual_ns = int(np.median(first[0].wall_ns))
        longest = min(LONGEST_CONTROL * deadline_ms * 1e6, LONGEST_CONTROL_NS)
        self._control_ns = max(int(min(self._usual_ns, longest)), 1)

    def __len__(self) -> int:
        """The number of steps that are timed so far."""
        return len(self._chunks) * len(self._processes) * CHUNK

    def take(self, steps: int) -> None:
        """Times at least so many steps more."""
        for _ in range(-(-steps // (CHUNK * len(self._processes)))):
            self._take_chunk()

    def _take_chunk(self) -> None:
        place = len(self._chunks)
        how = {"warmup": WARM_UP, "control_ns": self._control_ns}
        if place % CHUNKS_PER_RESET == 0:
            how["reset_every"] = CHUNK + WARM_UP
        self._chunks.append([])
        for process in self._processes:
            began = time.monotonic()
            self._chunks[-1].append(process.time(self._audio(place), place, **how))
            time.sleep(REST * (time.monotonic() - began))

    def _audio(self, place: int, frames: int = WARM_UP + CHUNK) -> np.ndarray:
        """The frames of one chunk, unlike those of any other but for silence."""
        is_quiet = place % CHUNKS_PER_RESET == QUIET
        how = {"seed": (self.seed + 1) * 1_000_003 + place, "amplitude": DENORMAL if is_quiet else 1.0}
        audio = signals.noise(frames, self.step.width, **how)
        if is_quiet:
            audio[: frames // 2] = 0.0
        return audio

    def samples(self) -> dict[str, np.ndarray]:
        """All samples of all steps, by the names that `Latency` has for them."""
        return joined(one.samples() for both in self._chunks for one in both)

    @property
    def priority(self) -> str:
        """What the steps ran with: "real-time" or "ordinary"."""
        return self._chunks[0][0].priority

    def check_outputs(self) -> None:
        """Raises RequirementFailed at the first timed step with wrong outputs.

        Right are those that a third process gives, bit by bit, which is not timed and is given long blocks. Where its
        bits are others, for which there may be good reasons in another process, the oracle says what is right.
        """
        __tracebackhide__ = True
        with self._untimed() as untimed:
            for begin in range(0, len(self._chunks), CHUNKS_PER_RESET):
                places = range(begin, min(begin + CHUNKS_PER_RESET, len(self._chunks)))
                audio = np.concatenate([self._audio(place) for place in places])
                right = untimed(audio)
                for process in range(len(self._processes)):
                    chunks = [self._chunks[place][process].outputs for place in places]
                    timed = {name: np.concatenate([outputs[name] for outputs in chunks]) for name in right}
                    self._check(audio, timed, right, "when they are timed, and others when they are not")

    def in_a_row(self) -> dict[str, np.ndarray]:
        """Samples of some two thousand steps more, of one process, without the pauses between chunks.

        Each chunk begins with a reset. Steps of nothing would be pauses too, so the control is that of as many
        steps before. Raises RequirementFailed at the first chunk with wrong outputs, as `check_outputs` does.
        """
        __tracebackhide__ = True
        audio = self._audio(-1, BURST * CHUNK)
        seconds = MEASURE_SECONDS + 1e-9 * LONGEST_FACTOR * self._usual_ns * len(audio)
        timed = self._processes[0].burst(audio, reset_every=CHUNK, timeout=seconds)
        with self._untimed() as untimed:
            for begin in range(0, len(audio), CHUNK):
                chunk = slice(begin, begin + CHUNK)
                outputs = {name: frames[chunk] for name, frames in timed.outputs.items()}
                when = f"after {begin} timed steps in a row"
                self._check(audio[chunk], outputs, untimed(audio[chunk]), when)
        return timed.samples() | {"control_ns": self.samples()["control_ns"][-len(audio) :]}

    @contextmanager
    def _untimed(self) -> Iterator[Callable[[np.ndarray], dict[str, np.ndarray]]]:
        """In a process of its own, what gives the outputs of steps from reset on, in long blocks."""
        with self.loader.open() as session:
            models = {
                name: session.load(case.path, max_frames=CHUNKS_PER_RESET * (WARM_UP + CHUNK))
                for name, case in self.step.models.items()
            }

            def run(audio: np.ndarray) -> dict[str, np.ndarray]:
                for model in models.values():
                    model.reset()
                return self.step.run({name: model.process for name, model in models.items()}, audio)

            yield run

    def _check(
        self, audio: np.ndarray, outputs: Mapping[str, np.ndarray], untimed: Mapping[str, np.ndarray], when: str
    ) -> None:
        __tracebackhide__ = True
        if any(outputs[name].tobytes() != untimed[name].tobytes() for name in untimed):
            self._check_by_oracle(audio, outputs, when)

    def _check_by_oracle(self, audio: np.ndarray, outputs: Mapping[str, np.ndarray], when: str) -> None:
        __tracebackhide__ = True
        check_by_oracle(self.step, audio, outputs, self.loader.declaration.numeric_class, self.seed, when)
