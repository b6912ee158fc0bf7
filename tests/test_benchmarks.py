"""The benchmarks of the Python side store what they measure and draw it. How long anything takes is not asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtconform.reference_models.errors import NotAvailable
from rtconform.reference_models.loaders import rtneural_checked

from .benchmarks import history

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = {"export", "import", "validate", "write", "oracle", "budget", "round trips"}
QUICK = ("--benchmark-min-rounds=1", "--benchmark-max-time=0.000001", "--benchmark-warmup=off")


def available() -> set[str]:
    """The benchmarks that this machine has all for."""
    try:
        rtneural_checked()
    except NotAvailable:
        return BENCHMARKS - {"round trips"}
    return BENCHMARKS


def test_a_run_writes_its_store_and_its_picture(tmp_path):
    """One file with the machine in it, and a page with a panel for each benchmark beside it."""
    files = sorted((ROOT / "tests" / "benchmarks").glob("bench_*.py"))
    options = ["--benchmark-autosave", f"--benchmark-storage={tmp_path}", *QUICK]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files), *options]
    # In a process of pytest-xdist, and so in what it starts, pytest-benchmark would measure nothing.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(tmp_path / history.PAGE) in done.stdout
    (stored,) = tmp_path.glob("*/0001_*.json")
    document = json.loads(stored.read_text())
    assert document["machine_info"]["cpu"]["count"] >= 1
    (run,) = history.runs(tmp_path)
    assert set(run.benchmarks) == available()
    page = (tmp_path / history.PAGE).read_text()
    assert page.count("<svg") == page.count('class="box"') == len(available())
    assert "From a torch module to a file" in page


def stored(store: Path, number: int, python: str, **milliseconds: float) -> None:
    """A file of the store: benchmarks with this median, half of their rounds within a tenth of it."""
    stats = {"min": 0.8, "ld15iqr": 0.8, "q1": 0.9, "median": 1, "q3": 1.1, "hd15iqr": 1.2, "max": 5}
    document = {
        "datetime": f"2026-01-{number:02}T10:00:00+00:00",
        "machine_info": {
            "cpu": {"brand_raw": "<CPU>", "count": 2},
            "python_implementation": "CPython",
            "python_version": python,
            "system": "Linux",
        },
        "commit_info": {"id": f"{number:040x}", "dirty": number == 1},
        "benchmarks": [
            {
                "name": f"test_{name}",
                "stats": {key: value * median / 1000 for key, value in stats.items()},
                "extra_info": {},
            }
            for name, median in milliseconds.items()
        ],
    }
    folder = store / f"Linux-CPython-{python}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number:04}_x.json").write_text(json.dumps(document))


def test_the_picture_shows_every_run_and_where_the_machine_changed(tmp_path):
    """Runs of several folders in the order of time; medians are compared on one machine only."""
    stored(tmp_path, 3, "3.9", write=200.0)
    stored(tmp_path, 1, "3.11", write=100.0, validate=30.0)
    stored(tmp_path, 2, "3.11", write=110.0)
    found = history.runs(tmp_path)
    assert [run.number for run in found] == [1, 2, 3]
    write, validate = history.panels(found)
    assert [mark.times["median"] for mark in write.marks] == pytest.approx([100, 110, 200])
    assert [mark.moved for mark in write.marks] == [False, False, True]
    assert (write.change, validate.change) == ("", "")
    assert next(history.panels(found[:2])).change == "+10.0% against run 1"
    assert write.line.replace("L", "M").count("M") == 3
    assert write.line.count("M") == 2
    assert write.axis.high >= 240  # the upper whisker; a single late round may stand outside
    tops = [write.y(mark.times["median"]) for mark in write.marks]
    assert history.TOP < tops[2] < tops[1] < tops[0] < history.BOTTOM

    page = history.draw(tmp_path).read_text()
    assert (page.count("<svg"), page.count('class="box"'), page.count('class="moved"')) == (2, 4, 1)
    assert "&lt;CPU&gt;, 2 cores, CPython 3.9, Linux" in page
    assert "000000000 and changes" in page
    assert "<CPU>" not in page


def test_without_runs_there_is_no_picture(tmp_path):
    """Nor a page that says nothing."""
    assert history.draw(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
