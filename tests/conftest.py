"""What tests of the finished package share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def tools() -> Iterator[None]:
    """The set-up scripts import one another as scripts do: from their own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        yield


@pytest.fixture(scope="session")
def pip() -> Callable[..., None]:
    """Runs pip, with the programs of this environment on PATH."""

    def run(*arguments: object) -> None:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def core_wheels(tools: None) -> Path | None:
    """Where the set-up has put the wheels that the package needs; None if it couldn't."""
    import places

    folder = places.core_wheels()
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def wheel(tools: None, pip: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the checkout, built with the tools of this environment from the objects of its own build."""
    import set_up

    folder = tmp_path_factory.mktemp("wheel")
    with set_up.alone():
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("rtconform-*.whl")
    return built
