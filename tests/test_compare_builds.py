"""tools/compare_builds.py, where no loader is compared; tests/test_workflows.py has the others."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the tool needs of a checkout, and in it one of the base: a program each that says what its loaders are."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for folder, connection in ((tmp_path, "abi:now.so#mine"), (tmp_path / "base", "abi:before.so#another")):
        (folder / "reference_models").mkdir(parents=True)
        (folder / "reference_models" / "loaders.py").write_text(f"print({connection!r})\n")
    return tmp_path


def compared(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/compare_builds.py", "base", "out"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def test_a_loader_that_the_base_lacks_is_no_failure(checkout):
    """There is nothing to compare it with."""
    done = compared(checkout)
    assert (done.returncode, done.stdout) == (0, "`mine` is new: there is nothing to compare it with.\n")


def test_a_base_that_can_not_be_built_is_one(checkout):
    """It says nothing of the head."""
    (checkout / "base" / "reference_models" / "loaders.py").write_text("raise SystemExit('no compiler')\n")
    done = compared(checkout)
    assert (done.returncode, done.stdout) == (
        1,
        "The loaders of `base` can't be built, so nothing was compared. The job's log says why.\n",
    )


def test_compact_loaders_that_can_not_be_built_are_one(checkout):
    """They are built apart from those on RTNeural."""
    sources = checkout / "base" / "reference_models" / "native" / "loaders" / "compact"
    sources.mkdir(parents=True)
    (sources / "CMakeLists.txt").write_text('message(FATAL_ERROR "no compiler")\n')
    done = compared(checkout)
    assert (done.returncode, done.stdout) == (
        1,
        "The compact loaders of `base` can't be built, so nothing was compared. The job's log says why.\n",
    )
