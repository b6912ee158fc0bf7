"""What the timed steps of a run come to, one figure per loader and conditions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..implementations.host import SAMPLES
from ..measure import deadline, paired
from ..measure.deadline import Judgement
from ..measure.first_steps import EVENTS
from ..measure.statistics import Percentiles
from ..records import Run
from .measured import names, of_kind
from .text import number, visible

NS_TO_MS = 1e-6
AGAIN_ERROR = 0.005
"""The probability that the true ratio lies beyond one of the ends of the interval shown."""


@dataclass(frozen=True)
class StepFigure:
    """The time of one step of all the models, in ms, under some conditions.

    `null` is the time of a step that calls no model, `wake` how late a thread was woken that did nothing but sleep, and
    `again` the ratio of two processes of the same loader: what the machine and the measuring do by themselves.
    """

    implementation: str
    case: str
    conditions: str
    priority: str
    judgement: Judgement
    wall: Percentiles
    cpu: Percentiles
    null: Percentiles
    wake: Percentiles
    again: paired.Interval | None
    samples: tuple[float, ...]

    @property
    def deadline(self) -> float:
        return self.judgement.deadline_ms

    @property
    def holds(self) -> bool:
        return self.wall.p99_9 <= self.deadline

    @property
    def bound(self) -> float:
        """What the true p99.9 doesn't exceed, at 99 % confidence; infinity if there are too few steps to say."""
        return deadline.upper_bound_of_percentile(self.samples, 99.9)

    @property
    def headroom(self) -> float | None:
        """How often the step fits into the deadline; None if there are too few steps to say."""
        return self.deadline / self.bound if self.bound < math.inf else None

    @property
    def buffer(self) -> int | None:
        """The smallest audio buffer, in samples at 48 kHz, that lasts longer than the step; None if there is none."""
        return deadline.smallest_buffer(self.bound)


@dataclass(frozen=True)
class FirstStepFigure:
    """The slowest first step after each event, in ms: {"after load": ms}."""

    implementation: str
    slowest: Mapping[str, float]


@dataclass(frozen=True)
class BlocksFigure:
    """What a frame of one model costs in blocks, in µs of wall time: {block size: µs}."""

    implementation: str
    model: str
    per_frame: Mapping[int, float]


def steps(run: Run) -> list[StepFigure]:
    """One figure per measurement, in the order of the run."""
    return [_step(record) for record in of_kind(run, "latency")]


def first_steps(run: Run) -> list[FirstStepFigure]:
    """One figure per loader."""
    return [
        FirstStepFigure(
            names(record)[0],
            {event.replace("_", " "): max(record[f"{event}_ns"]) * NS_TO_MS for event in EVENTS},
        )
        for record in of_kind(run, "first_step")
    ]


def blocks(run: Run) -> list[BlocksFigure]:
    """One figure per loader and model."""
    return [
        BlocksFigure(
            names(record)[0],
            visible(record["model"]),
            {int(cost["block"]): number(cost["wall_ns"]) / 1e3 for cost in record["costs"]},
        )
        for record in of_kind(run, "blocks")
    ]


def _step(record: Mapping[str, Any]) -> StepFigure:
    arrays = {name: np.asarray(record[name], np.float64) for name in SAMPLES}
    percentiles = (
        Percentiles.of(arrays[key].tolist()).scaled(NS_TO_MS) for key in ("wall_ns", "cpu_ns", "null_ns", "wake_ns")
    )
    return StepFigure(
        *names(record),
        visible(record["conditions"]),
        visible(record["priority"]),
        Judgement.of(arrays, number(record["deadline_ms"])),
        *percentiles,
        _again(arrays["wall_ns"], record["chunk"]),
        tuple((arrays["wall_ns"] * NS_TO_MS).tolist()),
    )


def _again(wall: np.ndarray, chunk: int) -> paired.Interval | None:
    """The ratio of the two processes that took turns, from the median of each chunk; None for too few of them."""
    medians = np.median(wall.reshape(-1, 2, chunk), axis=2) if len(wall) % (2 * chunk) == 0 else np.empty((0, 2))
    return paired.interval(*medians.T, AGAIN_ERROR, 0) if len(medians) >= 4 else None
