"""What the measurement records of a run come to: errors, rounding, memory and training, one figure per row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import five_models
from ..records import Run
from .text import number, visible


@dataclass(frozen=True)
class ErrorFigure:
    """How far one implementation's outputs of one model lie from the oracle's, over all cases measured.

    `largest_error` is in the outputs' own unit; `in_budgets` holds each case's error divided by its error budget.
    """

    model: str
    implementation: str
    frames: int
    largest_error: float
    in_budgets: tuple[float, ...]

    @property
    def worst(self) -> float:
        """The largest error in budgets; infinity where an output was NaN."""
        return max(self.in_budgets)

    @property
    def holds(self) -> bool:
        return self.worst <= 1


@dataclass(frozen=True)
class RoundingFigure:
    """What one implementation loses of the models as they were trained.

    `of` chords and notes it is the part that are others, of emotion what the error of valence and arousal stays below
    in 98 % of the frames.
    """

    implementation: str
    of: str
    lost: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.lost <= self.limit


@dataclass(frozen=True)
class MemoryFigure:
    """Bytes that the loaded models hold; None where a figure was not measured."""

    implementation: str
    case: str
    live: float
    limit: float
    peak: float | None
    static: float | None
    after_processing: float | None
    leak_per_cycle: float | None
    resident: float | None

    @property
    def held(self) -> float:
        """What the limit is for: the larger of live bytes after loading and after processing."""
        return max(self.live, self.after_processing or 0)

    @property
    def holds(self) -> bool:
        return self.held <= self.limit


@dataclass(frozen=True)
class TrainingFigure:
    """What one model learnt: its loss on held-out items, and that of three things it must differ from."""

    implementation: str
    model: str
    loss_name: str
    validation: float
    constant: float
    shuffled: float
    shuffled_constant: float
    stateless: float | None

    @property
    def learns(self) -> bool:
        """Whether it beats the best constant prediction."""
        return self.validation < self.constant


def errors(run: Run) -> list[ErrorFigure]:
    """One figure per model and implementation.

    Models over their budget come first, then the five reference models, then the others in the order of the run.
    """
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in of_kind(run, "error"):
        grouped.setdefault((visible(record["model"]), visible(record["implementation"])), []).append(record)
    figures = [
        ErrorFigure(
            model,
            implementation,
            max(record["frames"] for record in records),
            max(_worst_if_nan(record["largest_error"]) for record in records),
            tuple(_worst_if_nan(record["error_in_budgets"]) for record in records),
        )
        for (model, implementation), records in grouped.items()
    ]
    over = {figure.model for figure in figures if not figure.holds}
    reference = _reference_models()
    order = {model: place for place, model in enumerate(dict.fromkeys(figure.model for figure in figures))}

    def rank(figure: ErrorFigure) -> tuple[bool, bool, int]:
        return figure.model not in over, figure.model.split(" ")[0] not in reference, order[figure.model]

    return sorted(figures, key=rank)


def roundings(run: Run) -> list[RoundingFigure]:
    """One figure per measurement, in the order of the run."""
    return [
        RoundingFigure(names(record)[0], record["of"], _worst_if_nan(record["lost"]), number(record["limit"]))
        for record in of_kind(run, "rounding")
    ]


def memories(run: Run) -> list[MemoryFigure]:
    """One figure per measurement, in the order of the run."""
    return [
        MemoryFigure(
            *names(record),
            number(record["live_bytes"]),
            number(record["limit_bytes"]),
            _optional(record, "peak_bytes"),
            _optional(record, "static_bytes"),
            _optional(record, "after_processing_bytes"),
            _optional(record, "leak_bytes_per_cycle"),
            _optional(record, "rss_bytes"),
        )
        for record in of_kind(run, "memory")
    ]


def trainings(run: Run) -> list[TrainingFigure]:
    """One figure per trained model, in the order of the run."""
    return [
        TrainingFigure(
            visible(record["implementation"]),
            visible(record["model"]),
            visible(record["loss_name"]),
            number(record["validation_loss"]),
            number(record["constant_loss"]),
            number(record["shuffled_validation_loss"]),
            number(record["shuffled_constant_loss"]),
            _optional(record, "stateless_loss"),
        )
        for record in of_kind(run, "training")
    ]


def _reference_models() -> set[str]:
    return {Path(model["file"]).stem for model in five_models.specs().values()}


def of_kind(run: Run, kind: str) -> Iterable[Mapping[str, Any]]:
    """The measurements of one kind, in the order of the run."""
    return (record for record in run.measurements if record["kind"] == kind)


def names(record: Mapping[str, Any]) -> tuple[str, str]:
    """(implementation, case) of a measurement."""
    return visible(record["implementation"]), visible(record["case"])


def _optional(record: Mapping[str, Any], key: str) -> float | None:
    value = record.get(key)
    return None if value is None else number(value)


def _worst_if_nan(value: Any) -> float:
    value = number(value)
    return math.inf if math.isnan(value) else value
