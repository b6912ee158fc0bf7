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


def test_without_a_footer_the_command_has_its_own_exit_code(gate, tmp_path):
    """Also where an older run left one, and a summary."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "records.jsonl").write_text(json.dumps({"record": "footer", "exit_code": 75}))
    (tmp_path / "out" / "summary.md").write_text("all is well")
    code, summary, outputs = gate("exit 2")
    assert (code, outputs.splitlines()[0]) == (2, "code=2")
    assert summary == "No report: the command ended with exit code 2 before it had one. The job's log says why.\n\n"


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
