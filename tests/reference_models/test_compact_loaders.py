"""The compact loaders: every instruction set of this machine in every precision, within the budget of its class."""

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.five_models import specs
from rtconform.harness.implementations import connect
from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import budget, dumps, read
from rtconform.reference_models.compact_loaders import NAMES, library

from ..harness.models import FAMILIES, random_model
from .c_loader import open_table
from .compact_builds import KERNELS, kernels_here

MODELS = FIXTURES / "models"
ONE = MODELS / "small" / "dense-one.json"
BUILD = 4
SMALL = sorted(path.stem for path in (MODELS / "small").glob("*.json"))


def table(name):
    """The loader of one precision."""
    return open_table(f"abi:{library()}#{name}")


@pytest.fixture(params=NAMES)
def loader(request):
    """The loader of each precision."""
    return table(request.param)


@pytest.fixture(params=kernels_here())
def with_kernels(request, monkeypatch):
    """Each instruction set in turn."""
    monkeypatch.setenv(KERNELS, request.param)
    return request.param


def worst(loader, path, model, frames, seed=0):
    """The largest error as a part of the budget."""
    opened = loader.open(path)
    try:
        outputs = loader.run(opened, frames)
    finally:
        loader.unload(opened)
    return budget(model, frames, loader.numeric_class.decode(), seed).judge(outputs)


@pytest.mark.usefixtures("with_kernels")
@pytest.mark.parametrize("name", [*specs(), *SMALL])
def test_stored_models_are_within_the_budget(loader, name):
    """Noise and then silence through the five models and through each kind of layer."""
    path = MODELS / specs()[name]["file"] if name in specs() else MODELS / "small" / f"{name}.json"
    model = read(path)
    frames = signals.noise(48, model.input_size, seed=5)
    frames[32:] = 0.0
    judged = worst(loader, path, model, frames)
    assert judged.ok, judged


@pytest.mark.usefixtures("with_kernels")
@pytest.mark.parametrize("family", FAMILIES)
def test_drawn_models_are_within_the_budget(loader, family, tmp_path):
    """Odd widths, groups, dilations, activations."""
    random = np.random.default_rng([11, FAMILIES.index(family)])
    path = tmp_path / "drawn.json"
    for number in range(8):
        model = random_model(random, family)
        frames = signals.noise(32, model.input_size, seed=number)
        if budget(model, frames).chaotic:
            continue
        path.write_text(dumps(model))
        judged = worst(loader, path, model, frames)
        assert judged.ok, (number, model, judged)


def test_integer_sums_are_the_same_on_all_instruction_sets(monkeypatch):
    """What differs is how floats are rounded."""
    frames = signals.noise(16, 128, seed=1)
    loader, path = table("compact-i8"), MODELS / specs()["HarmonyPredictor"]["file"]
    outputs = []
    for name in kernels_here():
        monkeypatch.setenv(KERNELS, name)
        opened = loader.open(path)
        outputs.append(loader.run(opened, frames))
        loader.unload(opened)
    for other in outputs[1:]:
        np.testing.assert_allclose(other, outputs[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_loading_holds_the_numbers_of_one_model_besides_and_no_text(name):
    """The largest has 640,640 numbers in 7.5 MB of text; half a megabyte is for vectors as they grow."""
    paths = [MODELS / spec["file"] for spec in specs().values()]
    with connect(f"abi:{library()}#{name}", "loader").open() as session:
        memory = session.measure_memory(paths, cycles=1)
    assert memory.peak_bytes < memory.live_bytes + 4 * 640_640 + 2**19
