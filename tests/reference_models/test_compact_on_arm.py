"""The compact loaders on 64-bit ARM, in an emulator: NEON computes what this processor's kernels compute."""

import shutil

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.rtneural_json import read
from rtconform.harness.selection import stored_cases
from rtconform.reference_models.compact_loaders import NAMES, library

from .c_loader import open_table
from .compact_builds import built, run

pytestmark = pytest.mark.xdist_group("on-arm")  # one build serves all

TRIPLE = "aarch64-linux-gnu"
COMPILER, EMULATOR = f"{TRIPLE}-g++", "qemu-aarch64"
NEEDED = f"apt-get install --no-install-recommends g++-{TRIPLE} qemu-user"
FRAMES = 16


@pytest.fixture(scope="module")
def on_arm():
    """The folder of the library and the program, both for ARM, made as the package's are for this processor."""
    missing = [program for program in (COMPILER, EMULATOR, "cmake") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here; as root run: {NEEDED}")
    settings = (f"CXX_COMPILER={COMPILER}", "SYSTEM_NAME=Linux", "SYSTEM_PROCESSOR=aarch64")
    return built("compact-on-arm", "-O2 -DNDEBUG", *settings)


@pytest.mark.parametrize("name", NAMES)
def test_neon_gives_what_this_processor_gives(on_arm, name, tmp_path):
    """The five models and one or more of each layer type; where inputs are rounded, they are rounded alike."""
    paths = [case.path for case in stored_cases("stored")]
    models = {path: signals.noise(FRAMES, read(path).input_size, seed=n) for n, path in enumerate(paths)}
    loader = open_table(f"abi:{library()}#{name}")
    outputs = run(on_arm, name, models, tmp_path, kernels="neon", under=[EMULATOR, "-L", f"/usr/{TRIPLE}"])
    for (path, frames), got in zip(models.items(), outputs, strict=True):
        model = loader.open(path)
        expected = loader.run(model, frames).ravel()
        loader.unload(model)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * np.abs(expected).max(), err_msg=path.stem)
