"""What several tests of the native half start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import raw_host
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
