"""C++ around the plugin core, compiled for tests: programs with sanitizers, and loaders that do as they are told."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from rtconform.reference_models.loaders import LOADER_HEADER, NATIVE, Toolchain
from rtconform.reference_models.specs import FIXTURES

from .kept_builds import HERE, kept

CORE = NATIVE / "plugin_core"
FORMAT_SOURCES = tuple(sorted(NATIVE.glob("format/*.cpp")))
CORE_SOURCES = FORMAT_SOURCES + tuple(
    CORE / "src" / f"{name}.cpp"
    for name in (
        *("async_inference", "loader_library", "model_file", "multi_model_processor", "processor", "sha256"),
        "model_reloader",
    )
)
"""Of the core, what reads and plays models; not the audio front end and the bridge, which need libraries."""


def specs_header(folder: Path) -> Path:
    """The include folder of specs.h, generated into `folder` by the function that the build uses."""
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.21)\nproject(specs NONE)\n"
        f'include("{CORE / "specs.cmake"}")\n'
        f'generate_specs("{FIXTURES / "models" / "specs.json"}" "${{CMAKE_BINARY_DIR}}/rtconform_plugin/specs.h")\n'
    )
    subprocess.run(["cmake", "-S", str(folder), "-B", str(folder / "include")], check=True, capture_output=True)
    return folder / "include"


def compiled(source: str, *flags: str, more: Sequence[Path] = ()) -> Path:
    """A program or, with -shared, a library of one source in native/ and more; raises CalledProcessError."""
    name = Path(source).stem

    def make(folder: Path) -> None:
        include = (specs_header(folder), CORE / "include", LOADER_HEADER.parents[1], NATIVE / "format")
        command = [*Toolchain.of_this_machine().compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", *flags]
        command += [f"-I{path}" for path in include] + [str(path) for path in (HERE / source, *more)]
        subprocess.run([*command, "-o", str(folder / name), "-pthread", "-ldl"], check=True)

    return kept(name, make, *flags, *(path.name for path in more)) / name
