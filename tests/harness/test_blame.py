"""Who is to blame for a broken chain: by counting on stages that are broken, and on chains that really are."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest

from rtconform.harness import blame, chains, export_cases
from rtconform.harness.faulty.matrix import resolved
from rtconform.harness.implementations import connect
from rtconform.harness.implementations.errors import NotAvailable
from rtconform.harness.judging import BrokenChain, RequirementFailed
from rtconform.harness.records import SCHEMA_FILE, read
from rtconform.harness.report import html

from .command_line import rtconform

pytestmark = pytest.mark.xdist_group("blame")  # some of it shares one run

STAGES = {"training": "mine", "export": "yours", "loading": "theirs"}
FAULTY = "py:rtconform.harness.faulty"
TOY = f"{FAULTY}.toy_exporter:toy_exporter"


def blamed(holds, stages=STAGES):
    """(sentence, first divergence, swaps that were tried) for a chain that holds if `holds(stages under test)`."""

    def run(replaced):
        tested = set(stages) - replaced
        if not holds(tested):
            raise RequirementFailed("it is broken", error_in_budgets=9.0)
        return 0.5

    with pytest.raises(BrokenChain) as broken:
        blame.check_chain(stages, run)
    found = broken.value.blame
    swaps = {tuple(swap["replaced"]): (swap["holds"], swap["error_in_budgets"]) for swap in found["swaps"]}
    return str(broken.value).partition(":")[0], found["first_divergence"], swaps


def test_a_chain_that_holds_is_run_once():
    """Nothing is swapped where nothing is wrong."""
    runs = []
    blame.check_chain(STAGES, lambda replaced: runs.append(replaced) or 0.5)
    assert runs == [frozenset()]


@pytest.mark.parametrize("broken", STAGES)
def test_the_stage_whose_replacement_heals_is_to_blame(broken):
    """And the chain parts from what is right at it; the numbers of each swap are kept."""
    sentence, first, swaps = blamed(lambda tested: broken not in tested)
    assert sentence == f"{broken} ({STAGES[broken]}) is to blame"
    assert first == broken
    assert swaps[()] == (False, 9.0)
    assert {swap[0]: fine for swap, (fine, _) in swaps.items() if len(swap) == 1} == {
        name: name == broken for name in STAGES
    }
    assert swaps[(broken,)] == (True, 0.5)


def test_two_broken_stages_are_both_named():
    """No single replacement heals it, one pair does; it parts at the first of the two."""
    sentence, first, swaps = blamed(lambda tested: not tested & {"training", "loading"})
    assert sentence == "training (mine) and loading (theirs) are together to blame"
    assert first == "training"
    assert swaps[("training", "loading")] == (True, 0.5)


def test_three_broken_stages_are_all_named():
    """The judge's own chain holds, and no part of it in the place of fewer."""
    sentence, first, _ = blamed(lambda tested: not tested)
    assert sentence == "training (mine) and export (yours) and loading (theirs) are together to blame"
    assert first == "training"


def test_stages_that_only_do_not_fit_each_other_are_not_called_wrong():
    """Either replacement heals it: both are named, neither as the culprit, and where it parts."""
    sentence, first, _ = blamed(lambda tested: not {"export", "loading"} <= tested)
    assert sentence == (
        "no stage is to blame alone, since they don't fit each other; replacing export (yours) or loading (theirs) "
        "heals the chain, which parts from what is right at loading"
    )
    assert first == "loading"


def test_a_broken_judge_is_no_verdict():
    """Where even its own chain doesn't hold, nobody else is blamed."""
    with pytest.raises(RuntimeError, match="the judge's own chain doesn't hold: it is broken"):
        blamed(lambda tested: False)


def test_what_is_not_available_is_not_blamed():
    """It ends the case as anywhere else."""

    def run(replaced):
        raise NotAvailable(who="theirs", reason="no compiler")

    with pytest.raises(NotAvailable):
        blame.check_chain(STAGES, run)


