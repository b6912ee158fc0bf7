"""The error budget: how far a correct implementation may be from the oracle, and the judgement by it.

The bound follows the model's own gain: Monte Carlo runs of the oracle with float32 rounding give the spread s of each
output (root mean square distance from the unperturbed run), and outputs y are accepted if |e| ≤ 10 (s + u|y|) + 2⁻¹²⁶
everywhere and rms(e) ≤ 4 rms(s). The first bound catches a fault in one place, the second a small one everywhere.
"""

from dataclasses import dataclass

import numpy as np

from .arithmetic import MonteCarlo
from .grammar import Model
from .numeric_classes import numeric_class as find_class, numeric_classes
from .oracle import run

RUNS = 16
ELEMENTWISE = 10.0
ROOT_MEAN_SQUARE = 4.0
SMALLEST = 2.0**-126


@dataclass(frozen=True)
class Value:
    """One output at one frame, as expected and as got."""

    frame: int
    output: int
    expected: float
    got: float


@dataclass(frozen=True)
class Judgement:
    """What became of outputs under a budget. Frames and outputs are counted from 0.

    error_in_budgets is the largest error as a part of its bound, of both bounds (ok: at most 1). first_bad_frame and
    first_bad_output are None if ok. expected and got, error_ulp (in float32 units in the last place) and neighbours
    are of the first bad output, or of the worst if ok.
    """

    ok: bool
    error_in_budgets: float
    error: float
    first_bad_frame: int | None
    first_bad_output: int | None
    expected: float | None
    got: float | None
    error_ulp: float | None
    neighbours: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Budget:
    """reference, spread and bound are [T, out] float64; rms_bound bounds the rms of the error over all of them."""

    numeric_class: str
    reference: np.ndarray
    spread: np.ndarray
    bound: np.ndarray
    rms_bound: float

    @property
    def chaotic(self) -> bool:
        """Whether rounding alone moves the outputs by more than the class allows (or beyond all numbers)."""
        return not _rms(self.spread) <= find_class(self.numeric_class).chaotic * _rms(self.reference)

    def judge(self, outputs: np.ndarray) -> Judgement:
        """Judge outputs [T, out]. NaN and infinity fail. Raises ValueError for outputs of another shape."""
        outputs = np.asarray(outputs)
        if outputs.shape != self.reference.shape:
            raise ValueError(f"outputs must have shape {list(self.reference.shape)}, not {list(outputs.shape)}")
        return _judge(self, outputs.astype(np.float64))


def budget(
    model: Model,
    frames: np.ndarray,
    numeric_class: str = "f32",
    seed: int = 0,
) -> Budget:
    """The budget of a model for frames [T, in] from zero state. Raises ValueError for an unknown numeric class."""
    kind = find_class(numeric_class)
    arithmetic = MonteCarlo(RUNS, kind.unit_roundoff, seed, kind.input_step)
    outputs = run(kind.transform(model), frames, arithmetic)
    reference = outputs[0]
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.sqrt(np.mean(np.square(outputs[1:] - reference), axis=0))
        bound = ELEMENTWISE * (spread + kind.unit_roundoff * np.abs(reference)) + SMALLEST
        # Each single output is rounded at least once, and a model may consist of nothing else.
        rms_bound = ROOT_MEAN_SQUARE * _rms(spread) + SMALLEST
    return Budget(kind.name, reference, spread, bound, rms_bound)


def first_passing_class(model: Model, frames: np.ndarray, outputs: np.ndarray, seed: int = 0) -> str | None:
    """The strictest numeric class whose budget accepts outputs [T, out]; None if none does."""
    passing = (name for name in numeric_classes() if budget(model, frames, name, seed).judge(outputs).ok)
    return next(passing, None)


def _rms(values: np.ndarray) -> float:
    if not values.size:
        return 0.0
    largest = float(np.abs(values).max())  # scaled, since squares of small spreads leave even float64
    if largest == 0.0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.mean(np.square(values / largest))))


def _judge(budget: Budget, got: np.ndarray) -> Judgement:
    if not got.size:
        return Judgement(True, 0.0, 0.0, None, None, None, None, None, ())
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(got - budget.reference)
        used = error / budget.bound
    used[~np.isfinite(got)] = np.inf
    rms_used = _rms(error) / budget.rms_bound if np.isfinite(error).all() else np.inf
    worst = np.unravel_index(int(np.argmax(used)), used.shape)
    bad = np.argwhere(~(used <= 1.0))
    if len(bad):
        place = tuple(bad[0])
    elif rms_used > 1.0:
        place = tuple(np.argwhere(error >= min(ROOT_MEAN_SQUARE * _rms(budget.spread), error.max()))[0])
    else:
        place = None
    shown = worst if place is None else place
    frame, output = int(shown[0]), int(shown[1])
    expected, value = float(budget.reference[frame, output]), float(got[frame, output])
    return Judgement(
        ok=place is None,
        error_in_budgets=float(max(used.max(), rms_used)),
        error=float(error[worst]) if np.isfinite(error[worst]) else float("inf"),
        first_bad_frame=None if place is None else frame,
        first_bad_output=None if place is None else output,
        expected=expected,
        got=value,
        error_ulp=_ulps(expected, value),
        neighbours=_neighbours(budget.reference, got, frame, output),
    )


def _ulps(expected: float, got: float) -> float:
    with np.errstate(over="ignore"):
        spacing = float(np.spacing(np.abs(np.float32(expected))))
    return abs(got - expected) / spacing if np.isfinite(spacing) else float("inf")


def _neighbours(reference: np.ndarray, got: np.ndarray, frame: int, output: int) -> tuple[Value, ...]:
    """The outputs beside, in the same frame, and the same output in the frames before and after."""
    frames, outputs = reference.shape
    places = [(frame, o) for o in range(output - 2, output + 3)] + [(f, output) for f in (frame - 1, frame + 1)]
    inside = [(f, o) for f, o in places if (f, o) != (frame, output) and 0 <= f < frames and 0 <= o < outputs]
    return tuple(Value(f, o, float(reference[f, o]), float(got[f, o])) for f, o in inside)
