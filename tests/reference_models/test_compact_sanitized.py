"""The compact loaders under AddressSanitizer and UBSan: every instruction set of this machine, in every precision."""

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.rtneural_json import Model, dumps, grammar as g, malformed, read
from rtconform.harness.selection import stored_cases
from rtconform.reference_models.compact_loaders import NAMES

from .compact_builds import built, kernels_here, run

pytestmark = pytest.mark.xdist_group("compact-sanitized")  # one build serves all

FLAGS = "-O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all"
FRAMES = 8


@pytest.fixture(scope="module")
def sanitized():
    """The folder of the library and the program; without a compiler nothing else could be built here either."""
    return built("compact-sanitized", FLAGS)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """{path: frames}: the five models, those of each layer type, one with a column that has no scale as it is, and the
    malformed ones, of which all are refused.
    """
    folder = tmp_path_factory.mktemp("files")
    wrong = {folder / f"{case.id}.json": case.content() for case in malformed.all_cases()}
    for path, content in wrong.items():
        path.write_bytes(content)
    tiny = Model(2, (g.Dense(np.array([[1e-44, 1.0], [0.0, 1.0]], np.float32), np.zeros(2, np.float32)),))
    (folder / "tiny.json").write_text(dumps(tiny))
    right = [*(case.path for case in stored_cases("stored")), folder / "tiny.json"]
    frames = {path: signals.noise(FRAMES, read(path).input_size, seed=n) for n, path in enumerate(right)}
    return frames | dict.fromkeys(wrong, np.zeros(0, np.float32))


@pytest.mark.parametrize("kernels", kernels_here())
@pytest.mark.parametrize("name", NAMES)
def test_no_sanitizer_stops_it(sanitized, files, kernels, name, tmp_path):
    """Loaded, run in a block, reset, run frame by frame, unloaded, or refused; what comes out is finite."""
    outputs = dict(zip(files, run(sanitized, name, files, tmp_path, kernels=kernels), strict=True))
    assert {path for path, got in outputs.items() if got is None} == {path for path in files if not files[path].size}
    assert all(np.isfinite(got).all() for got in outputs.values() if got is not None)