@pytest.mark.parametrize(
    ("trainer", "exporter", "loader", "said"),
    [
        ("trainers:trn_wrong_checkpoint", TOY, "good-native", "training (trn-wrong-checkpoint) is to blame"),
        ("", f"{FAULTY}.exporters:exp_untrained", "good-native", "export (exp-untrained) is to blame"),
        ("", f"{FAULTY}.exporters:exp_in_shape_four", "good-native", "export (exp-in-shape-four) is to blame"),
        (
            "",
            f"{FAULTY}.exporters:exp_refuses_everything",
            "good-native",
            "export (exp-refuses-everything) is to blame",
        ),
        ("", TOY, "run-tail-lanes", "loading (run-tail-lanes) is to blame"),
        ("", TOY, "imp-declares-weaker-class", "loading (imp-declares-weaker-class) is to blame"),
        (
            "trainers:trn_wrong_checkpoint",
            TOY,
            "run-one-frame-late",
            "training (trn-wrong-checkpoint) and loading (run-one-frame-late) are together to blame",
        ),
    ],
)
def test_each_faulty_stage_is_named(tmp_path, trainer, exporter, loader, said):
    """Wrong weights, wrong numbers, invalid files, refusals, wrong arithmetic, alone and together."""
    exporter, loader = connect(exporter, "exporter"), connect(resolved(f"native:{loader}"), "loader")
    stages = [chains.exported_by(exporter, tmp_path), chains.played_by(loader, seed=5)]
    if trainer:
        stages.insert(0, chains.trained_by(connect(f"{FAULTY}.{trainer}", "trainer"), tmp_path))
    sources = {} if trainer else chains.sources_of([export_cases.of_zoo("lstm-relu-dense")], tmp_path)
    with pytest.raises(BrokenChain) as broken:
        chains.check_chain(sources, stages, loader.declaration.numeric_class, seed=5)
    assert str(broken.value).startswith(said)


def test_a_faulty_pipeline_is_named(tmp_path):
    """On the files of a good exporter."""
    pipeline = connect(f"{FAULTY}.pipelines:pip_wrong_slice", "pipeline")
    stages = [chains.exported_by(connect(TOY, "exporter"), tmp_path), chains.run_by(pipeline)]
    with pytest.raises(BrokenChain, match=r"^pipeline \(pip-wrong-slice\) is to blame"):
        chains.check_chain(chains.five_sources(), stages, "f32", seed=5)


