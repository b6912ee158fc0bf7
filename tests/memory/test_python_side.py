"""How much memory export and validation of the largest reference model take at most.

memray counts every allocation of the test's own call, C and C++ included; what fixtures and imports hold came before.
The limits are multiples of the file, so that they follow the model.
"""

from __future__ import annotations

import pytest

from rtconform.harness import export_cases, five_models
from rtconform.harness.rtneural_json import validate_bytes

pytest.importorskip("pytest_memray", reason="pytest-memray counts allocations, on Linux and macOS")
pytestmark = pytest.mark.memory

NAME = "MelodyTransformer"
PATH = five_models.FOLDER / five_models.specs()[NAME]["file"]
SIZE = PATH.stat().st_size


def files(number: float) -> str:
    """So many times the model's file, as `limit_memory` wants it."""
    return f"{number * SIZE} B"


@pytest.fixture
def data():
    """The stored file, which is not counted."""
    return PATH.read_bytes()


@pytest.fixture
def export(tmp_path):
    """Exports the model for the second time.

    What torch and the exporter import and cache at the first export is not counted, nor are the buffers that the BLAS
    takes for matrices of this size: on some CPUs they are three times the model.
    """
    pytest.importorskip("torch")
    from rtconform.harness.implementations import connect

    exporter = connect("reference-exporter", "exporter")
    reference = export_cases.of_five(NAME).reference(tmp_path)
    exporter.export(reference, tmp_path / "first.json")
    return lambda: exporter.export(reference, tmp_path / "exported.json")


@pytest.mark.limit_memory(files(8))
def test_validation(data):
    """6.8 times the file: 1 its text, 3.2 the tree of its numbers, the rest float32 arrays and what makes the largest.

    A second tree that is kept, or a text kept for every number, is over the limit.
    """
    assert validate_bytes(data).model is not None


@pytest.mark.limit_memory(files(19))
def test_export(export):
    """17.5 times the file: 12 are what orjson reserves, and mostly never touches, while the file is read back.

    The rest is 1 for the text, 2.7 for the tree read back, and the module in float64. A second tree is over the limit.
    """
    export()
