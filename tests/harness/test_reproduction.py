"""The command that a failure prints shows the same in a fresh shell, in another folder, with a bare environment."""

import os
import re
import subprocess
import sys

import pytest

from rtconform.harness.faulty import matrix
from rtconform.harness.records import read

pytestmark = pytest.mark.xdist_group("reproduction")  # whose one run all share

FAILURES = {
    "ldr-crashes": "LDR-LOAD-VALID[{}-lstm]",
    "ldr-hangs": "LDR-LOAD-VALID[{}-dense]",
    "ldr-calls-exit": "LDR-LOAD-VALID[{}-lstm]",
    "ldr-skips-unknown": "LDR-REJECT-UNKNOWN-LAYER[{}-type-leaky-relu]",
    "ldr-null-activation": "LDR-REJECT-UNKNOWN-ACTIVATION[{}-activation-upper-case]",
    "ldr-truncated-accepted": "LDR-REJECT-TRUNCATED[{}-cut-between-layers]",
    "ldr-trailing-accepted": "LDR-REJECT-TRAILING[{}-trailing-text]",
    "ldr-half-loaded": "LDR-AFTER-FAILED-LOAD[{}-lstm]",
    "ldr-returns-true": "LDR-REJECT-EMPTY[{}-empty-file]",
    "ldr-refuses-keras": "LDR-LOAD-VALID[{}-keras-lstm]",
    "imp-unknown-class": "LDR-DECLARES[{}]",
    "imp-declares-weaker-class": "NUM-ORACLE[{}-lstm]",
    "run-prints": "RUN-SILENT[{}-lstm]",
    "run-nan": "NUM-ORACLE[{}-lstm]",
    "run-nan-after-silence": "NUM-SIGNALS[{}-lstm]",
    "run-over-read": "RUN-BUFFERS[{}-lstm-1]",
    "run-static-scratch": "RUN-THREADS[{}-lstm]",
    "run-leaks-fpenv": "RUN-PROCESS-STATE[{}-lstm]",
    "run-state-shared": "RUN-ISOLATION[{}-lstm]",
    "run-reset-incomplete": "RUN-RESET[{}-lstm]",
    "run-state-per-block": "RUN-BLOCKS[{}-lstm]",
    "run-tail-lanes": "NUM-GOLDEN[{}-lstm]",
    "run-dilation-off-by-one": "NUM-ORACLE[{}-conv1d-dilated]",
    "run-softmax-overflow": "NUM-SOFTMAX-LARGE[{}]",
    "rt-alloc-each-block": "RT-NO-ALLOCATION[{}-lstm]",
    "rt-lock": "RT-NO-LOCK[{}-lstm]",
    "exp-linear-not-transposed": "EXP-EQUIVALENT[{}-dense-square]",
    "exp-wrong-checkpoint": "EXP-GIVEN-WEIGHTS[{}-dense-square]",
    "pip-duplicated-result": "PIP-EACH-FRAME-ONCE[{}]",
    "toy-exporter+run-one-frame-late": "CHN-OUTPUTS[{}-lstm-relu-dense]",
}
"""One failing item of each of these known-bads, whose name stands for the braces."""

BY_CHANCE = ("run-static-scratch", "pip-duplicated-result")
"""Two threads meet at another frame each time or not at all, or a result is asked for twice more or less often."""

TRIES = 5


def outcome(item, printed, name):
    """What the text of a failure says: verdict, sentence, what was found, and the first bad place."""
    text = re.search(rf"^{re.escape(item)}: .+?(?=\n  seed:)", printed, re.MULTILINE | re.DOTALL)
    assert text, printed
    shown = re.compile(r"\S+: [A-Z]+$|  required: |  found: |  at frame ")
    kept = [line for line in text.group().splitlines() if shown.match(line)]
    return kept[:2] if name in BY_CHANCE else kept


def judged(folder, *options):
    """(what was printed, records by item) of a run in a folder, which fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CI"))}
    command = [sys.executable, "-m", "rtconform", "run", *options, "--out", "out"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout, {result["item"]: result for result in read(folder / "out").results}


def elsewhere(command, folder, tries=1):
    """What is printed by a command in a fresh shell that knows HOME, PATH and the cache, when it fails."""
    kept = {key: os.environ[key] for key in ("HOME", "PATH", "RTCONFORM_CACHE") if key in os.environ}
    shell = ["env", "-i", *(f"{key}={value}" for key, value in kept.items()), "sh", "-c", command]
    for _ in range(tries):
        again = subprocess.run(shell, cwd=folder, capture_output=True, text=True, check=False)
        if again.returncode == 1:
            return again.stdout
    pytest.fail(again.stdout + again.stderr)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(what was printed, records by item) of all of them, in one run."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "rtconform.toml").write_text("timeout_s = 2.0\n")
    entries = {entry.id: entry for entry in matrix.load() if entry.id in FAILURES}
    options = [word for name, item in FAILURES.items() for word in ("--only", item.format(name))]
    for role in ("loader", "exporter", "pipeline"):
        named = dict.fromkeys(entry.connections[role] for entry in entries.values() if role in entry.connections)
        options += [word for connection in named for word in (f"--{role}", connection)]
    return judged(folder, *options)


def test_each_of_them_fails_in_the_first_place(run):
    """Otherwise nothing would be reproduced."""
    verdicts = {item: result["verdict"] for item, result in run[1].items()}
    assert set(verdicts) == {item.format(name) for name, item in FAILURES.items()}
    assert set(verdicts.values()) == {"FAIL", "CRASH", "TIMEOUT"}


@pytest.mark.parametrize("name", FAILURES)
def test_the_command_shows_the_same_failure_elsewhere(run, name, tmp_path):
    """In an environment of HOME, PATH and the cache: the same verdict, sentence and words, the same first bad place."""
    item = FAILURES[name].format(name)
    again = elsewhere(run[1][item]["command"], tmp_path, tries=TRIES if name in BY_CHANCE else 1)
    assert outcome(item, again, name) == outcome(item, run[0], name)


def test_the_second_of_one_name_is_the_first_where_it_is_alone(tmp_path):
    """The number behind its name is of the run, and not of the implementation."""
    connection = next(entry.connections["loader"] for entry in matrix.load() if entry.id == "run-nan")
    item, alone = "NUM-ORACLE[run-nan~2-lstm]", "NUM-ORACLE[run-nan-lstm]"
    printed, results = judged(tmp_path, "--loader", connection, "--loader", connection, "--only", item)
    again = elsewhere(results[item]["command"], tmp_path.parent)
    assert outcome(alone, again, "run-nan")[1:] == outcome(item, printed, "run-nan")[1:]
