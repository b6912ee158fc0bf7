"""`compare`: whether one loader, the candidate B, is slower than another, the base A, from raw samples to a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import __version__
from . import records
from .implementations import LoaderImplementation, MeasuringSession, NotAvailable
from .measure import instructions, paired, side_by_side
from .measure.paired import Finding, Interval
from .measure.side_by_side import LETTERS, Round, Row
from .measure.step import Step
from .rtneural_json import budget, numeric_classes
from .verdicts import ExitCode

SCHEMA_VERSION = 1
COUNTED_FRAMES = 8
NOT_ASKED_FOR = "not asked for"


class NotMeasurable(ValueError):
    """A loader that can't be timed from inside its process, or whose declaration doesn't say what it computes with."""


@dataclass(frozen=True)
class Limits:
    """What counts as a difference: in time, of a step, the larger of the first two; in instructions the third."""

    relative: float = 0.03
    absolute_us: float = 0.1
    instructions: float = 0.01

    def floor(self, microseconds: float) -> float:
        """The ratio above which a step is slower that took so long before."""
        return 1.0 + max(self.relative, self.absolute_us / microseconds)


@dataclass(frozen=True)
class OutputDifference:
    """How far the outputs of one row are apart, and how large they are; both 0 where they are the same bits, and None
    where one side has numbers that the other has not.

    `budgets` is the distance as a part of what rounding allows between two correct loaders: twice the error budget.
    It is None where that can't be said: for several models, numeric classes that differ, or a model near chaos.
    """

    same_bits: bool
    largest: float | None = 0.0
    scale: float | None = 0.0
    budgets: float | None = None


@dataclass(frozen=True)
class Line:
    """What came of one row. Times are in µs, `floor` is a ratio, instructions are of A and B per step.

    `intervals` are those of the shortest times, `usual` those of the usual ones.
    """

    name: str
    base_us: float
    candidate_us: float
    floor: float
    intervals: Mapping[str, Interval]
    usual: Mapping[str, Interval]
    finding: Finding
    outputs: OutputDifference
    instructions: tuple[float, float] | None

    @property
    def is_hidden(self) -> bool:
        """Whether B takes longer by what the shortest times don't show."""
        return paired.agreed(list(self.intervals.values()), self.floor) is not self.finding

    @property
    def instruction_ratio(self) -> float | None:
        return None if self.instructions is None else self.instructions[1] / self.instructions[0]


@dataclass
class Comparison:
    """Two loaders, and what was measured of them: raw samples, of which all else is a reading.

    `counts` are instructions per step by model, of A and of B, or the reason why there are none.
    """

    loaders: tuple[LoaderImplementation, LoaderImplementation]
    rows: Sequence[Row]
    limits: Limits
    most_rounds: int
    seed: int
    gates_instructions: bool
    outputs: Sequence[OutputDifference]
    left_out: Mapping[str, str]
    rounds: list[Round] = field(default_factory=list)
    counts: tuple[Mapping[str, float], Mapping[str, float]] | str = NOT_ASKED_FOR

    def lines(self) -> list[Line]:
        """What the rounds so far come to, row by row."""
        error = paired.error_per_end(len(self.rows), len(paired.looks(self.most_rounds)))
        return [self._line(number, error) for number in range(len(self.rows))]

    def _line(self, number: int, error: float) -> Line:
        row = self.rows[number]

        def steps(time: Callable[[np.ndarray], float], way: str) -> list[list[float]]:
            return [[time(each[way][number][side]) for each in self.rounds] for side in (0, 1)]

        shortest, usual = (
            {way: paired.interval(*steps(time, way), error, self.seed) for way in self.rounds[0]}
            for time in (paired.shortest, paired.usual)
        )
        in_turn = steps(paired.shortest, side_by_side.INTERLEAVED)
        base, candidate = (float(np.median(times)) / 1e3 for times in in_turn)
        floor = self.limits.floor(base)
        counted = None
        if not isinstance(self.counts, str):
            counted = tuple(sum(counts[name] for name in row.step.models) for counts in self.counts)
        finding = paired.judged(list(shortest.values()), list(usual.values()), floor)
        return Line(row.name, base, candidate, floor, shortest, usual, finding, self.outputs[number], counted)


