"""Many loaders in one run, interleaved: what a step takes each, loading, memory, and the machine's own limit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import __version__
from .. import expected, records
from ..implementations import ImplementationError, LoaderImplementation, MeasuringSession, Memory
from ..measure import paired
from ..measure.machine import reading_ns
from ..measure.paired import Interval
from ..measure.side_by_side import cores
from ..selection import five_cases
from .rows import WHOLE_STEP, Row
from .runners import Runner, at_work, shifted

SCHEMA_VERSION = 1
JUDGED_FRAMES = 8
"""So many frames of a row are compared with the oracle, in each round."""

ERROR_PER_END = 0.025
"""Of the intervals of ratios, which hold the true one in 95 of 100 cases."""

MEMORY_CYCLES = 2
WEIGHT_BITS = (32, 16, 8)
READINGS = 25
LOAD, MEMORY = "load", "memory"
"""What loading the five models and the memory that they take are called, beside the rows' names."""

Times = dict[str, dict[str, float]]
"""By loader and row, the median time of a step in ns; of loading, that of all five models."""


@dataclass
class Benchmark:
    """Loaders by short name, what was measured of them, and why something was not.

    `unfit` says by loader and row why there is no time; `memory` lacks loaders that don't count theirs. `limits` are
    the median times in ns, by round, that reading the five models' weights once takes, stored in so many bits.
    """

    loaders: Mapping[str, LoaderImplementation]
    rows: Sequence[Row]
    base: str
    seed: int
    left_out: Mapping[str, str]
    rounds: list[Times] = field(default_factory=list)
    unfit: dict[tuple[str, str], str] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)
    limits: dict[int, list[float]] = field(default_factory=dict)

    def times(self, loader: str, row: str) -> list[float]:
        """Of each round in ns; empty if the loader is unfit for the row."""
        return [] if self.why_unfit(loader, row) else [taken[loader][row] for taken in self.rounds]

    def why_unfit(self, loader: str, row: str) -> str:
        """The reason, or "". All five models are as good as each of them."""
        is_whole = row == LOAD or any(each.name == row and each.kind == "step" for each in self.rows)
        parts = [each.name for each in self.rows if each.kind == "model"] if is_whole else []
        return next((self.unfit[loader, name] for name in (row, *parts) if (loader, name) in self.unfit), "")

    def median_ns(self, loader: str, row: str) -> float | None:
        times = self.times(loader, row)
        return float(np.median(times)) if times else None

    def by_speed(self) -> list[str]:
        """The loaders, the fastest in the five-model step first; those without a time last."""
        times = {name: self.median_ns(name, WHOLE_STEP) for name in self.loaders}
        return sorted(times, key=lambda name: (times[name] is None, times[name]))

    def without_time(self) -> list[str]:
        """The loaders that have no time of the five-model step."""
        return [name for name in self.loaders if not self.times(name, WHOLE_STEP)]

    def ratio(self, loader: str, row: str) -> Interval | None:
        """To the base's time, over the rounds."""
        both = self.times(self.base, row), self.times(loader, row)
        return paired.interval(*both, ERROR_PER_END, self.seed) if all(both) else None

    def limit_ns(self, bits: int) -> float | None:
        """What reading all weights once takes the machine when each has so many bits."""
        return float(np.median(self.limits[bits])) if self.limits.get(bits) else None


def run(benchmark: Benchmark, rounds: int, progress: Callable[[str], None]) -> None:
    """Fills a benchmark with so many rounds, each with new processes. Raises ImplementationError if one can't start."""
    for name, loader in benchmark.loaders.items():
        progress(f"counting the memory of {name}")
        _count_memory(benchmark, name, loader)
    moved = {name: shifted(loader, f"{benchmark.seed} {name}") for name, loader in benchmark.loaders.items()}
    for number in range(rounds):
        turn = number % len(moved)
        order = [*list(moved)[turn:], *list(moved)[:turn]]
        with ExitStack() as stack:
            runners = {name: stack.enter_context(at_work(moved[name])) for name in order}
            stack.enter_context(_on_one_core(number, runners))
            progress(f"round {number + 1} of {rounds}: loading")
            benchmark.rounds.append({name: _load(benchmark, name, runner) for name, runner in runners.items()})
            for place, row in enumerate(benchmark.rows):
                progress(f"round {number + 1} of {rounds}: {row.name}, {place + 1} of {len(benchmark.rows)}")
                _time(benchmark, row, runners)
            _read_weights(benchmark)


