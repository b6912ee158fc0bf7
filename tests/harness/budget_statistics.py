"""How safe and how tight the error budget is, over random models: the numbers of docs/RTNEURAL_JSON.md.

    python -m tests.harness.budget_statistics [models per family] [loader …]

Loaders are connection strings or registered names, such as rtneural-eigen.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from rtconform.harness import signals
from rtconform.harness.expected import flow_inputs
from rtconform.harness.implementations import LoaderSession, connect
from rtconform.harness.rtneural_json import Budget, Model, budget, dumps
from rtconform.harness.selection import five_cases

from .models import FAMILIES, random_model
from .plain_float32 import ORDERS, Plain

FRAMES = 64


def draws(family: str, count: int, seed: int = 0) -> Iterator[tuple[Model, np.ndarray, Budget]]:
    """Random models with frames and budget.

    Drawn again are those that no judgement can be made by: chaotic ones, those without weights, and those whose outputs
    are constant (all relu units dead).
    """
    random = np.random.default_rng([seed, FAMILIES.index(family)])
    while count:
        model = random_model(random, family)
        frames = signals.noise(FRAMES, model.input_size, seed=int(random.integers(2**31)), amplitude=2.0)
        allowed = budget(model, frames, seed=int(random.integers(2**31)))
        if model.parameters and np.ptp(allowed.reference, axis=0).any() and not allowed.chaotic:
            count -= 1
            yield model, frames, allowed


def changed(model: Model, change: Callable[[np.ndarray], np.ndarray]) -> Model:
    """The model with every array changed."""
    layers = [
        dataclasses.replace(layer, **{name: change(array) for name, array in layer.arrays.items()})
        for layer in model.layers
    ]
    return Model(model.input_size, tuple(layers))


def to_digits(digits: int) -> Callable[[np.ndarray], np.ndarray]:
    """Rounding to so many significant decimal digits, as a careless exporter prints."""
    return np.vectorize(lambda number: np.float32(f"{number:.{digits - 1}e}"), otypes=[np.float32])


def to_mantissa(bits: int) -> Callable[[np.ndarray], np.ndarray]:
    """Rounding to a mantissa of so many stored bits."""

    def change(array: np.ndarray) -> np.ndarray:
        mantissa, exponent = np.frexp(array.astype(np.float64))
        return np.ldexp(np.rint(mantissa * 2.0 ** (bits + 1)) / 2.0 ** (bits + 1), exponent).astype(np.float32)

    return change


def to_half(array: np.ndarray) -> np.ndarray:
    """Rounding to binary16."""
    return array.astype(np.float16).astype(np.float32)


def pade_tanh(x: np.ndarray) -> np.ndarray:
    """The fast tanh of many plugins, a Padé approximant good to 0.024."""
    square = x * x
    approximant = x * (np.float32(27) + square) / (np.float32(27) + np.float32(9) * square)
    return np.clip(approximant, np.float32(-1), np.float32(1))


WRONG_WEIGHTS = {
    "binary16 weights": to_half,
    "10-bit mantissas": to_mantissa(10),
    "5-digit weights": to_digits(5),
    "6-digit weights": to_digits(6),
    "7-digit weights": to_digits(7),
}


def _row(name: str, used: list[float], ok: list[bool]) -> str:
    p50, p99, largest = np.percentile(used, 50), np.percentile(used, 99), max(used)
    return f"| {name} | {len(used)} | {sum(ok)} | {p50:.3g} | {p99:.3g} | {largest:.3g} |"


def _sessions(connections: list[str], stack: contextlib.ExitStack) -> dict[str, LoaderSession]:
    return {name: stack.enter_context(connect(name, "loader").open()) for name in connections}


def _outputs(session: LoaderSession, path: Path, frames: np.ndarray) -> np.ndarray:
    with session.load(path) as model:
        return model.process(frames)


def families(count: int, sessions: Mapping[str, LoaderSession]) -> None:
    """A row for each family and implementation, right and wrong ones, over `count` random models."""
    print("| family: implementation | models | accepted | median error/budget | p99 | largest |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        for family in FAMILIES:
            rows: dict[str, list[tuple[float, bool]]] = {}
            for model, frames, allowed in draws(family, count):
                path.write_text(dumps(model), encoding="utf-8")
                outputs = {order: Plain(model, order).process(frames) for order in ORDERS}
                outputs |= {name: _outputs(session, path, frames) for name, session in sessions.items()}
                for name, change in WRONG_WEIGHTS.items():
                    outputs[name] = Plain(changed(model, change)).process(frames)
                for name, output in outputs.items():
                    judgement = allowed.judge(output)
                    rows.setdefault(name, []).append((judgement.error_in_budgets, judgement.ok))
            for name, results in rows.items():
                print(_row(f"{family}: {name}", [used for used, _ in results], [ok for _, ok in results]), flush=True)


def five_models(sessions: Mapping[str, LoaderSession]) -> None:
    """A row for each of the five: the largest error and the part of the budget that it is, by loader."""
    print(f"\n| {' / '.join(sessions)} | noise | recordings |\n|---|---|---|")
    for case in five_cases():
        signal = signals.noise(FRAMES, case.model.input_size, seed=1)
        cells = []
        for frames in (signal, flow_inputs(case)):
            allowed = budget(case.model, frames)
            outputs = [_outputs(session, case.path, frames) for session in sessions.values()]
            errors = [np.abs(output - allowed.reference).max() for output in outputs]
            used = [allowed.judge(output).error_in_budgets for output in outputs]
            cells.append(" / ".join(f"{error:.1e}, {part:.2f}" for error, part in zip(errors, used, strict=True)))
        print(f"| {case.name} | {' | '.join(cells)} |")


def main(count: int, connections: list[str]) -> None:
    with contextlib.ExitStack() as stack:
        sessions = _sessions(connections, stack)
        families(count, sessions)
        if sessions:
            five_models(sessions)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 200, sys.argv[2:])
