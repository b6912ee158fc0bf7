"""Requirements over whatever can be drawn, instead of stored cases: Hypothesis under the rules of the suite.

One seed fixes all that is drawn; nothing is remembered from run to run, so that the printed command finds the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings, strategies as st
from hypothesis.errors import Unsatisfiable

from . import expected, strategies
from .config import Config
from .implementations.errors import Crashed, Exited, ImplementationError, TimedOut
from .judging import Inconclusive, RequirementFailed
from .rtneural_json import Budget, Model, budget, dumps
from .rtneural_json.grammar import LAYER_TYPES

EXAMPLES = {"smoke": 8, "ci": 100, "nightly": 5000}
RULES = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
"""What holds wherever the suite draws: nothing depends on the time that something takes, or on an earlier run."""

_FATAL = (Crashed, Exited, TimedOut)
"""After one of these the implementation is gone, and nothing smaller can be looked for."""


def check(config: Config, judge: Callable[[st.DataObject], None]) -> None:
    """Calls judge(data), which draws, for as many examples as the profile has.

    Raises what it raised for the simplest example found (profile smoke: the first), passes if it never did, and raises
    Inconclusive if nothing that it drew could be judged.
    """
    __tracebackhide__ = True
    failures: list[Exception] = []

    @seed(config.seed + config.shard_index)
    @settings(
        RULES,
        max_examples=config.share_of(EXAMPLES[config.profile]),
        phases=[Phase.generate] if config.profile == "smoke" else [Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
    )
    @given(st.data())
    def once(data: st.DataObject) -> None:
        if failures and isinstance(failures[0], _FATAL):
            raise failures[0]
        try:
            judge(data)
        except (RequirementFailed, ImplementationError) as error:
            failures.append(error)
            raise

    try:
        once()
    except Unsatisfiable:
        raise Inconclusive("nothing was drawn that could be judged") from None
    except Exception:
        if not failures:
            raise
        # The last one is Hypothesis' replay of the simplest, unless that didn't fail again.
        raise (failures[0] if isinstance(failures[0], _FATAL) else failures[-1]) from None


def check_loader(config: Config, loader: Any, judge: Callable[[st.DataObject, Any], None]) -> None:
    """The same with judge(data, session), in one session of a loader."""
    __tracebackhide__ = True
    with loader.open() as session:
        check(config, lambda data: judge(data, session))


def model_for(data: st.DataObject, loader: Any, **limits: Any) -> Model:
    """A model of the layer types that a loader declares."""
    declared = [kind for kind in LAYER_TYPES if kind in loader.declaration.layer_types]
    if not declared:
        pytest.skip("the loader declares no layer type of the format")
    return data.draw(strategies.models(layer_types=declared, **limits))


def budget_for(model: Model, frames: np.ndarray, numeric_class: str, config: Config) -> Budget:
    """The budget of a drawn model; an example that nothing can be judged by is drawn again."""
    expected.check_class(numeric_class)
    allowed = budget(model, frames, numeric_class=numeric_class, seed=config.seed)
    assume(not allowed.chaotic and np.isfinite(allowed.bound).all())
    return allowed


def write(model: Model, folder: Path) -> Path:
    """The file of a drawn model, always at the same path in the folder."""
    path = folder / "drawn.json"
    path.write_text(dumps(model), encoding="utf-8")
    return path


def describe(model: Model) -> str:
    """A model in a line: "3 → lstm 5 → dense 2 tanh"."""
    parts = [
        " ".join(filter(None, (layer.type, f"{layer.output_size}", getattr(layer, "activation", ""))))
        for layer in model.layers
    ]
    return " → ".join((f"{model.input_size}", *parts))
