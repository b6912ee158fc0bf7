"""Runs that come to no good end: there is no verdict, nor a process that lives on, hung as it may be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rtconform.harness.records import read
from rtconform.harness.selection import SMALL

from .raw_host import FAULTY, needs_host
from .test_run import results

pytestmark = [needs_host, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
GOOD = f"abi:{FAULTY}#good-native"
HANGING = {"rtc-host": f"abi:{FAULTY}#ldr-hangs", "sleep": "cmd:sleep 1000"}
"""{what the command line of the implementation's process has in it: a loader that hangs}"""

SECONDS = 15
"""Less than the judge waits for a reply."""


def below(pid: int | str) -> Iterator[str]:
    """The ids of all processes that a process has started, and that these have."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # of a thread that has ended meanwhile
            for child in children.read_text().split():
                yield child
                yield from below(child)


def names_of(pid: int | str) -> list[str]:
    """The names of the files on its command line; none of one that is gone."""
    try:
        return [Path(word).name for word in Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")]
    except (FileNotFoundError, ProcessLookupError):
        return []


def named(name: str, pid: int) -> list[str]:
    """The processes below one that have a name on their command line."""
    return [each for each in below(pid) if name in names_of(each)]


def soon(what, seconds: float = SECONDS) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not (came := what()) and time.monotonic() < end:
        time.sleep(0.01)
    return bool(came)


@pytest.fixture(params=HANGING)
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A run, and the id of the process of its loader, which hangs."""
    asked = ("--loader", HANGING[request.param], "--class", "numerics", "--out", str(tmp_path / "out"))
    found: list[str] = []
    with subprocess.Popen([sys.executable, "-m", "rtconform", "run", *asked], stderr=subprocess.DEVNULL) as run:
        try:
            assert soon(lambda: found.extend(named(request.param, run.pid)) or found, seconds=120)
            yield run, found[0]
        finally:
            run.kill()


def test_a_terminated_run_has_no_verdict_and_leaves_no_process(running, tmp_path):
    """Told alone, without the processes below it, which a shell's `timeout` would tell as well."""
    run, loader = running
    run.terminate()
    assert run.wait(SECONDS) == 128 + signal.SIGTERM
    assert soon(lambda: not names_of(loader))
    assert not list(tmp_path.rglob("report.html"))


@pytest.mark.parametrize("running", ["rtc-host"], indirect=True)
def test_a_host_does_not_outlive_who_started_it(running):
    """Not even one that was killed, and so could end nothing."""
    run, host = running
    (judge,) = named("pytest", run.pid)
    os.kill(int(judge), signal.SIGKILL)
    assert run.wait(SECONDS) == 1
    assert soon(lambda: not names_of(host))


@pytest.mark.parametrize(
    ("what", "code"),
    [("raise RuntimeError('broken')", 1), ("raise KeyboardInterrupt", 2), ("import os; os._exit(0)", 1)],
    ids=["fault", "interrupt", "exit"],
)
def test_a_run_that_ends_early_is_no_success(rtconform, tmp_path, what, code):
    """A fault inside pytest, Ctrl-C, and an implementation that ends the process that it is in: no verdict, never 0."""
    plugin = f"def pytest_runtest_logreport(report):\n    if report.when == 'call':\n        {what}\n"
    (tmp_path / "early_end.py").write_text(plugin)
    arguments = ("--loader", GOOD, "--class", "realtime", "--class", "memory", "--jobs", 2)
    done = rtconform("run", *arguments, "--", "-p", "early_end", PYTHONPATH=str(tmp_path))
    assert done.returncode == code, done.stdout + done.stderr
    assert not any(word in done.stdout for word in ("PASSED", "CONFORMANT"))
    assert not list(tmp_path.rglob("report.html"))


def test_a_run_whose_reports_can_not_be_written_is_no_success(rtconform, tmp_path):
    """The verdict is in the records and on the terminal; what is in the way stays."""
    page = tmp_path / "rtconform-report" / "report.html"
    page.mkdir(parents=True)
    done = rtconform("run", "--loader", GOOD, "--models", SMALL / "lstm.json", "--class", "realtime")
    assert done.returncode == 1
    assert set(results(tmp_path).values()) == {"PASS"}
    assert f"NO REPORT: expected to write {page}, found: Is a directory. `rtconform report" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert page.is_dir()


def test_the_footer_knows_of_other_items_that_failed(rtconform, tmp_path):
    """A test that is no requirement's, in the same run: a gate goes by the footer."""
    (tmp_path / "test_other.py").write_text("def test_other():\n    assert False\n")
    done = rtconform(
        *("run", "--loader", GOOD, "--models", SMALL / "lstm.json", "--class", "realtime"),
        *("--", "-p", "no:cacheprovider", tmp_path / "test_other.py"),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_other" in done.stdout
    assert read(tmp_path / "rtconform-report").footer["exit_code"] == 1


@pytest.mark.parametrize(
    ("end", "jobs"), [("os._exit(0)", 1), ("os.abort()", 2), ("'trailing-nul' in path and os.abort()", 2)]
)
def test_a_python_loader_that_ends_its_process_gets_no_verdict(rtconform, tmp_path, end, jobs):
    """In process there is no wall; the run says so, and where there is one."""
    (tmp_path / "ending.py").write_text(
        f"import os\n\nclass Loader:\n    declares = {{'name': 'ending', 'version': '1', 'layer_types': ['dense']}}\n\n"
        f"    def load(self, path):\n        {end}\n"
    )
    done = rtconform(
        "run", "--loader", "py:ending:Loader", "--class", "robustness", "--profile", "smoke", "--jobs", jobs
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no verdict" in done.stderr
    assert "CONFORMANT" not in done.stdout
