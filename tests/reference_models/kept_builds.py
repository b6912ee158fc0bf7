"""What tests compile, kept in the cache by all that goes into it: sources that haven't changed are compiled once."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from pathlib import Path

from rtconform.reference_models.cache import cache_folder, install_folder, locked, work_folder
from rtconform.reference_models.loaders import LOADER_HEADER, NATIVE, Toolchain
from rtconform.reference_models.specs import FIXTURES

HERE = Path(__file__).with_name("native")
SOURCES = (
    HERE,
    NATIVE,
    LOADER_HEADER.parent,
    FIXTURES / "models" / "specs.json",
    *Path(__file__).parent.glob("*build*.py"),
)


def kept(name: str, make: Callable[[Path], None], *options: str) -> Path:
    """The folder that `make` fills, for these options, the compiler, and every source that could be part of it."""
    digest = hashlib.sha256("\0".join([*options, *Toolchain.of_this_machine().identity(), platform.machine()]).encode())
    for source in SOURCES:
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    parent = cache_folder() / "tests"
    target = parent / f"{name}-{digest.hexdigest()[:16]}"
    if not target.is_dir():
        with locked(parent, target.name, doing=f"building {name}"):
            if not target.is_dir():
                with work_folder(parent, name) as work:
                    (work / "finished").mkdir()
                    make(work / "finished")
                    install_folder(work / "finished", target)
    return target
