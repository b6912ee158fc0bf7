"""What the oracle says of the outputs of timed steps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .. import expected
from ..five_models import AUDIO
from ..judging import check_outputs
from .step import Step, gather


def check_by_oracle(
    step: Step, audio: np.ndarray, outputs: Mapping[str, np.ndarray], numeric_class: str, seed: int, when: str
) -> None:
    """Raises RequirementFailed at the first model whose outputs `[N, out]` break the budget of its class.

    The steps went over audio `[N, width]` from reset. Each model is judged by itself, over what the earlier ones put
    out; one near chaos, which rounding alone moves, is not.
    """
    __tracebackhide__ = True
    values = {AUDIO: audio, **outputs}
    for stage in step.flow:
        name = stage["model"]
        budget = expected.budget_of(step.models[name], gather(stage["inputs"], values), numeric_class, seed)
        if not budget.chaotic:
            check_outputs(budget.judge(outputs[name]), f"{name} gave wrong outputs {when}")