KERAS_LIKE = '''
from rtconform.harness.faulty.toy_exporter import ToyExporter

class KerasLike(ToyExporter):
    """Says of an lstm what Keras says: a valid file, which some loaders refuse."""

    name = "keras-like"

    def lstm(self, part, index):
        return super().lstm(part, index) | {"activation": "tanh"}
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an exporter of the user's."""
    folder = tmp_path_factory.mktemp("chains")
    (folder / "keras_like.py").write_text(KERAS_LIKE)
    (folder / "rtconform.toml").write_text("timeout_s = 5.0\n")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    """(what was printed, records by item) of a run with two exporters and three loaders."""
    loaders = [resolved(f"native:{name}") for name in ("good-native", "ldr-refuses-keras", "ldr-crashes")]
    options = [word for loader in loaders for word in ("--loader", loader)]
    options += ["--exporter", TOY, "--exporter", "py:keras_like:KerasLike"]
    done = rtconform(folder, "run", "--class", "chain", "--profile", "smoke", *options, "--out", "out")
    return done.stdout, {result["item"]: result for result in read(folder / "out").results}


def test_each_pair_is_a_chain_with_items_of_its_own(run):
    """Every exporter with every loader, called by both."""
    verdicts = {item: result["verdict"] for item, result in run[1].items()}
    assert verdicts == {
        "CHN-OUTPUTS[toy-exporter+good-native-dense-five-activations]": "PASS",
        "CHN-OUTPUTS[toy-exporter+good-native-lstm-relu-dense]": "PASS",
        "CHN-OUTPUTS[toy-exporter+ldr-refuses-keras-dense-five-activations]": "PASS",
        "CHN-OUTPUTS[toy-exporter+ldr-refuses-keras-lstm-relu-dense]": "PASS",
        "CHN-OUTPUTS[toy-exporter+ldr-crashes-dense-five-activations]": "CRASH",
        "CHN-OUTPUTS[toy-exporter+ldr-crashes-lstm-relu-dense]": "CRASH",
        "CHN-OUTPUTS[KerasLike+good-native-dense-five-activations]": "PASS",
        "CHN-OUTPUTS[KerasLike+good-native-lstm-relu-dense]": "PASS",
        "CHN-OUTPUTS[KerasLike+ldr-refuses-keras-dense-five-activations]": "PASS",
        "CHN-OUTPUTS[KerasLike+ldr-refuses-keras-lstm-relu-dense]": "FAIL",
        "CHN-OUTPUTS[KerasLike+ldr-crashes-dense-five-activations]": "CRASH",
        "CHN-OUTPUTS[KerasLike+ldr-crashes-lstm-relu-dense]": "CRASH",
    }


def test_a_valid_file_that_one_loader_reads_otherwise_is_nobody_s_fault_alone(run):
    """Either swap heals; the file is right by the judge's reading, so the outputs part at loading."""
    failed = run[1]["CHN-OUTPUTS[KerasLike+ldr-refuses-keras-lstm-relu-dense]"]
    found = failed["evidence"]["blame"]
    assert (found["healed_by"], found["first_divergence"]) == ([["export"], ["loading"]], "loading")
    assert failed["found"].startswith("no stage is to blame alone")


def test_a_crash_in_a_chain_stays_a_crash_with_its_debugger_and_its_culprit(run):
    """The verdict is that of what happened; the sentence says whose doing it was."""
    crashed = run[1]["CHN-OUTPUTS[toy-exporter+ldr-crashes-lstm-relu-dense]"]
    assert crashed["found"].startswith("loading (ldr-crashes) is to blame: ldr-crashes crashed in load: SIGSEGV")
    assert "gdb" in crashed["evidence"]
    assert re.search(r"with the judge's own loading: \S+ × the error budget, it holds", run[0])


def test_the_page_shows_each_swap_on_a_line(run):
    """Where other evidence is shown as it is."""
    failed = run[1]["CHN-OUTPUTS[KerasLike+ldr-refuses-keras-lstm-relu-dense]"]
    rows = dict(html.evidence_rows(failed["evidence"]))
    assert [line.strip().partition(":")[0] for line in rows["blame"].splitlines()] == [
        *("blame", "as it is", "with the judge's own loading", "with the judge's own export")
    ]


def test_records_of_chains_are_as_published(run):
    """By the schema."""
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    assert all(schema.is_valid(dict(result)) for result in run[1].values())


def test_the_printed_command_runs_the_same_chain(run):
    """In another folder, with nothing else in the environment, both implementations named."""
    command = re.search(r"again: +(.+KerasLike\+ldr-refuses-keras-lstm.+)", run[0]).group(1)
    environment = {"HOME": os.environ["HOME"], "PATH": os.environ["PATH"]}
    again = subprocess.run(
        shlex.split(command), cwd=Path("/"), env=environment, capture_output=True, text=True, check=False
    )
    assert (again.returncode, "no stage is to blame alone" in again.stdout) == (1, True), again.stdout + again.stderr


def test_a_chain_has_known_failures_like_any_implementation(run, folder):
    """An entry is valid for the versions of all of its parts."""
    item = "CHN-OUTPUTS[KerasLike+ldr-refuses-keras-lstm-relu-dense]"
    assert read(folder / "out").implementations[-2]["identity"]["version"] == "1.0+1.0"
    file = folder / "known.toml"
    rtconform(folder, "known-failures", "add", "--run", "out", "--file", file, "--reason", "it is for our files only")
    assert 'valid_for = "version:1.0+1.0"' in file.read_text()
    chain = ("--exporter", "py:keras_like:KerasLike", "--loader", resolved("native:ldr-refuses-keras"))
    again = rtconform(folder, "run", *chain, "--only", item, "--known-failures", file, "--out", "again")
    assert (again.returncode, [result["verdict"] for result in read(folder / "again").results]) == (0, ["XFAIL"])
