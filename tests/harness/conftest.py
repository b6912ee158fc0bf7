"""What several tests start from."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from . import command_line, raw_host
from .raw_host import FAULTY, Host, running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small recurrent model's file."""
    return raw_host.written(tmp_path / "model.json", raw_host.recurrent_model())


@pytest.fixture
def host() -> Iterator[Host]:
    """rtc-host with a good loader."""
    with running(FAULTY) as host:
        yield host


@pytest.fixture(scope="session")
def breaching(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of loaders that break loader.h."""
    return raw_host.compiled("breaching_loaders.cpp", tmp_path_factory.mktemp("breaching"))


@pytest.fixture
def rtconform(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`rtconform(*arguments)` in a folder of its own, with a settings file that names nothing."""
    (tmp_path / "rtconform.toml").write_text("timeout_s = 5.0\n")
    return partial(command_line.rtconform, tmp_path)
