"""`rtconform run` and its companions as a user meets them: what is printed, what it exits with, and what follows."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rtconform.harness.implementations.host import find_host
from rtconform.harness.records import read
from rtconform.harness.selection import SMALL

from .raw_host import compiled

FAULTY = f"abi:{find_host().with_name('librtc_faulty.so')}"
GOOD = f"{FAULTY}#good-native"


def results(folder, verdicts=None):
    """{item: verdict} of the run that was written below a folder."""
    made = read(folder / "rtconform-report").results
    return {result["item"]: result["verdict"] for result in made if verdicts is None or result["verdict"] in verdicts}


def one_percent(document):
    document["layers"][0]["weights"][0][1][2] *= 1.01


def another_activation(document):
    document["layers"][-1]["activation"] = "sigmoid"


@pytest.mark.parametrize("change", [one_percent, another_activation])
def test_a_changed_file_turns_the_run_red(rtconform, tmp_path, change):
    """One weight by one percent, or one activation: requirement, model, place, numbers, and how to see it again."""
    model = tmp_path / "lstm-dense.json"
    shutil.copy(SMALL / model.name, model)
    assert rtconform("golden", "add", model).returncode == 0
    document = json.loads(model.read_text())
    change(document)
    model.write_text(json.dumps(document))

    run = rtconform("run", "--loader", GOOD, "--models", model, "--class", "numerics")

    assert run.returncode == 1
    assert "NUM-GOLDEN[good-native-lstm-dense]: FAIL" in run.stdout
    assert "the file has changed since its golden was made" in run.stdout
    place = re.search(
        r"at frame \d+, output \d+: expected \S+, got \S+ \(\S+ × the error budget, \S+ ULP\)", run.stdout
    )
    assert place
    command = re.search(r"again: +(.+)", run.stdout).group(1)
    environment = {"HOME": str(tmp_path), "PATH": os.defpath}
    again = subprocess.run(shlex.split(command), cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert (again.returncode, place.group(0) in again.stdout) == (1, True), again.stdout + again.stderr


def test_each_way_to_go_wrong_is_a_verdict_and_the_run_goes_on(rtconform, tmp_path):
    """A crash, a hang, an exit, garbage on standard output, NaN; the good loader beside them passes everything."""
    names = ("ldr-crashes", "ldr-hangs", "ldr-calls-exit", "run-prints", "run-nan", "good-native")
    loaders = [word for name in names for word in ("--loader", f"{FAULTY}#{name}")]
    items = ("LDR-LOAD-VALID[{}-lstm]", "RUN-SILENT[{}-lstm]", "NUM-ORACLE[{}-lstm]")
    only = [word for name in names for item in items for word in ("--only", item.format(name))]

    run = rtconform("run", *loaders, *only)

    assert run.returncode == 1
    verdicts = results(tmp_path)
    assert verdicts["LDR-LOAD-VALID[ldr-crashes-lstm]"] == "CRASH"
    assert verdicts["LDR-LOAD-VALID[ldr-hangs-lstm]"] == "TIMEOUT"
    assert verdicts["LDR-LOAD-VALID[ldr-calls-exit-lstm]"] == "CRASH"
    assert verdicts["RUN-SILENT[run-prints-lstm]"] == "FAIL"
    assert verdicts["NUM-ORACLE[run-nan-lstm]"] == "FAIL"
    assert {verdict for item, verdict in verdicts.items() if "good-native" in item} == {"PASS"}
    assert "SIGSEGV" in run.stdout
    debugger = shlex.split(re.search(r"debugger: +(gdb .+ldr-crashes)$", run.stdout, re.MULTILINE).group(1))
    requests = Path(debugger[2].removeprefix("run < "))
    with requests.open() as lines:
        again = subprocess.run(debugger[4:], stdin=lines, capture_output=True, check=False)
    assert again.returncode == -signal.SIGSEGV
    assert "ended the process" in run.stdout
    assert "got nan" in run.stdout


def test_a_library_that_breaks_the_header_fails_and_the_others_are_judged(rtconform, tmp_path):
    """It opens, but declares another ABI version: not a wrong path, which would be a usage error, but its failure."""
    source = Path(__file__).with_name("identity_loader.c").read_text(encoding="utf-8")
    (tmp_path / "old.c").write_text(source.replace("{RTC_ABI_VERSION,", "{7,"), encoding="utf-8")
    library = compiled(tmp_path / "old.c", tmp_path)
    item = "LDR-REJECT-EMPTY[{}-empty-file]"

    only = ("--only", item.format("old"), "--only", item.format("good-native"))
    run = rtconform("run", "--loader", f"abi:{library}", "--loader", GOOD, *only)

    assert run.returncode == 1
    assert results(tmp_path) == {item.format("old"): "FAIL", item.format("good-native"): "PASS"}
    assert "has ABI version 7; version 1 is expected. Rebuild it with this loader.h." in run.stdout


def test_a_stranger_gets_from_red_to_gated_green_with_a_reason(rtconform, tmp_path):
    """Run, `known-failures add`, a reason, run; and another case of the same requirement would still fail."""
    arguments = ("run", "--loader", f"{FAULTY}#ldr-trailing-accepted", "--class", "robustness", "--profile", "smoke")
    assert rtconform(*arguments).returncode == 1
    assert rtconform("known-failures", "add").returncode == 0
    path = tmp_path / "known-failures.toml"
    (tmp_path / "rtconform.toml").write_text('known_failures = "known-failures.toml"\n')

    unreasoned = rtconform(*arguments)
    assert unreasoned.returncode == 2
    assert "the reason is empty" in unreasoned.stderr + unreasoned.stdout

    path.write_text(path.read_text().replace('reason = ""', 'reason = "the parser stops at the closing brace"'))
    green = rtconform(*arguments)
    assert green.returncode == 0, green.stdout
    assert "AS EXPECTED" in green.stdout
    assert set(results(tmp_path, {"XFAIL"}).values()) == {"XFAIL"}

    path.write_text(path.read_text().replace('    "trailing-text",\n', ""))
    assert rtconform(*arguments).returncode == 1
    assert "1 with more cases" in rtconform("known-failures", "add").stdout
    assert rtconform(*arguments).returncode == 0


@pytest.mark.parametrize(
    ("valid_for", "verdict", "said"),
    [("version:1.0", "XPASS", "listed as a known failure and passes"), ("version:0.9", "PASS", None)],
)
def test_a_known_failure_that_passes_is_unexpected(rtconform, tmp_path, valid_for, verdict, said):
    """Unless it was for another version and has ended."""
    (tmp_path / "known-failures.toml").write_text(
        '[[known_failure]]\nid = "RUN-RESET"\nimplementation = "good-native"\ncases = ["lstm"]\n'
        f'valid_for = "{valid_for}"\nreason = "once it did"\n'
    )
    item = "RUN-RESET[good-native-lstm]"
    run = rtconform("run", "--loader", GOOD, "--only", item, "--known-failures", "known-failures.toml")
    assert results(tmp_path) == {item: verdict}
    assert run.returncode == (0 if said is None else 1)
    assert said is None or said in run.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing was selected"),
        (("--loader", GOOD, "--only", "NUM-ORACLE[good-native-lstn]"), "did you mean NUM-ORACLE[good-native-lstm]?"),
        (("--loader", GOOD, "--class", "export"), "nothing was selected"),
        (("--loader", GOOD, "--out", "rtconform.toml/report"), "expected a folder"),
        (("--loader", GOOD, "--known-failures", "none.toml"), "expected a known-failures file"),
        (("--loader", "cmd:program 'quoted"), "expected: a command line"),
        (("--loader", "rtneural-eigan"), "did you mean rtneural-eigen"),
        (("--loader", "abi:no/such/library.so"), "no/such/library.so"),
        (("--loader", GOOD, "--class", "numeric"), "did you mean 'numerics'?"),
        (("--loader", GOOD, "--models", "no-such-file.json"), "no-such-file.json"),
        (("--loader", GOOD, "--config", "no-such.toml"), "no-such.toml"),
    ],
)
def test_usage_errors_are_said_in_a_sentence(rtconform, arguments, said):
    """Exit code 2, what was found, and no traceback."""
    run = rtconform("run", *arguments)
    assert run.returncode == 2
    assert said in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_what_cannot_be_had_is_not_available(rtconform, tmp_path):
    """RTNeural pointed at an empty folder: exit code 3, and what to do."""
    run = rtconform(
        *("run", "--loader", "rtneural-eigen", "--only", "LDR-LOAD-VALID[rtneural-eigen-lstm]"),
        RTNEURAL_DIR=str(tmp_path),
        RTCONFORM_CACHE=str(tmp_path / "cache"),
    )
    assert run.returncode == 3
    assert results(tmp_path) == {"LDR-LOAD-VALID[rtneural-eigen-lstm]": "NOT AVAILABLE"}
    assert "RTNEURAL_DIR" in run.stdout


def test_a_detector_that_cannot_work_makes_its_requirement_not_available(rtconform, tmp_path):
    """Exit code 3 and the reason, from a run and from the self-test; what the other detectors see is judged."""
    run = rtconform(
        *("run", "--loader", GOOD, "--models", SMALL / "lstm.json", "--class", "realtime"),
        RTCONFORM_SYSCALL_TRAP="none",
    )
    assert run.returncode == 3, run.stdout + run.stderr
    verdicts = results(tmp_path)
    assert verdicts.pop("RT-NO-SYSTEM-CALL[good-native-lstm]") == "NOT AVAILABLE"
    assert (len(verdicts), set(verdicts.values())) == (5, {"PASS"})
    assert "RTCONFORM_SYSCALL_TRAP is none" in run.stdout

    known_bads = ("--only", "rt-raw-syscall", "--only", "rt-lock")
    selftest = rtconform("selftest", "--jobs", "1", *known_bads, RTCONFORM_SYSCALL_TRAP="none")
    assert selftest.returncode == 3, selftest.stdout + selftest.stderr
    assert re.search(r"^rt-raw-syscall +NOT TRIED$", selftest.stdout, re.MULTILINE)
    assert "1 of 2 known-bad implementations caught, 1 not tried" in selftest.stdout


def test_declaring_nothing_is_no_success(rtconform, tmp_path):
    """A loader without layer types has everything skipped, and conforms to nothing."""
    (tmp_path / "shy.py").write_text(
        "class Shy:\n"
        "    declares = {'name': 'shy', 'version': '1', 'role': 'loader', 'layer_types': []}\n"
        "    def load(self, path):\n        raise ValueError('no')\n"
    )
    run = rtconform("run", "--loader", "py:shy:Shy", "--class", "numerics", PYTHONPATH=str(tmp_path))
    assert run.returncode == 1
    assert set(results(tmp_path).values()) == {"SKIP"}
    assert "NOT JUDGED" in run.stdout


def test_a_deadline_that_no_step_can_meet_is_failed_at_once(rtconform, tmp_path):
    """Steps of nothing keep a tight deadline all the same, so that they don't speak for a loader that can't."""
    settings = tmp_path / "tight.toml"
    settings.write_text("deadline_ms = 0.001\n")
    run = rtconform("run", "--loader", GOOD, "--class", "latency", "--config", settings, "--", "-k", "LAT-STEP")
    assert run.returncode == 1, run.stdout + run.stderr
    assert results(tmp_path) == {"LAT-STEP[good-native]": "FAIL"}
    assert "128 of 128 steps missed 0.001 ms" in run.stdout


def test_one_failure_of_a_requirement_can_be_enough(rtconform, tmp_path):
    """`--rtc-fail-once` leaves out its further cases, and no case of another requirement."""
    arguments = ("run", "--loader", f"{FAULTY}#ldr-null-activation", "--", "-k", "LDR-REJECT-UNKNOWN")
    assert rtconform(*arguments).returncode == 1
    each = results(tmp_path)
    assert rtconform(*arguments, "--rtc-fail-once").returncode == 1
    once = results(tmp_path)
    first = next(item for item, verdict in each.items() if verdict == "CRASH")
    later = list(each)[list(each).index(first) + 1 :]
    left_out = [item for item in later if item.partition("[")[0] == first.partition("[")[0]]
    assert left_out and len(left_out) < len(each) - 1
    assert once == {**each, **dict.fromkeys(left_out, "SKIP")}


def test_timed_classes_refuse_to_run_in_parallel(rtconform):
    """One sentence, exit code 2."""
    run = rtconform("run", "--loader", GOOD, "--class", "latency", "--", "-n", "2")
    assert run.returncode == 2
    assert "run one at a time" in run.stdout + run.stderr


@pytest.mark.parametrize(("asked", "ran"), [((), ["other"]), (("-m", "memory"), ["timed"]), (("-m", "latency"), [])])
def test_a_test_of_a_timed_class_runs_only_when_that_is_asked_for(tmp_path, asked, ran):
    """Also one that checks no requirement."""
    (tmp_path / "rtconform.toml").touch()
    (tmp_path / "test_lane.py").write_text(
        "import pytest\n@pytest.mark.memory\ndef test_timed():\n    pass\ndef test_other():\n    pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "rtconform.harness.pytest_plugin", *asked]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.findall(r"^PASSED .*::test_(\w+)$", done.stdout, re.MULTILINE) == ran, done.stdout


def test_two_processes_and_the_timed_classes_make_one_run(rtconform, tmp_path):
    """`--jobs 2` gives one stream, one report and one exit code for both parts."""
    run = rtconform(
        *("run", "--loader", GOOD, "--models", SMALL / "lstm.json", "--jobs", "2"),
        *("--class", "realtime", "--class", "memory"),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert results(tmp_path) == {
        "RT-NO-ALLOCATION[good-native-lstm]": "PASS",
        "RT-NO-LOCK[good-native-lstm]": "PASS",
        "RT-NO-BLOCKING-CALL[good-native-lstm]": "PASS",
        "RT-NO-EXCEPTION[good-native-lstm]": "PASS",
        "RT-NO-SYSTEM-CALL[good-native-lstm]": "PASS",
        "RT-NO-PAGE-FAULT[good-native-lstm]": "PASS",
        "MEM-LIVE[good-native]": "PASS",
        "MEM-LEAK[good-native]": "PASS",
        "MEM-LEAK-HANDLES[good-native-descriptors]": "PASS",
        "MEM-LEAK-HANDLES[good-native-threads]": "PASS",
    }
    assert run.stdout.count("PASSED: ") == 1


def test_broken_files_in_a_folder_of_models_are_named(rtconform, tmp_path):
    """All of them, before anything is judged by the good ones."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(SMALL / "dense.json", folder)
    for name in ("one", "two"):
        (folder / f"{name}.json").write_text('{"in_shape": [null, null, 3], "layers": [')
    done = rtconform("run", "--loader", GOOD, "--models", folder, "--class", "numerics")
    assert done.returncode == 2
    assert all(f"{name}.json is not a valid RTNeural JSON file" in done.stderr for name in ("one", "two"))


