"""What tests of data sets share: a miniature of each kind, made once, and a copy of it to do harm to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.make_miniatures import MAKERS

# Kind → where its miniature is, and the first model that it trains.
KINDS = {**{kind: kind for kind in MAKERS}, "deam-dynamic": "deam"}


@pytest.fixture(scope="session")
def miniatures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all miniatures, to be read and left as they are."""
    folder = tmp_path_factory.mktemp("miniatures")
    for kind, make in MAKERS.items():
        make(folder / kind)
    return folder


@pytest.fixture
def copy(miniatures: Path, tmp_path: Path) -> Callable[[str], Path]:
    """`copy(kind)`: a copy of a kind's miniature."""

    def of(kind: str) -> Path:
        return Path(shutil.copytree(miniatures / KINDS[kind], tmp_path / kind))

    return of


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of this test run, so that no earlier run can help or hurt and each sound is heard once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cached(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCONFORM_CACHE", str(shared_cache))
