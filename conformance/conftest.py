"""Fixtures of all the requirements' tests."""

import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(tmp_path_factory):
    """A folder of the item's own. pytest looks through all the others for the next number, and there are thousands."""
    return Path(tempfile.mkdtemp(dir=tmp_path_factory.getbasetemp()))