def compare(
    base: LoaderImplementation,
    candidate: LoaderImplementation,
    step: Step,
    *,
    limits: Limits,
    most_rounds: int,
    seed: int,
    count: bool,
    gates_instructions: bool,
    progress: Callable[[str], None],
) -> Comparison:
    """Measures until every row is decided, or one is slower, or there were `most_rounds`; then counts instructions.

    Raises NotMeasurable, side_by_side.WrongWhenTimed, and every ImplementationError.
    """
    for letter, loader in zip(LETTERS, (base, candidate), strict=True):
        if (name := loader.declaration.numeric_class) not in numeric_classes():
            known = ", ".join(numeric_classes())
            raise NotMeasurable(f"{letter}: no numeric class is called {name!r}; expected one of {known}")
        with loader.open() as session:
            if not isinstance(session, MeasuringSession):
                raise NotMeasurable(
                    f"{letter}: expected a loader that can be timed inside its own process (abi:, or a program with "
                    f"the feature measure), found {loader.declaration.name} by {loader.connection}"
                )
    progress("loading the models")
    rows = side_by_side.rehearse(base, candidate, step, seed)
    classes = {loader.declaration.numeric_class for loader in (base, candidate)}
    outputs = [output_difference(row, classes) for row in rows]
    left_out = side_by_side.ways(base, candidate)[1]
    measured = Comparison((base, candidate), rows, limits, most_rounds, seed, gates_instructions, outputs, left_out)
    looks = paired.looks(most_rounds)
    for taken in side_by_side.measure(base, candidate, step, rows, seed):
        measured.rounds.append(taken)
        progress(f"round {len(measured.rounds)} of at most {most_rounds}")
        if len(measured.rounds) in looks:
            verdict = paired.overall([line.finding for line in measured.lines()])
            if verdict is not Finding.OPEN or len(measured.rounds) == most_rounds:
                break
    if count:
        progress("counting instructions")
        measured.counts = _counted(base, candidate, step, rows)
    return measured


def exit_code(comparison: Comparison, lines: Sequence[Line]) -> ExitCode:
    """1 for a regression; 3 if instructions have to be counted and can't be; 75 if it can't be told; else 0."""
    finding = paired.overall([line.finding for line in lines])
    if finding is Finding.SLOWER or (comparison.gates_instructions and more_instructions(comparison, lines)):
        return ExitCode.UNEXPECTED
    if comparison.gates_instructions and isinstance(comparison.counts, str):
        return ExitCode.NOT_AVAILABLE
    return ExitCode.INCONCLUSIVE if finding is Finding.OPEN else ExitCode.OK


def more_instructions(comparison: Comparison, lines: Sequence[Line]) -> list[Line]:
    """The rows in which B executes more instructions than A, by more than counts."""
    return [line for line in lines if (line.instruction_ratio or 0.0) > 1.0 + comparison.limits.instructions]


def document(comparison: Comparison, lines: Sequence[Line]) -> dict[str, Any]:
    """The comparison with all raw samples, as harness/compare-1.schema.json says."""
    has_counts = not isinstance(comparison.counts, str)
    return {
        "schema": SCHEMA_VERSION,
        "rtconform": __version__,
        "machine": records.machine(),
        "seed": comparison.seed,
        "loaders": [
            {"letter": letter, "connection": loader.connection, "identity": loader.declaration.to_dict()}
            for letter, loader in zip(LETTERS, comparison.loaders, strict=True)
        ],
        "limits": vars(comparison.limits) | {"error": paired.ERROR, "most_rounds": comparison.most_rounds},
        "rounds": len(comparison.rounds),
        "left_out": dict(comparison.left_out),
        "instructions_missing": "" if has_counts else comparison.counts,
        "gates_instructions": comparison.gates_instructions,
        "finding": paired.overall([line.finding for line in lines]).value,
        "exit_code": int(exit_code(comparison, lines)),
        "rows": [
            {
                **vars(line),
                "finding": line.finding.value,
                "intervals": {way: vars(each) for way, each in line.intervals.items()},
                "usual": {way: vars(each) for way, each in line.usual.items()},
                "outputs": vars(line.outputs),
                "models": list(comparison.rows[number].step.models),
                "cache_bytes": comparison.rows[number].cache_bytes,
                "samples_ns": {
                    way: [[times.astype(int).tolist() for times in each[way][number]] for each in comparison.rounds]
                    for way in line.intervals
                },
            }
            for number, line in enumerate(lines)
        ],
    }


def output_difference(row: Row, classes: set[str]) -> OutputDifference:
    base, candidate = row.outputs
    if all(base[name].tobytes() == candidate[name].tobytes() for name in base):
        return OutputDifference(same_bits=True)
    apart = {name: np.abs(base[name].astype(np.float64) - candidate[name]) for name in base}
    largest = max(float(each.max()) for each in apart.values())
    scale = max(float(np.abs(each).max()) for each in base.values())
    if not (np.isfinite(largest) and np.isfinite(scale)):
        return OutputDifference(False, None, None)
    if len(base) > 1 or len(classes) > 1:
        return OutputDifference(False, largest, scale)
    (name,) = base
    allowed = budget(row.step.models[name].model, row.audio, *classes)
    budgets = None if allowed.chaotic else float((apart[name] / (2.0 * allowed.bound)).max())
    return OutputDifference(False, largest, scale, budgets)


def _counted(
    base: LoaderImplementation, candidate: LoaderImplementation, step: Step, rows: Sequence[Row]
) -> tuple[dict[str, float], dict[str, float]] | str:
    """Instructions per step by model, of both at the same time, or the reason why there are none."""
    alone = {next(iter(row.step.models)): row.audio[:COUNTED_FRAMES] for row in rows if len(row.step.models) == 1}
    models = [(step.models[name].path, frames) for name, frames in alone.items()]
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(instructions.count, loader, models) for loader in (base, candidate)]
    counts = []
    for letter, counting in zip(LETTERS, both, strict=True):
        try:
            counts.append(dict(zip(alone, counting.result(), strict=True)))
        except NotAvailable as error:
            return f"{letter}: {error.reason}"
    return tuple(counts)
