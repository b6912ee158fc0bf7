"""Times of two loaders side by side: fresh processes for each round, the same frames in turn, and at the same moment.

In turn (interleaved): both on one core, short passes ABBA, so that what changes slowly meets both. At the same moment
(duet): each on a core of its own, cores swapped from pass to pass, so that what comes and goes quickly meets both.
Source of the second: L. Bulej et al., "Duet Benchmarking: Improving Measurement Accuracy in the Cloud", ICPE 2020.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from .. import signals
from ..five_models import AUDIO
from ..implementations import ImplementationError, LoaderImplementation, MeasuringSession
from .hosts import ShiftedLoader, is_library
from .paired import CLOCK_TICK
from .step import Step, gather

INTERLEAVED, DUET = "interleaved", "duet"
WHOLE_STEP = "all models"
LETTERS = ("A", "B")

PASS_SECONDS = 0.003
"""What a pass is to last: long beside a request, short beside what the machine's noise lasts."""

ROW_SECONDS = 0.05
"""What all passes of a round are to last, for one row of one loader by one way."""

FRAMES = (8, 64)
PASSES = (4, 16)
"""The fewest and the most, whatever a step takes."""

Times = tuple[np.ndarray, np.ndarray]
"""Wall time in ns of the base's and of the candidate's steps, `[passes, frames]` each."""

Round = Mapping[str, Sequence[Times]]
"""By way, the times of each row."""


class WrongWhenTimed(Exception):
    """A loader gave other outputs in a timed pass than it did before."""


@dataclass(frozen=True)
class Row:
    """What is timed by itself, all models or one: its step, and the inputs `[frames, width]` of every pass.

    `expected` are the outputs `[frames, out]` of its models in untimed runs, of the base and of the candidate.
    """

    name: str
    step: Step
    audio: np.ndarray
    passes: int
    expected: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]