def test_the_smoke_profile_judges_what_the_user_names(rtconform, tmp_path):
    """Also a copy of a stored file that it leaves out by itself."""
    done = rtconform(
        "run", "--loader", GOOD, "--models", SMALL / "dense.json", "--class", "numerics", "--profile", "smoke"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"NUM-ORACLE[good-native-dense]", "NUM-SIGNALS[good-native-dense]"} <= set(results(tmp_path))


SHIFTED = """
import json
import numpy as np

class Model:
    def __init__(self, path):
        shape = json.load(open(path))["in_shape"]
        self.input_size, self.output_size = shape[-1] + {more_in}, 3 + {more_out}

    def reset(self): pass

    def process(self, frames):
        return np.zeros((len(frames), self.output_size), np.float32)

class Loader:
    declares = {{"name": "shifted", "version": "1", "layer_types": ["dense"]}}

    def load(self, path):
        return Model(path)
"""


@pytest.mark.parametrize(("more_in", "more_out"), [(1, 0), (0, 4)])
def test_a_loader_with_wrong_sizes_fails(rtconform, tmp_path, more_in, more_out):
    """It is the loader's fault, and not the suite's."""
    (tmp_path / "shifted.py").write_text(SHIFTED.format(more_in=more_in, more_out=more_out))
    rtconform("run", "--loader", "py:shifted:Loader", "--models", SMALL / "dense.json", "--class", "numerics")
    verdicts = set(results(tmp_path).values())
    assert "FAIL" in verdicts and "SUITE ERROR" not in verdicts


def test_a_golden_that_no_run_looks_for_is_told(rtconform, tmp_path):
    """It is stored where the user says, and a run wouldn't find it there."""
    shutil.copy(SMALL / "dense.json", tmp_path)
    assert "looks in" in rtconform("golden", "add", "dense.json", "--folder", "elsewhere").stderr
    assert rtconform("golden", "add", "dense.json").stderr == ""


def test_a_config_with_a_key_twice_is_refused(rtconform, tmp_path):
    """JSON readers keep the last and say nothing."""
    (tmp_path / "config.json").write_text('{"training": {"epochs": 5, "epochs": 50}}')
    run = rtconform("train", "--config", "config.json", "--out", "made")
    assert (run.returncode, "the key 'epochs' stands twice" in run.stderr) == (2, True)
    assert not (tmp_path / "made").exists()


def test_the_version_is_told(rtconform):
    """As `rtconform --version`."""
    assert re.fullmatch(r"rtconform \d+\.\d+\.\d+\n", rtconform("--version").stdout)
