"""Modules that nobody stored: chains drawn by Hypothesis, and cut down to the simplest one that fails."""

import numpy as np
import pytest
from hypothesis import assume

from rtconform.harness import drawn, export_cases, signals, strategies, torch_forward
from rtconform.harness.judging import RequirementFailed, check, check_outputs
from rtconform.harness.rtneural_json import InvalidModel, budget, read

FRAMES = 32

pytestmark = pytest.mark.drawn


@pytest.mark.requirement("EXP-DRAWN-MODULES")
def test_drawn_modules_come_out_right(exporter, tmp_path, rtc_config):
    """Valid, with the module's numbers, and with the outputs of its own forward in float64."""
    declared = (None, *exporter.declaration.layer_types)
    kinds = [kind for kind in strategies.PARTS if export_cases.LAYER_OF_MODULE.get(kind) in declared]
    if set(kinds).isdisjoint(strategies.PARTS_WITH_WEIGHTS):
        pytest.skip("the exporter declares no layer type that a chain can begin with")

    def judge(data):
        parts = data.draw(strategies.module_parts(kinds=kinds))
        case = export_cases.of_parts(parts, seed=data.draw(strategies.seeds()))
        module = case.module()
        path = tmp_path / "drawn.json"
        exporter.export(case.reference(tmp_path, module), path)
        try:
            model = read(path)
        except InvalidModel as error:
            raise RequirementFailed("the exported file is not valid", parts=parts, fault=str(error)) from error
        exact = np.array_equal(export_cases.numbers_of(model), export_cases.expected_numbers(module))
        check(exact, "the file holds other numbers than the module", parts=parts)
        frames = signals.noise(FRAMES, export_cases.input_size(module), seed=rtc_config.seed)
        bound = budget(model, frames, seed=rtc_config.seed)
        assume(not bound.chaotic)
        reference = torch_forward.outputs(module, frames)
        check(reference.shape == bound.reference.shape, "the file has another output size than the module", parts=parts)
        judgement = export_cases.compared(reference, bound)
        check_outputs(judgement, "the file computes something else than the module", parts=parts)

    drawn.check(rtc_config, judge)