class Contender:
    """A loader at work: its process, and the models of a step in it. `letter` is A for the base, else B."""

    def __init__(self, letter: str, session: MeasuringSession, step: Step) -> None:
        self.letter = letter
        self._session = session
        with self._named():
            self.models = {name: session.load(case.path, max_frames=1) for name, case in step.models.items()}

    def outputs(self, step: Step, audio: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs `[frames, out]` of each model of a step, untimed, from reset, frame by frame as when timed."""
        process = {name: lambda frames, name=name: self.models[name].process(frames, block=1) for name in step.models}
        with self._named():
            for name in step.models:
                self.models[name].reset()
            return step.run(process, audio)

    def times(self, step: Step, audio: np.ndarray, expected: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """Wall time `[frames]` in ns of one step per frame of audio, from reset. Raises WrongWhenTimed."""
        models = {name: self.models[name] for name in step.models}
        with self._named():
            timed = self._session.measure_latency(models, step.flow, audio, reset_every=len(audio))
        for name in expected or ():
            if timed.outputs[name].tobytes() != expected[name].tobytes():
                raise WrongWhenTimed(
                    f"{self.letter}, {self.models[name].who}, gives other outputs of {name} when it is timed than when "
                    "it is not. A wrong answer needs no timing; see `rtconform run --class numerics --class latency`"
                )
        return timed.wall_ns

    def run_on(self, core: int) -> None:
        """Keeps the thread that processes on one core."""
        os.sched_setaffinity(self._session.pid, {core})

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Lets errors say which of the two it was, as both may be loaders of one name."""
        try:
            yield
        except ImplementationError as error:
            error.who = f"{self.letter}, {error.who},"
            raise


Pair = tuple[Contender, Contender]


def cores() -> list[int]:
    """The cores that this process may use; none where the system keeps no process on a core."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def ways() -> tuple[dict[str, Callable[[Pair, Sequence[Row], int], list[Times]]], dict[str, str]]:
    """The ways of measuring that this machine has, and the reason for each that it lacks."""
    if len(cores()) > 1:
        return {INTERLEAVED: interleaved, DUET: duet}, {}
    return {INTERLEAVED: interleaved}, {DUET: f"it needs two cores, and this process can be kept on {len(cores())}"}


def rehearse(base: LoaderImplementation, candidate: LoaderImplementation, step: Step, seed: int) -> list[Row]:
    """The rows of a comparison: all models of the step, if there are several, and each by itself.

    Each model gets the inputs that the base's models give it within the step.
    """
    with ExitStack() as stack:
        pair = _pair(stack, base, candidate, step)
        parts = {WHOLE_STEP: step} if len(step.models) > 1 else {}
        parts |= {name: _alone(step, name) for name in step.models}
        sizes = {name: _size(pair, part, seed) for name, part in parts.items()}
        audio = signals.noise(max(frames for frames, _ in sizes.values()), step.width, seed=seed)
        values = {AUDIO: audio, **pair[0].outputs(step, audio)}
        inputs = {stage["model"]: gather(stage["inputs"], values) for stage in step.flow}
        rows = []
        for name, part in parts.items():
            frames, passes = sizes[name]
            given = inputs.get(name, audio)[:frames]
            expected = (pair[0].outputs(part, given), pair[1].outputs(part, given))
            rows.append(Row(name, part, given, passes, expected))
        return rows


def measure(
    base: LoaderImplementation, candidate: LoaderImplementation, step: Step, rows: Sequence[Row], seed: int
) -> Iterator[Round]:
    """Rounds without end, each with new processes. Raises WrongWhenTimed and every ImplementationError."""
    loaders = [
        ShiftedLoader(loader, f"{seed} {letter}") if is_library(loader) else loader
        for letter, loader in zip(LETTERS, (base, candidate), strict=True)
    ]
    for number in itertools.count():
        with ExitStack() as stack:
            pair = _pair(stack, *loaders, step)
            taken = {name: way(pair, rows, number) for name, way in ways()[0].items()}
        yield taken


def interleaved(pair: Pair, rows: Sequence[Row], number: int) -> list[Times]:
    """All passes of each row, in turn on one core; who begins changes from pass to pass."""
    if available := cores():
        for contender in pair:
            contender.run_on(available[number % len(available)])
    taken = _nothing_yet(rows)
    for count in range(max(row.passes for row in rows)):
        for row, times in zip(rows, taken, strict=True):
            for side in ((0, 1), (1, 0))[(count + number) % 2] if count < row.passes else ():
                times[side].append(pair[side].times(row.step, row.audio, row.expected[side]))
    return _arrays(taken)


def duet(pair: Pair, rows: Sequence[Row], number: int) -> list[Times]:
    """All passes of each row, both loaders at once on two cores, which they swap from pass to pass."""
    available = cores()
    both = [available[(number + offset) % len(available)] for offset in (0, 1)]
    together = threading.Barrier(2)

    def take(side: int, row: Row) -> np.ndarray:
        together.wait()
        return pair[side].times(row.step, row.audio, row.expected[side])

    taken = _nothing_yet(rows)
    with ThreadPoolExecutor(2) as threads:
        for count in range(max(row.passes for row in rows)):
            for side in (0, 1):
                pair[side].run_on(both[(count + side) % 2])
            for row, times in zip(rows, taken, strict=True):
                running = [threads.submit(take, side, row) for side in (0, 1) if count < row.passes]
                for side, times_of_side in enumerate(running):
                    times[side].append(times_of_side.result())
    return _arrays(taken)


def _pair(stack: ExitStack, base: LoaderImplementation, candidate: LoaderImplementation, step: Step) -> Pair:
    """Both loaders at work, their models loaded at the same time."""
    sessions = [stack.enter_context(loader.open()) for loader in (base, candidate)]
    with ThreadPoolExecutor(2) as threads:
        return tuple(threads.map(Contender, LETTERS, sessions, (step, step)))


def _alone(step: Step, name: str) -> Step:
    """One model of a step on inputs of its own."""
    size = step.models[name].model.input_size
    flow = ({"model": name, "inputs": [{"from": AUDIO, "begin": 0, "end": size}]},)
    return Step({name: step.models[name]}, flow, size)


def _size(pair: Pair, step: Step, seed: int) -> tuple[int, int]:
    """How many frames a pass has, and how many passes a round."""
    audio = signals.noise(FRAMES[0], step.width, seed=seed)
    seconds = max(CLOCK_TICK, *(float(np.median(contender.times(step, audio))) for contender in pair)) / 1e9
    frames = int(np.clip(PASS_SECONDS / seconds, *FRAMES))
    return frames, int(np.clip(ROW_SECONDS / (frames * seconds), *PASSES))


def _nothing_yet(rows: Sequence[Row]) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    return [([], []) for _ in rows]


def _arrays(taken: Sequence[tuple[list[np.ndarray], list[np.ndarray]]]) -> list[Times]:
    return [(np.array(base), np.array(candidate)) for base, candidate in taken]
