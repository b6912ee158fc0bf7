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
from functools import partial

import numpy as np

from .. import signals
from ..five_models import AUDIO
from ..implementations import ImplementationError, LoaderImplementation, MeasuringSession
from . import machine
from .hosts import ShiftedLoader, is_library
from .paired import CLOCK_TICK
from .step import Step, alone, gather

INTERLEAVED, DUET = "interleaved", "duet"
WHOLE_STEP = "all models"
LETTERS = ("A", "B")
CHECKED = 4
"""One pass of so many is compared with an untimed one, another in each round."""

OTHERWISE = 1.0 / 128
"""By what part a pass's frames are smaller than those of the pass before."""

PASS_SECONDS = 0.003
"""What a pass is to last: long beside a request, short beside what the machine's noise lasts."""

ROW_SECONDS = 0.05
"""What all passes of a round are to last, for one row of one loader by one way."""

PASS_TIMEOUT = 30.0
"""Seconds after which a pass, of some milliseconds for most, counts as hanging."""

STAYS = 0.5
"""So much of the core's second cache models may take and be sure to stay there from step to step, wherever their pages
lie in the machine's memory. Of more, a part has to be fetched again, another part in each process."""

FRAMES = (8, 64)
PASSES = (4, 16)
"""The fewest and the most, whatever a step takes."""

Times = tuple[np.ndarray, np.ndarray]
"""Wall time in ns of the base's and of the candidate's steps, `[passes, frames]` each."""

Round = Mapping[str, Sequence[Times]]
"""By way, the times of each row."""


class WrongWhenTimed(Exception):
    """A loader gave other outputs in a timed pass than it does when it isn't timed."""


@dataclass(frozen=True)
class Row:
    """What is timed by itself, all models or one: its step, and inputs `[frames, width]`.

    `passes` is how many there are in a round by one way. `outputs` are those `[frames, out]` of its models over the
    inputs as they are, untimed, of the base and of the candidate. `cache_bytes` of memory are read before each step, so
    that nothing of the last one is left in the core's cache; 0 where all of it stays there.
    """

    name: str
    step: Step
    audio: np.ndarray
    passes: int
    outputs: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]
    cache_bytes: int = 0

    def inputs(self, way: str, number: int) -> np.ndarray:
        """Those of one pass: the same work, but other bits than in any other, so that no answer is a remembered one."""
        place = (self.passes if way == DUET else 0) + number
        return self.audio * np.float32(1.0 - OTHERWISE * place)


