"""The compact loaders built for tests, with flags of their own, and a program that runs models through them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from rtconform.harness.paths import FIXTURES
from rtconform.reference_models.compact_loaders import NAMES, library
from rtconform.reference_models.loaders import LOADER_HEADER, NATIVE

from .c_loader import open_table
from .kept_builds import HERE, kept

KERNELS = "RTCONFORM_COMPACT_KERNELS"

PROJECT = f"""
cmake_minimum_required(VERSION 3.21)
project(compact LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(RTCONFORM_REFERENCE_MODELS_DESTINATION .)
add_compile_options(-Wall -Wextra -Werror)
add_subdirectory("{NATIVE / "loaders" / "compact"}" compact)
add_executable(run_loader "{HERE / "run_loader.cpp"}")
target_include_directories(run_loader PRIVATE "{LOADER_HEADER.parents[1]}")
target_link_libraries(run_loader PRIVATE ${{CMAKE_DL_LIBS}})
"""


def built(name: str, flags: str, *settings: str) -> Path:
    """The folder of library and program, built with these flags and CMAKE_ settings."""
    options = [f"-DCMAKE_{setting}" for setting in ("BUILD_TYPE=Release", f"CXX_FLAGS_RELEASE={flags}", *settings)]

    def make(folder: Path) -> None:
        (folder / "CMakeLists.txt").write_text(PROJECT, encoding="utf-8")
        # Flags in the environment are for the package.
        environment = {name: value for name, value in os.environ.items() if name not in ("CXXFLAGS", "LDFLAGS")}
        for command in (["-S", folder, "-B", folder / "build", *options], ["--build", folder / "build", "-j", "2"]):
            subprocess.run(["cmake", *map(str, command)], check=True, capture_output=True, env=environment)

    return kept(name, make, *options) / "build"


def run(
    build: Path, name: str, models: Mapping[Path, np.ndarray], folder: Path, *, kernels: str, under: Sequence[str] = ()
) -> list[np.ndarray | None]:
    """The outputs of each model for its frames, flat; None for one that the loader refused."""
    for number, frames in enumerate(models.values()):
        frames.tofile(folder / f"{number}.in")
    library = build / "compact" / "librtconform_compact.so"
    command = [*under, build / "run_loader", library, name, folder, *models]
    environment = os.environ | {KERNELS: kernels}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    outputs = (folder / f"{number}.out" for number in range(len(models)))
    return [np.fromfile(path, np.float32) if path.exists() else None for path in outputs]


def kernels_here() -> list[str]:
    """The instruction sets that run here, as the package's library names them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KERNELS, "none-such")
        _, message = open_table(f"abi:{library()}#{NAMES[0]}").refusal(FIXTURES / "models" / "small" / "dense-one.json")
    return message.removeprefix("expected one of ").partition(" in RTCONFORM")[0].split(", ")
