"""tools/gate.py and tools/compare_builds.py: what a command came to, and which of several codes decides."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .github_actions import bare_environment

TOOLS = Path(__file__).resolve().parents[1] / "tools"
PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def gate(tmp_path):
    """Runs tools/gate.py on a shell script; returns (exit code, summary, outputs)."""

    def gate(script: str, *options: str):
        files = {name: tmp_path / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        command = [sys.executable, TOOLS / "gate.py", *options, "out/summary.md", "sh", "-c", script]
        (tmp_path / "out").mkdir(exist_ok=True)
        environment = {**bare_environment(PROGRAMS), **{name: str(path) for name, path in files.items()}}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, *(path.read_text() for path in files.values())

    return gate


def test_the_exit_code_of_a_run_is_that_of_its_footer(gate):
    """make ends with 2 whatever was wrong with what it ran."""
    footer = json.dumps({"record": "footer", "exit_code": 3})
    code, _, outputs = gate(f"echo '{footer}' > out/records.jsonl; exit 2")
    assert (code, outputs.splitlines()[:2]) == (3, ["code=3", "verdict=not available"])


@pytest.mark.parametrize("exit_with", ["exit 1", "exit 2", "kill -9 $$"])
def test_what_fails_behind_a_verdict_has_failed(gate, tmp_path, exit_with):
    """The footer is written before the reports, whose disk may be full; and the page must not say that all is well."""
    footer = json.dumps({"record": "footer", "exit_code": 0})
    code, summary, outputs = gate(f"echo '{footer}' > out/records.jsonl; echo PASSED > out/summary.md; {exit_with}")
    assert (code, outputs.splitlines()[:2]) == (1, ["code=1", "verdict=failed"])
    assert summary == "No report: the command ended with exit code 1 without one. The job's log says why.\n\n"
    assert not (tmp_path / "out" / "summary.md").exists()


@pytest.mark.parametrize("last", ['"text"', "[1]", '{"record": "result"}', "{", ""])
def test_records_that_end_early_are_no_verdict(gate, last):
    code, _, outputs = gate(f"echo '{last}' > out/records.jsonl; exit 3")
    assert (code, outputs.splitlines()[0]) == (3, "code=3")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["out.md"], "expected a command behind SUMMARY, found none"),
        (["--tries", "0", "out.md", "true"], "argument --tries: expected a whole number from 1 on, found '0'"),
        (["--tries", "-1", "out.md", "true"], "argument --tries: expected a whole number from 1 on, found '-1'"),
        (["--tries", "two", "out.md", "true"], "argument --tries: expected a whole number from 1 on, found 'two'"),
        ([".", "true"], "SUMMARY: expected the Markdown file that the command writes, found the folder ."),
        (["out.md", "no-such-command"], "expected a command that can be started, found no-such-command: No such file"),
    ],
)
def test_what_is_no_gate_is_a_usage_error(tmp_path, arguments, said):
    done = subprocess.run(
        [sys.executable, TOOLS / "gate.py", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_base_that_is_not_there_is_named(tmp_path):
    command = [sys.executable, TOOLS / "compare_builds.py", "nowhere", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "compare_builds.py: error: BASE: expected the folder of a checkout, found none at nowhere",
    )


def test_without_a_footer_the_command_has_its_own_exit_code(gate, tmp_path):
    """Also where an older run left one, and a summary."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "records.jsonl").write_text(json.dumps({"record": "footer", "exit_code": 75}))
    (tmp_path / "out" / "summary.md").write_text("all is well")
    code, summary, outputs = gate("exit 2")
    assert (code, outputs.splitlines()[0]) == (2, "code=2")
    assert summary == "No report: the command ended with exit code 2 without one. The job's log says why.\n\n"


@pytest.mark.parametrize(
    ("command", "code", "has_records", "said"),
    [
        ("make", 2, False, "failed"),
        ("make", 2, True, "usage error"),
        ("python", 2, False, "usage error"),
        ("make", 0, False, "passed"),
    ],
)
def test_a_make_that_failed_is_no_usage_error(tmp_path, monkeypatch, command, code, has_records, said):
    """It ends with 2 where nothing could be built, too."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import gate

    records = tmp_path / "records.jsonl"
    if has_records:
        records.touch()
    assert gate.verdict(code, [command, "conformance"], records) == said


def test_an_older_comparison_is_not_uploaded(gate, tmp_path):
    """As that of a run that came to none."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "compare.json").touch()
    gate("exit 3")
    assert not (tmp_path / "out" / "compare.json").exists()


@pytest.mark.parametrize(
    ("codes", "code"), [([], 0), ([0, 75], 75), ([75, 3, 0], 3), ([1, 3], 1), ([2, 1, 75], 1), ([0, 0], 0)]
)
def test_a_proven_regression_decides(monkeypatch, codes, code):
    """Whatever else could not be done or decided."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import compare_builds

    assert compare_builds.worst(codes) == code


def test_a_second_try_may_decide(gate):
    """Then nothing is said of the first."""
    script = "if [ -e once ]; then echo fine > out/summary.md; else touch once; exit 75; fi"
    code, summary, outputs = gate(script)
    assert (code, summary.strip(), outputs.splitlines()[0]) == (0, "fine", "code=0")