class Contender:
    """A loader at work: its process, and the models of a step in it. `letter` is A for the base, else B."""

    def __init__(self, letter: str, session: MeasuringSession, step: Step) -> None:
        self.letter = letter
        self._session = session
        self._timed: list[tuple[Step, np.ndarray, Mapping[str, np.ndarray]]] = []
        self.models = {}
        for name, case in step.models.items():
            with named(letter, case.path):
                self.models[name] = session.load(case.path, max_frames=1)

    def outputs(self, step: Step, audio: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs `[frames, out]` of each model of a step, untimed, from reset, frame by frame as when timed."""

        def process(name: str, frames: np.ndarray) -> np.ndarray:
            part = (self.models[name], frames)
            return self._session.process_together([part], block=1, passes=1, timeout=PASS_TIMEOUT).outputs[0]

        with named(self.letter, _of(step)):
            return step.run({name: partial(process, name) for name in step.models}, audio)

    def times(self, step: Step, audio: np.ndarray, cache_bytes: int = 0) -> np.ndarray:
        """Wall time `[frames]` in ns of one step per frame of audio, from reset; `cache_bytes` are read before each."""
        models = {name: self.models[name] for name in step.models}
        with named(self.letter, _of(step)):
            timed = self._session.measure_latency(
                models, step.flow, audio, reset_every=len(audio), cache_bytes=cache_bytes, timeout=PASS_TIMEOUT
            )
        self._timed.append((step, audio, timed.outputs))
        return timed.wall_ns

    def check(self, number: int) -> None:
        """Compares the outputs of timed passes with untimed ones, bit by bit. Raises WrongWhenTimed.

        `number` says which of CHECKED are. Both are of the same process: in another one the memory lies elsewhere,
        which may change the order of a sum.
        """
        for step, audio, outputs in self._timed[number % CHECKED :: CHECKED]:
            untimed = self.outputs(step, audio)
            for name in outputs:
                if outputs[name].tobytes() != untimed[name].tobytes():
                    raise WrongWhenTimed(
                        f"{self.letter}, {self.models[name].who}, gives other outputs of {name} when it is timed than "
                        "when it is not. A wrong answer needs no timing; see "
                        "`rtconform run --class numerics --class latency`"
                    )

    def run_on(self, core: int) -> None:
        """Keeps the thread that processes on one core."""
        os.sched_setaffinity(self._session.pid, {core})


@contextmanager
def named(letter: str, what: object) -> Iterator[None]:
    """Lets errors say which of the two it was, as both may be loaders of one name, and at which file or models."""
    try:
        yield
    except ImplementationError as error:
        error.who = f"{letter}, {error.who}, with {what},"
        raise


def _of(step: Step) -> str:
    return next(iter(step.models)) if len(step.models) == 1 else f"all {len(step.models)} models"


Pair = tuple[Contender, Contender]
Way = Callable[[Pair, Sequence[Row], int], list[Times]]


def cores() -> list[int]:
    """The cores that this process may use; none where the system keeps no process on a core."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def ways(*loaders: LoaderImplementation) -> tuple[dict[str, Way], dict[str, str]]:
    """The ways of measuring that there are for these loaders on this machine, and the reason for each that is not."""
    if not all(map(is_library, loaders)):
        # Which thread of a program processes, or of one that it started, can't be known from outside.
        return {INTERLEAVED: interleaved}, {DUET: "only abi: loaders can be kept on a core of their own"}
    if len(cores()) < 2:
        return {INTERLEAVED: interleaved}, {DUET: f"it needs two cores, and this process can be kept on {len(cores())}"}
    return {INTERLEAVED: interleaved, DUET: duet}, {}


def rehearse(base: LoaderImplementation, candidate: LoaderImplementation, step: Step, seed: int) -> list[Row]:
    """The rows of a comparison: all models of the step, if there are several, and each by itself.

    Each model alone gets inputs as the base's models give it within the step, though of other audio than all together.
    """
    with ExitStack() as stack:
        pair = _pair(stack, base, candidate, step)
        parts = {WHOLE_STEP: step} if len(step.models) > 1 else {}
        parts |= {name: alone(name, case) for name, case in step.models.items()}
        read = {name: _cache_bytes((base, candidate), part) for name, part in parts.items()}
        sizes = {name: _size(pair, part, read[name], seed) for name, part in parts.items()}
        most = max(frames for frames, _ in sizes.values())
        together, audio = (signals.noise(most, step.width, seed=each) for each in (seed, seed + 1))
        values = {AUDIO: audio, **pair[0].outputs(step, audio)}
        inputs = {stage["model"]: gather(stage["inputs"], values) for stage in step.flow}
        rows = []
        for name, part in parts.items():
            frames, passes = sizes[name]
            given = inputs.get(name, together)[:frames]
            outputs = (pair[0].outputs(part, given), pair[1].outputs(part, given))
            rows.append(Row(name, part, given, passes, outputs, read[name]))
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
            taken = {name: way(pair, rows, number) for name, way in ways(*loaders)[0].items()}
            with ThreadPoolExecutor(2) as threads:
                list(threads.map(Contender.check, pair, (number, number)))
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
                times[side].append(pair[side].times(row.step, row.inputs(INTERLEAVED, count), row.cache_bytes))
    return _arrays(taken)


def duet(pair: Pair, rows: Sequence[Row], number: int) -> list[Times]:
    """All passes of each row, both loaders at once on two cores, which they swap from pass to pass."""
    available = cores()
    both = [available[(number + offset) % len(available)] for offset in (0, 1)]
    together = threading.Barrier(2)

    def take(side: int, row: Row, inputs: np.ndarray) -> np.ndarray:
        together.wait()
        return pair[side].times(row.step, inputs, row.cache_bytes)

    taken = _nothing_yet(rows)
    with ThreadPoolExecutor(2) as threads:
        for count in range(max(row.passes for row in rows)):
            for side in (0, 1):
                pair[side].run_on(both[(count + side) % 2])
            for row, times in zip(rows, taken, strict=True):
                given = (row, row.inputs(DUET, count))
                # Who is asked last works on when the other has ended, and has the machine's memory to itself.
                order = ((0, 1), (1, 0))[(count // 2 + number) % 2] if count < row.passes else ()
                running = {side: threads.submit(take, side, *given) for side in order}
                for side, times_of_side in running.items():
                    times[side].append(times_of_side.result())
    return _arrays(taken)


def _pair(stack: ExitStack, base: LoaderImplementation, candidate: LoaderImplementation, step: Step) -> Pair:
    """Both loaders at work, their models loaded at the same time."""
    sessions = [stack.enter_context(loader.open()) for loader in (base, candidate)]
    with ThreadPoolExecutor(2) as threads:
        return tuple(threads.map(Contender, LETTERS, sessions, (step, step)))


def _cache_bytes(loaders: Sequence[LoaderImplementation], step: Step) -> int:
    """What is to be read before each step of these models: nothing if what the loaders hold of them is sure to stay."""
    held = []
    for letter, loader in zip(LETTERS, loaders, strict=True):
        with named(letter, _of(step)), loader.open() as session:
            memory = session.measure_memory([case.path for case in step.models.values()], cycles=0)
            held.append(memory.live_bytes - memory.static_bytes)
    twice_the_cache = machine.core_cache_bytes()
    return twice_the_cache if max(held) > STAYS * twice_the_cache / 2 else 0


def _size(pair: Pair, step: Step, cache_bytes: int, seed: int) -> tuple[int, int]:
    """How many frames a pass has, and how many passes a round."""
    audio = signals.noise(FRAMES[0], step.width, seed=seed)
    usual = [float(np.median(contender.times(step, audio, cache_bytes))) for contender in pair]
    seconds = max(CLOCK_TICK, *usual) / 1e9
    frames = int(np.clip(PASS_SECONDS / seconds, *FRAMES))
    return frames, int(np.clip(ROW_SECONDS / (frames * seconds), *PASSES))


def _nothing_yet(rows: Sequence[Row]) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    return [([], []) for _ in rows]


def _arrays(taken: Sequence[tuple[list[np.ndarray], list[np.ndarray]]]) -> list[Times]:
    return [(np.array(base), np.array(candidate)) for base, candidate in taken]
