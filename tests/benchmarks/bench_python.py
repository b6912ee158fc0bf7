"""What the Python side takes for the largest reference model: export, validation, import, the oracle, the budget.

    python -m pytest tests/benchmarks/bench_*.py --benchmark-autosave

No run collects these files unless they are named, and nothing is gated by their times. What is stored, and the picture
of it, is described in docs/PERFORMANCE.md.
"""

from __future__ import annotations

import pytest

from rtconform.harness import export_cases, five_models, signals
from rtconform.harness.rtneural_json import budget, dumps, evaluate, read, validate_bytes

NAME = "MelodyTransformer"
PATH = five_models.FOLDER / five_models.specs()[NAME]["file"]
FRAMES = 64


@pytest.fixture(scope="module")
def model():
    """The stored model."""
    return read(PATH)


@pytest.fixture(scope="module")
def frames(model):
    """Noise `[64, in]`."""
    return signals.noise(FRAMES, model.input_size)


def test_export(benchmark, tmp_path):
    """From a torch module to a file, by the reference exporter."""
    pytest.importorskip("torch")
    from rtconform.harness.implementations import connect

    exporter = connect("reference-exporter", "exporter")
    reference = export_cases.of_five(NAME).reference(tmp_path)
    benchmark(exporter.export, reference, tmp_path / "exported.json")


def test_import(benchmark):
    """From a file to a torch module."""
    pytest.importorskip("torch")
    from rtconform.reference_models.torch_import import import_model

    benchmark(import_model, PATH)


def test_validate(benchmark):
    """From the bytes of a file to a model or its faults."""
    report = benchmark(validate_bytes, PATH.read_bytes())
    assert report.model is not None


def test_write(benchmark, model):
    """From a model to the text of a file."""
    assert len(benchmark(dumps, model)) > 1_000_000


def test_oracle(benchmark, model, frames):
    """64 frames in float64."""
    benchmark(evaluate, model, frames)


def test_budget(benchmark, model, frames):
    """The error budget over 64 frames."""
    benchmark(budget, model, frames)