def document(benchmark: Benchmark) -> dict[str, Any]:
    """All that was measured, as harness/bench-1.schema.json says; times in ns, one per round."""
    return {
        "schema": SCHEMA_VERSION,
        "rtconform": __version__,
        "machine": records.machine(),
        "seed": benchmark.seed,
        "base": benchmark.base,
        "rounds": len(benchmark.rounds),
        "loaders": {
            name: {
                "connection": loader.connection,
                "identity": loader.declaration.to_dict(),
                "live_bytes": benchmark.memory[name].live_bytes if name in benchmark.memory else None,
                "peak_bytes": benchmark.memory[name].peak_bytes if name in benchmark.memory else None,
            }
            for name, loader in benchmark.loaders.items()
        },
        "left_out": dict(benchmark.left_out),
        "limits_ns": {str(bits): times for bits, times in benchmark.limits.items()},
        "rows": [
            {
                "name": name,
                "kind": kind,
                "size": size,
                "times_ns": {loader: benchmark.times(loader, name) for loader in benchmark.loaders},
                "unfit": {
                    loader: reason for loader in benchmark.loaders if (reason := benchmark.why_unfit(loader, name))
                },
            }
            for name, kind, size in ((LOAD, LOAD, 0), *((row.name, row.kind, row.size) for row in benchmark.rows))
        ],
    }


@contextmanager
def _on_one_core(number: int, runners: Mapping[str, Runner]) -> Iterator[None]:
    """Keeps all loaders and this process on one core, another in the next round, where the system allows that."""
    available = cores()
    if not available:
        yield
        return
    for pid in {0, *(runner.pid for runner in runners.values())}:
        os.sched_setaffinity(pid, {available[number % len(available)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, available)


def _count_memory(benchmark: Benchmark, name: str, loader: LoaderImplementation) -> None:
    with loader.open() as session:
        if isinstance(session, MeasuringSession):
            try:
                paths = [case.path for case in five_cases()]
                benchmark.memory[name] = session.measure_memory(paths, cycles=MEMORY_CYCLES)
            except ImplementationError as error:
                benchmark.unfit[name, MEMORY] = _first_line(error)


def _load(benchmark: Benchmark, name: str, runner: Runner) -> dict[str, float]:
    """Loads all models, and gives the time that the five took."""
    declared = benchmark.loaders[name].declaration.layer_types
    taken = 0.0
    for row in benchmark.rows:
        if row.kind == "step":
            continue
        ((model, case),) = row.step.models.items()
        if missing := set(case.model.layer_types).difference(declared):
            benchmark.unfit[name, row.name] = f"it declares no {', '.join(sorted(missing))}"
            continue
        begin = time.perf_counter_ns()
        try:
            runner.load(model, case.path)
        except ImplementationError as error:
            benchmark.unfit[name, row.name] = _first_line(error)
        taken += (time.perf_counter_ns() - begin) if row.kind == "model" else 0.0
    return {LOAD: taken}


def _time(benchmark: Benchmark, row: Row, runners: Mapping[str, Runner]) -> None:
    """All passes of a row, the loaders in turn; who begins changes from pass to pass."""
    fit = [name for name in runners if not benchmark.why_unfit(name, row.name)]
    taken: dict[str, list[np.ndarray]] = {name: [] for name in fit}
    for number in range(row.passes):
        for name in fit if number % 2 == 0 else reversed(fit):
            if (name, row.name) in benchmark.unfit:
                continue
            try:
                times, outputs = runners[name].run(row.step, row.inputs(number), row.cache_bytes)
            except ImplementationError as error:
                benchmark.unfit[name, row.name] = _first_line(error)
                continue
            taken[name].append(times[min(paired.SETTLE, len(times) // 4) :])
            if number == 0 and row.kind != "step" and not _is_right(benchmark, name, row, outputs):
                benchmark.unfit[name, row.name] = "its outputs are wrong"
    for name, times in taken.items():
        if times:
            benchmark.rounds[-1][name][row.name] = float(np.median(np.concatenate(times)))


def _first_line(error: ImplementationError) -> str:
    """What happened, without the traceback or the words of the process."""
    return str(error).partition("\n")[0]


def _is_right(benchmark: Benchmark, loader: str, row: Row, outputs: Mapping[str, np.ndarray]) -> bool:
    """Whether the first outputs are within the budget of the loader's class; for a chaotic model nobody can say."""
    numeric_class = benchmark.loaders[loader].declaration.numeric_class
    ((name, case),) = row.step.models.items()
    allowed = expected.budget_of(case, row.inputs(0)[:JUDGED_FRAMES], numeric_class, benchmark.seed)
    return allowed.chaotic or allowed.judge(outputs[name][:JUDGED_FRAMES]).ok


def _read_weights(benchmark: Benchmark) -> None:
    """The machine's limit: nobody who computes with all weights in each step is quicker than reading them once."""
    count = sum(case.model.parameters for case in five_cases())
    for bits in WEIGHT_BITS:
        times = reading_ns(count * bits // 8, READINGS)
        if len(times):
            benchmark.limits.setdefault(bits, []).append(float(np.median(times)))
