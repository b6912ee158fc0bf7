"""A loader's steps, timed in two processes that take turns, and checked afterwards against a run that was not timed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import signals
from ..implementations.host import MEASURE_SECONDS, SAMPLES, Latency
from ..judging import RequirementFailed, check_same_bits
from .machine import largest_cache_bytes
from .step import Step
from .step_outputs import check_by_oracle

CHUNK = 64
"""Steps that a process takes before it is the other's turn."""

WARM_UP = 2
"""Steps before a chunk that are not timed: the request has passed through the caches."""

CHUNKS_PER_RESET = 8
BURST = 32
"""Chunks in a row, without a pause: more steps than a loader waits for before it takes them for a benchmark."""

CALIBRATION = 10
LONGEST_CONTROL_NS = 5_000_000
LONGEST_FACTOR = 3
"""A step is waited for so many times as long as is usual."""


@dataclass(frozen=True)
class Conditions:
    """What happens between two steps: as in a benchmark, nothing, or as in a plugin host with other work to do."""

    name: str
    others: bool = False
    """A second set of the same models runs, as in another instance of the plugin."""

    cache_bytes: int = 0
    """So much memory is read, which takes the place of the models' in the caches."""


WARM = Conditions("warm")


def cold() -> Conditions:
    """As between two audio callbacks of a host that is busy with other plugins."""
    return Conditions("cold", others=True, cache_bytes=largest_cache_bytes())


class _Process:
    """One process of the loader, the models of the step loaded in it."""

    def __init__(self, stack: ExitStack, loader: Any, step: Step, conditions: Conditions) -> None:
        self.session = stack.enter_context(loader.open())
        self.step, self.conditions = step, conditions
        self.models = self._loaded()
        self.others = list(self._loaded().values()) if conditions.others else []

    def _loaded(self) -> dict[str, Any]:
        return {name: self.session.load(case.path, max_frames=1) for name, case in self.step.models.items()}

    def time(self, audio: np.ndarray, **how: int) -> Latency:
        """Between the steps goes on what the conditions say."""
        between = {"others": self.others, "cache_bytes": self.conditions.cache_bytes}
        return self.session.measure_latency(self.models, self.step.flow, audio, **between, **how)

    def burst(self, audio: np.ndarray, reset_every: int, timeout: float) -> Latency:
        """One step after the other, without a pause."""
        how = {"reset_every": reset_every, "timeout": timeout}
        return self.session.measure_latency(self.models, self.step.flow, audio, **how)


@contextmanager
def timed_run(loader: Any, step: Step, conditions: Conditions, seed: int) -> Iterator[TimedRun]:
    """Two processes of a loader with the models of a step, and nothing timed yet."""
    with ExitStack() as stack:
        yield TimedRun(stack, loader, step, conditions, seed)


def joined(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The samples of several measurements in one row, by name."""
    parts = list(parts)
    return {name: np.concatenate([part[name] for part in parts]) for name in SAMPLES}


class TimedRun:
    """Raw samples of as many steps as `take` was asked for.

    No frame is ever given twice to a process, so that no answer can be a remembered one. Samples of both processes
    stand in one row, in chunks of CHUNK steps, the first process first.
    """

    def __init__(self, stack: ExitStack, loader: Any, step: Step, conditions: Conditions, seed: int) -> None:
        self.loader, self.step, self.conditions, self.seed = loader, step, conditions, seed
        self._processes = [_Process(stack, loader, step, conditions) for _ in range(2)]
        self._chunks: list[list[Latency]] = []
        first = [process.time(self._audio(-2, CALIBRATION)) for process in self._processes]
        self._usual_ns = int(np.median(first[0].wall_ns))

    def __len__(self) -> int:
        """The number of steps that are timed so far."""
        return len(self._chunks) * len(self._processes) * CHUNK

    def take(self, steps: int) -> None:
        """Times at least so many steps more."""
        for _ in range(-(-steps // (CHUNK * len(self._processes)))):
            self._take_chunk()

    def _take_chunk(self) -> None:
        place = len(self._chunks)
        how = {"warmup": WARM_UP, "control_ns": min(self._usual_ns, LONGEST_CONTROL_NS)}
        if place % CHUNKS_PER_RESET == 0:
            how["reset_every"] = CHUNK + WARM_UP
        self._chunks.append([process.time(self._audio(place), **how) for process in self._processes])

    def _audio(self, place: int, frames: int = WARM_UP + CHUNK) -> np.ndarray:
        """The frames of one chunk, unlike those of any other."""
        return signals.noise(frames, self.step.width, seed=(self.seed + 1) * 1_000_003 + place)

    def samples(self) -> dict[str, np.ndarray]:
        """All samples of all steps, by the names that `Latency` has for them."""
        return joined(one.samples() for both in self._chunks for one in both)

    @property
    def priority(self) -> str:
        """What the steps ran with: "real-time" or "ordinary"."""
        return self._chunks[0][0].priority

    def check_outputs(self) -> None:
        """Raises RequirementFailed at the first timed step with wrong outputs.

        All are compared bit by bit with those of a third process, which is not timed and is given whole chunks, or
        single frames if that makes a difference to it. What the steps give in a row, without the pauses between chunks,
        is judged by the oracle.
        """
        __tracebackhide__ = True
        self._check_burst()
        try:
            self._check_chunks(block=CHUNK + WARM_UP)
        except RequirementFailed:
            self._check_chunks(block=1)

    def _check_chunks(self, block: int) -> None:
        __tracebackhide__ = True
        with self.loader.open() as session:
            models = {
                name: session.load(case.path, max_frames=CHUNK + WARM_UP) for name, case in self.step.models.items()
            }
            process = {name: partial(model.process, block=block) for name, model in models.items()}
            for place, both in enumerate(self._chunks):
                if place % CHUNKS_PER_RESET == 0:
                    for model in models.values():
                        model.reset()
                untimed = self.step.run(process, self._audio(place))
                for timed in both:
                    for name, outputs in timed.outputs.items():
                        what = f"{name} gave other outputs in the timed run than in an untimed one"
                        check_same_bits(outputs, untimed[name], what)

    def _check_burst(self) -> None:
        """Judges the frames behind the last reset."""
        __tracebackhide__ = True
        audio = self._audio(-1, BURST * CHUNK)
        seconds = MEASURE_SECONDS + 1e-9 * LONGEST_FACTOR * self._usual_ns * len(audio)
        timed = self._processes[0].burst(audio, reset_every=CHUNK, timeout=seconds)
        last = {name: frames[-CHUNK:] for name, frames in timed.outputs.items()}
        when = f"after {len(audio) - CHUNK} timed steps in a row"
        check_by_oracle(self.step, audio[-CHUNK:], last, self.loader.declaration.numeric_class, self.seed, when)
