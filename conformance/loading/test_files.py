"""Files: the valid ones load, the wrong ones are refused, and a refusal harms nothing else."""

import contextlib
from random import Random

import pytest

from rtconform.harness import signals
from rtconform.harness.implementations.errors import ImplementationError, Refused
from rtconform.harness.judging import RequirementFailed, check, check_refused, check_same_bits, skip_undeclared
from rtconform.harness.rtneural_json import malformed, validate_bytes
from rtconform.harness.rtneural_json.grammar import LAYER_TYPES
from rtconform.harness.rtneural_json.mutated_files import mutated_files
from rtconform.harness.rtneural_json.numeric_classes import numeric_classes
from rtconform.harness.selection import stored_cases

REJECTIONS = (
    "LDR-REJECT-UNKNOWN-LAYER",
    "LDR-REJECT-UNKNOWN-ACTIVATION",
    "LDR-REJECT-TRUNCATED",
    "LDR-REJECT-TRAILING",
    "LDR-REJECT-WRONG-SHAPE",
    "LDR-REJECT-WRONG-SIZE",
    "LDR-REJECT-NON-FINITE",
    "LDR-REJECT-EMPTY",
    "LDR-REJECT-FOREIGN",
    "LDR-REJECT-DUPLICATE",
    "LDR-REJECT-LOST-KEY",
)
MUTATED_FILES = {"smoke": 40, "ci": 400, "nightly": 20_000}


def refuse(loader, case, folder):
    """Loads a malformed file, and raises unless the loader refuses it."""
    __tracebackhide__ = True
    skip_undeclared(loader, case.layer_types)
    path = case.write(folder)
    with loader.open() as session:
        what = "the file was accepted"
        check_refused(what, session.load, path, fault=case.description, base=case.base, file=str(path))


def refusal_test(requirement):
    """The test of one requirement over the malformed files that are listed for it."""

    @pytest.mark.requirement(requirement)
    @pytest.mark.parametrize("case", malformed.cases(requirement), ids=lambda case: case.id)
    def test_malformed_file_is_refused(loader, case, tmp_path):
        refuse(loader, case, tmp_path)

    return test_malformed_file_is_refused


for _requirement in REJECTIONS:
    globals()[f"test_{_requirement.lower().replace('-', '_')}"] = refusal_test(_requirement)


@pytest.mark.requirement("LDR-REJECT-UNREADABLE")
@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_paths_that_are_no_files_are_refused(loader, kind, tmp_path):
    """A path that leads nowhere, and one that leads to a folder."""
    path = tmp_path / "model.json"
    if kind == "folder":
        path.mkdir()
    with loader.open() as session:
        check_refused("the path was accepted", session.load, path, kind=kind)


@pytest.mark.requirement("LDR-ERROR-PHASE")
@pytest.mark.parametrize("case", [malformed.cases(requirement)[0] for requirement in REJECTIONS], ids=lambda c: c.id)
def test_refusal_has_the_right_phase(loader, case, tmp_path):
    """One file for each way of being malformed; what isn't refused at all fails another requirement."""
    skip_undeclared(loader, case.layer_types)
    with loader.open() as session:
        try:
            session.load(case.write(tmp_path))
        except Refused as refusal:
            expected = " or ".join(sorted(case.phases))
            check(refusal.phase in case.phases, "refused in another phase", expected=expected, got=refusal.phase)
        except ImplementationError as error:
            pytest.skip(f"not refused: {error}")
        else:
            pytest.skip("not refused: the file was accepted")


@pytest.mark.drawn
@pytest.mark.requirement("LDR-REJECT-MUTATED")
def test_mutated_files_are_refused_if_and_only_if_invalid(loader, tmp_path, rtc_config):
    """Files that nobody wrote by hand, among them valid ones."""
    declared = set(loader.declaration.layer_types)
    bases = [case.path for case in stored_cases("small") if declared.issuperset(case.model.layer_types)]
    if not bases:
        pytest.skip("no stored model has only the layer types that the loader declares")
    numeric = numeric_classes().get(loader.declaration.numeric_class)
    random = Random(rtc_config.seed + rtc_config.shard_index)
    path = tmp_path / "mutated.json"
    count = rtc_config.share_of(MUTATED_FILES[rtc_config.profile])
    with loader.open() as session:
        for number, content in enumerate(mutated_files(bases, random, count)):
            path.write_bytes(content)
            report = validate_bytes(content)
            evidence = {"number": number, "content": content.decode("utf-8", "backslashreplace")}
            if report.model is None:
                check_refused("accepted", session.load, path, fault=str(report.faults[0]), **evidence)
            elif declared.issuperset(report.model.layer_types):
                try:
                    with session.load(path) as model:
                        got, expected = model.output_size, report.model.output_size
                        check(got == expected, "the size is not the file's", expected=expected, got=got, **evidence)
                except Refused as refusal:
                    if numeric and not numeric.holds(report.model):
                        continue
                    raise RequirementFailed(f"valid, but refused: {refusal.message}", **evidence) from refusal


@pytest.mark.requirement("LDR-DECLARES")
def test_declaration_says_what_can_be_judged(loader):
    """Layer types of the format, at least one, and a numeric class."""
    declared = loader.declaration
    unknown = sorted(set(declared.layer_types) - set(LAYER_TYPES))
    check(not unknown, f"RTNeural JSON has no layer types {', '.join(unknown)}", expected=", ".join(LAYER_TYPES))
    check(bool(declared.layer_types), "it declares no layer type", expected=", ".join(LAYER_TYPES))
    known = numeric_classes()
    what = f"no numeric class is called {declared.numeric_class!r}"
    check(declared.numeric_class in known, what, expected=", ".join(known))


@pytest.mark.requirement("LDR-LOAD-VALID")
@pytest.mark.models("stored")
def test_valid_file_loads_with_its_sizes(loader, model_case):
    """Input and output sizes are the file's."""
    with loader.open() as session, session.load(model_case.path) as model:
        found = (model.input_size, model.output_size)
        expected = (model_case.model.input_size, model_case.model.output_size)
        check(found == expected, "the sizes are not the file's", expected=expected, got=found)


@pytest.mark.requirement("LDR-AFTER-FAILED-LOAD")
@pytest.mark.models("small")
def test_refused_load_harms_nothing(loader, model_case, tmp_path, rtc_config):
    """A model loaded before a refused file goes on, and one loaded after it is whole."""
    frames = signals.noise(64, model_case.model.input_size, seed=rtc_config.seed)
    broken = tmp_path / "broken.json"
    text = model_case.path.read_bytes()
    broken.write_bytes(text[: len(text) * 2 // 3])
    with loader.open() as session, session.load(model_case.path) as before:
        expected = before.process(frames)
        before.reset()
        with contextlib.suppress(Refused):
            session.load(broken)
        check_same_bits(before.process(frames), expected, "the model that was playing has changed")
        with session.load(model_case.path) as after:
            check_same_bits(after.process(frames), expected, "a model loaded after the refusal is another")
