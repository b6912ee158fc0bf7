"""The compact loaders on 64-bit ARM, in an emulator: NEON computes what this processor's kernels compute."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.rtneural_json import read
from rtconform.harness.selection import stored_cases
from rtconform.reference_models.compact_loaders import NAMES, library
from rtconform.reference_models.loaders import LOADER_HEADER, NATIVE

from .c_loader import open_table
from .plugin_builds import HERE

pytestmark = pytest.mark.xdist_group("on-arm")  # one build serves all

TRIPLE = "aarch64-linux-gnu"
COMPILER, EMULATOR = f"{TRIPLE}-g++", "qemu-aarch64"
NEEDED = f"apt-get install --no-install-recommends g++-{TRIPLE} qemu-user"
FRAMES = 16
PROJECT = f"""
cmake_minimum_required(VERSION 3.25)
project(on_arm LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(RTCONFORM_REFERENCE_MODELS_DESTINATION .)
add_compile_options(-Wall -Wextra -Werror)
add_subdirectory("{NATIVE / "loaders" / "compact"}" compact)
add_executable(run_loader "{HERE / "run_loader.cpp"}")
target_include_directories(run_loader PRIVATE "{LOADER_HEADER.parents[1]}")
target_link_libraries(run_loader PRIVATE ${{CMAKE_DL_LIBS}})
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the library and the program, both for ARM, made as the package's are for this processor."""
    missing = [program for program in (COMPILER, EMULATOR, "cmake") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here; as root run: {NEEDED}")
    folder = tmp_path_factory.mktemp("on_arm")
    (folder / "CMakeLists.txt").write_text(PROJECT, encoding="utf-8")
    settings = ("BUILD_TYPE=Release", "CXX_FLAGS_RELEASE=-O2 -DNDEBUG", f"CXX_COMPILER={COMPILER}")
    settings += ("SYSTEM_NAME=Linux", "SYSTEM_PROCESSOR=aarch64")
    options = [f"-DCMAKE_{setting}" for setting in settings]
    # Flags in the environment are for this processor.
    environment = {name: value for name, value in os.environ.items() if name not in ("CXXFLAGS", "LDFLAGS")}
    for command in (["-S", folder, "-B", folder / "build", *options], ["--build", folder / "build"]):
        subprocess.run(["cmake", *map(str, command)], check=True, capture_output=True, env=environment)
    return folder / "build"


def emulated(built: Path, name: str, paths: list[Path], frames: list[np.ndarray], folder: Path) -> list[np.ndarray]:
    """The outputs `[T × out]` of each model on ARM, by its NEON kernels and no others."""
    for number, values in enumerate(frames):
        values.tofile(folder / f"{number}.in")
    command = [EMULATOR, "-L", f"/usr/{TRIPLE}", built / "run_loader", built / "compact" / "librtconform_compact.so"]
    environment = os.environ | {"RTCONFORM_COMPACT_KERNELS": "neon"}
    subprocess.run([*map(str, command), name, str(folder), *map(str, paths)], check=True, env=environment)
    return [np.fromfile(folder / f"{number}.out", np.float32) for number in range(len(paths))]


@pytest.mark.parametrize("name", NAMES)
def test_neon_gives_what_this_processor_gives(built, name, tmp_path):
    """The five models and one or more of each layer type; where inputs are rounded, they are rounded alike."""
    paths = [case.path for case in stored_cases("stored")]
    frames = [signals.noise(FRAMES, read(path).input_size, seed=number) for number, path in enumerate(paths)]
    loader = open_table(f"abi:{library()}#{name}")
    for path, values, got in zip(paths, frames, emulated(built, name, paths, frames, tmp_path), strict=True):
        model = loader.open(path)
        expected = loader.run(model, values).ravel()
        loader.unload(model)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * np.abs(expected).max(), err_msg=path.stem)
