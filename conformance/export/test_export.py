"""From torch modules to RTNeural JSON files."""

import contextlib

import numpy as np
import pytest

from rtconform.harness import expected, export_cases, signals, torch_forward
from rtconform.harness.implementations.errors import Refused
from rtconform.harness.judging import RequirementFailed, check, check_outputs, check_refused, skip_undeclared
from rtconform.harness.rtneural_json import InvalidModel, read
from rtconform.harness.rtneural_json.grammar import LAYER_TYPES
from rtconform.harness.selection import ModelCase

FRAMES = 64

expressible = pytest.mark.parametrize("case", export_cases.expressible(), ids=lambda case: case.name)
of_each_kind = pytest.mark.parametrize("case", export_cases.of_each_kind(), ids=lambda case: case.name)
stored_weights = pytest.mark.parametrize("case", export_cases.with_stored_weights(), ids=lambda case: case.name)
unsupported = pytest.mark.parametrize("case", export_cases.unsupported(), ids=lambda case: case.name)


_files = {}


def export(exporter, case, folder, module=None):
    """The path of the exported file; skips what the exporter doesn't declare."""
    skip_undeclared(exporter, case.layer_types)
    path = folder / f"{case.name}.json"
    exporter.export(case.reference(folder, module), path)
    return path


@pytest.fixture
def file_of(exporter, tmp_path):
    """`file_of(case)`: the path of the exported file. One export serves all the requirements on what is in the file."""

    def find(case):
        key = exporter.connection, case.name
        if key not in _files:
            _files[key] = export(exporter, case, tmp_path)
        return _files[key]

    return find


def read_back(path):
    """The exported model; a file that the validator refuses is a failure of EXP-VALID and of what needs the file."""
    __tracebackhide__ = True
    try:
        return read(path)
    except InvalidModel as error:
        faults = [str(fault) for fault in error.faults[:5]]
        raise RequirementFailed("the exported file is not valid RTNeural JSON", faults=faults) from error


@pytest.mark.requirement("EXP-DECLARES")
def test_declaration_names_layer_types_of_the_format(exporter):
    """At least one, and none that the format lacks."""
    declared = exporter.declaration.layer_types
    unknown = sorted(set(declared) - set(LAYER_TYPES))
    check(not unknown, f"RTNeural JSON has no layer types {', '.join(unknown)}", expected=", ".join(LAYER_TYPES))
    check(bool(declared), "it declares no layer type", expected=", ".join(LAYER_TYPES))


@pytest.mark.requirement("EXP-EXPRESSIBLE")
@of_each_kind
def test_expressible_module_is_exported(file_of, case):
    """No refusal, and a file."""
    file_of(case)


@pytest.mark.requirement("EXP-VALID")
@of_each_kind
def test_exported_file_is_valid(file_of, case):
    """The strict validator finds nothing."""
    read_back(file_of(case))


@pytest.mark.requirement("EXP-EQUIVALENT")
@expressible
def test_exported_file_computes_what_the_module_computes(file_of, case, rtc_config):
    """The oracle on the file against the module's own forward in float64, over 64 frames of noise."""
    path = file_of(case)
    model, module = read_back(path), case.module()
    frames = signals.noise(FRAMES, export_cases.input_size(module), seed=rtc_config.seed)
    reference = torch_forward.outputs(module, frames)
    sizes, wanted = (model.input_size, model.output_size), (frames.shape[1], reference.shape[1])
    check(sizes == wanted, "the file has other sizes than the module", expected=wanted, got=sizes)
    bound = expected.budget_of(ModelCase(case.name, path), frames, "f32", rtc_config.seed)
    judgement = export_cases.compared(reference, bound)
    check_outputs(judgement, "the file computes something else than the module", case=case.name)


@pytest.mark.requirement("EXP-EXACT-WEIGHTS")
@stored_weights
def test_numbers_read_back_to_the_same_bits(file_of, case):
    """All the numbers of the file, sorted, against all the numbers of the module."""
    got, wanted = export_cases.numbers_of(read_back(file_of(case))), export_cases.expected_numbers(case.module())
    check(got.size == wanted.size, "the file has another number of weights", expected=wanted.size, got=got.size)
    different = np.flatnonzero(got.view(np.uint32) != wanted.view(np.uint32))
    if different.size:
        first = different[0]
        raise RequirementFailed(
            f"{different.size} of {got.size} numbers are not the module's float32 values",
            expected=float(wanted[first]),
            got=float(got[first]),
        )


@pytest.mark.requirement("EXP-GIVEN-WEIGHTS")
@pytest.mark.parametrize("name", ["dense-square", "lstm-relu-dense"])
def test_the_weights_are_those_of_the_moment(exporter, name, tmp_path):
    """The same module, exported, with other weights, and exported again: each time its own numbers."""
    case = export_cases.of_zoo(name)
    module = case.module()
    for moment in ("at first", "with other weights than at first"):
        model = read_back(export(exporter, case, tmp_path, module))
        got, wanted = export_cases.numbers_of(model), export_cases.expected_numbers(module)
        check(np.array_equal(got, wanted), f"{moment}, the file holds other numbers than the module", module=name)
        export_cases.zoo().draw_weights(module, seed=8)


@pytest.mark.requirement("EXP-REFUSE-UNSUPPORTED")
@unsupported
def test_what_the_format_lacks_is_refused_by_name(exporter, case, tmp_path):
    """A refusal whose message holds the qualified name of the part to blame."""
    what = "the module was exported instead of refused"
    refusal = check_refused(what, exporter.export, case.reference(tmp_path), tmp_path / "refused.json", case=case.name)
    blamed = export_cases.BLAMED
    check(blamed in refusal.message, f"the refusal doesn't name {blamed!r}", message=refusal.message)


@pytest.mark.requirement("EXP-REFUSE-NON-FINITE")
@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=["nan", "infinity"])
def test_weights_that_are_not_finite_are_refused(exporter, value, tmp_path):
    """One weight of one layer."""
    case = export_cases.of_zoo("dense-square")
    module = case.module()
    module[2].weight.data[1, 2] = value
    what = f"a weight that is {value} was exported"
    check_refused(what, exporter.export, case.reference(tmp_path, module), tmp_path / "refused.json")


@pytest.mark.requirement("EXP-DETERMINISTIC")
@pytest.mark.parametrize("name", ["dense-five-activations", "lstm-stacked"])
def test_two_exports_have_the_same_bytes(exporter, name, tmp_path):
    """The same module, exported twice."""
    case = export_cases.of_zoo(name)
    first = export(exporter, case, tmp_path).read_bytes()
    check(export(exporter, case, tmp_path).read_bytes() == first, "the second export differs from the first")


@pytest.mark.requirement("EXP-KEEPS-OLD-FILE")
def test_refused_export_leaves_the_old_file(exporter, tmp_path):
    """A good export, then a refused one to the same path."""
    good = export_cases.of_zoo("dense")
    bad = export_cases.of_zoo("gelu")
    path = tmp_path / "model.json"
    weights = tmp_path / "weights"
    weights.mkdir()
    exporter.export(good.reference(weights), path)
    before = path.read_bytes()
    with contextlib.suppress(Refused):
        exporter.export(bad.reference(weights), path)
    check(path.is_file() and path.read_bytes() == before, "the file that was there has changed")
    others = sorted(file.name for file in tmp_path.iterdir() if file not in (path, weights))
    check(not others, "files were left beside it", files=others)
