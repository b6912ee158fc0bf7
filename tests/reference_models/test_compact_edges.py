"""The compact loaders where numbers end: tiny inputs, tiny weights, and modes that flush denormal numbers to zero."""

import ctypes
import platform

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.five_models import specs
from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import Model, budget, dumps, grammar as g, numeric_class, read
from rtconform.reference_models.compact_loaders import NAMES, library

from ..harness import raw_host
from .c_loader import open_table
from .compact_builds import KERNELS, kernels_here

FLUSHING = """
#include <xmmintrin.h>
unsigned flush(void) { const unsigned before = _mm_getcsr(); _mm_setcsr(before | 0x8040); return before; }
void restore(unsigned before) { _mm_setcsr(before); }
"""


@pytest.fixture(params=kernels_here())
def with_kernels(request, monkeypatch):
    """Each instruction set in turn."""
    monkeypatch.setenv(KERNELS, request.param)


@pytest.fixture(params=NAMES)
def loader(request):
    """The loader of each precision."""
    return open_table(f"abi:{library()}#{request.param}")


@pytest.fixture
def flushing(tmp_path):
    """A function that calls another with flush-to-zero and denormals-are-zero set, as audio threads have them."""
    if platform.machine() != "x86_64":
        pytest.skip("the mode is set in the words of x86-64")
    (tmp_path / "flushing.c").write_text(FLUSHING)
    mode = ctypes.CDLL(str(raw_host.compiled(tmp_path / "flushing.c", tmp_path, "-fvisibility=default")))

    def call(function):
        before = mode.flush()
        try:
            return function()
        finally:
            mode.restore(before)

    return call


def outputs(loader, path, frames):
    model = loader.open(path)
    try:
        return loader.run(model, frames)
    finally:
        loader.unload(model)


def judged(loader, path, frames):
    return budget(read(path), frames, loader.numeric_class.decode()).judge(outputs(loader, path, frames))


@pytest.mark.usefixtures("with_kernels")
@pytest.mark.parametrize("magnitude", [1e-28, 1e-31, 1e-33, 1e-36])
def test_tiny_inputs_count_where_there_is_no_bias(loader, magnitude, tmp_path):
    """They are rounded like others, not taken for zero."""
    random = np.random.default_rng(1)
    kernel = random.uniform(-1, 1, (20, 8)).astype(np.float32)
    path = tmp_path / "model.json"
    path.write_text(dumps(Model(20, (g.Dense(kernel, np.zeros(8, np.float32)),))))
    judgement = judged(loader, path, signals.noise(16, 20, seed=2, amplitude=magnitude))
    assert judgement.ok, judgement


@pytest.mark.usefixtures("with_kernels")
@pytest.mark.parametrize("largest", [1e-44, 1e-37, 1e-35])
def test_tiny_weights_have_a_scale(loader, largest, tmp_path):
    """Also in a column of their own beside others."""
    kernel = np.array([[largest, 1.0], [0.0, -1.0]], np.float32)
    path = tmp_path / "model.json"
    path.write_text(dumps(Model(2, (g.Dense(kernel, np.zeros(2, np.float32)),))))
    judgement = judged(loader, path, signals.noise(8, 2, seed=3))
    assert judgement.ok, judgement


@pytest.mark.usefixtures("with_kernels")
@pytest.mark.parametrize("name", specs())
def test_where_the_processor_flushes_denormals_nothing_changes(loader, flushing, name):
    """While the model is loaded, and while it runs: binary16 has denormal numbers where float32 has none."""
    path = FIXTURES / "models" / specs()[name]["file"]
    frames = signals.noise(16, read(path).input_size, seed=4)
    np.testing.assert_array_equal(flushing(lambda: outputs(loader, path, frames)), outputs(loader, path, frames))


def test_a_variance_that_binary16_has_no_number_for_is_refused(tmp_path):
    """By the loader that computes with it, and the class doesn't hold it."""
    one = np.ones(1, np.float32)
    model = Model(1, (g.BatchNorm(one, one, one, np.float32([1e-8]), np.float32(0)),))
    path = tmp_path / "model.json"
    path.write_text(dumps(model))
    _, message = open_table(f"abi:{library()}#compact-f16").refusal(path)
    assert message == "expected variances that are above 0 in binary16 where epsilon is 0, found a smaller one"
    assert [name for name in ("f32", "f16", "i8") if not numeric_class(name).holds(model)] == ["f16"]
