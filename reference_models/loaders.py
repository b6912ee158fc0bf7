"""The loaders on RTNeural, built on the user's machine when the cache has none that fits.

Each function returns the connection string of one loader: `abi:<path of the library>#<name>`. A library is reused as
long as compiler, flags, CPU choice and every source file are the same; RTCONFORM_MARCH sets the CPU (x86-64-v3 unless
given, "native", "x86-64", …), CXX and CXXFLAGS are heeded.

rtneural-stl, -eigen and -xsimd are RTNeural as it is, parser included; rtneural-checked is its Eigen backend behind the
strict reader in native/format.

    python -m rtconform.reference_models.loaders     builds them all at once, and prints them
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .cache import cache_folder, install_folder, locked, say, work_folder
from .errors import NotAvailable
from .rtneural_source import find_rtneural, source_hash, source_version

NATIVE = Path(__file__).resolve().parent / "native"
LOADER_HEADER = NATIVE.parents[1] / "harness" / "native" / "include" / "rtconform" / "loader.h"
_FOLDER = NATIVE / "loaders" / "rtneural"
_COMMON_SOURCES = (
    NATIVE / "CMakeLists.txt",
    NATIVE / "loaders" / "refuse.h",
    _FOLDER / "CMakeLists.txt",
    _FOLDER / "exports.map",
    _FOLDER / "refusal.h",
    _FOLDER / "rtneural_loader.cpp",
    LOADER_HEADER,
)
_PARSED = (_FOLDER / "parsed_network.h",)
_CHECKED = (
    _FOLDER / "checked_network.h",
    *sorted((NATIVE / "format").glob("*.h")),
    *sorted((NATIVE / "format").glob("*.cpp")),
    NATIVE / "format" / "sources.cmake",
)
_SOURCES = {"stl": _PARSED, "eigen": _PARSED, "xsimd": _PARSED, "checked": _CHECKED}
"""What each loader is made of besides: a change to the strict reader makes no other RTNeural of the three."""
_ARCHITECTURE_LEVEL_3 = frozenset({"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"})
LOADERS = tuple(_SOURCES)


def rtneural_stl() -> str:
    """RTNeural's plain C++ backend; raises NotAvailable with one sentence if it can't be had here."""
    return _connection("stl")


def rtneural_eigen() -> str:
    """RTNeural's Eigen backend; raises NotAvailable with one sentence if it can't be had here."""
    return _connection("eigen")


def rtneural_xsimd() -> str:
    """RTNeural's xsimd backend; raises NotAvailable with one sentence if it can't be had here."""
    return _connection("xsimd")


def rtneural_checked() -> str:
    """RTNeural's Eigen backend behind the strict reader; raises NotAvailable with one sentence if it can't be had."""
    return _connection("checked")


def _connection(loader: str) -> str:
    try:
        return f"abi:{library(loader)}#rtneural-{loader}"
    except OSError as error:
        raise NotAvailable(
            f"rtneural-{loader} can't be built in {cache_folder()}: {error}. Set RTCONFORM_CACHE to a folder with room"
        ) from error


def library(loader: str) -> Path:
    """The shared library of one of LOADERS, built if the cache has none that fits.

    Raises NotAvailable if something needed is missing, OSError if files can't be read or written.
    """
    toolchain = Toolchain.of_this_machine()
    rtneural = find_rtneural()
    sources = _hash_of_sources(rtneural, loader)
    version = source_version(rtneural)
    identity = json.dumps([loader, version, sources, *toolchain.identity()])
    key = f"rtneural-{loader}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    folder = cache_folder() / "loaders"
    target = folder / key / f"librtneural_{loader}.so"
    if not target.is_file():
        with locked(folder, key, doing=f"building rtneural-{loader}"):
            if not target.is_file():
                _build(loader, rtneural, toolchain, {"VERSION": version, "HASH": sources}, target)
    return target


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """The compiler and its settings: whatever changes here gives another library."""

    compiler: tuple[str, ...]
    compiler_version: str
    march: str
    flags: str
    cpu: str  # of this machine, where march leaves the choice to the compiler

    @classmethod
    def of_this_machine(cls) -> Toolchain:
        """Raises NotAvailable if there is no compiler, or if this CPU can't run what would be built."""
        compiler = _compiler()
        try:
            answer = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotAvailable(
                f"building the RTNeural loaders needs a C++ compiler, but {shlex.join(compiler)} gives: {error}"
            ) from error
        march = os.environ.get("RTCONFORM_MARCH") or _default_march()
        features = _cpu_features()
        if march == "x86-64-v3" and features and not features >= _ARCHITECTURE_LEVEL_3:
            lacking = ", ".join(sorted(_ARCHITECTURE_LEVEL_3 - features))
            raise NotAvailable(
                f"the RTNeural loaders are built for x86-64-v3, but this CPU lacks {lacking}: "
                "set RTCONFORM_MARCH=x86-64"
            )
        flags = " ".join(filter(None, (os.environ.get("CXXFLAGS"), os.environ.get("LDFLAGS"))))
        return cls(
            compiler=compiler,
            compiler_version=answer.splitlines()[0] if answer else "",
            march=march,
            flags=flags,
            cpu=" ".join(sorted(features)) if march == "native" else "",
        )

    def identity(self) -> list[str]:
        """Texts that differ where the toolchain does."""
        return [*self.compiler, self.compiler_version, self.march, self.flags, self.cpu]


def _compiler() -> tuple[str, ...]:
    if chosen := os.environ.get("CXX"):
        return tuple(shlex.split(chosen))
    for name in ("c++", "g++", "clang++"):
        if path := shutil.which(name):
            return (path,)
    raise NotAvailable(
        "building the RTNeural loaders needs a C++17 compiler, and none of c++, g++ and clang++ is on PATH: "
        "install one (Debian: apt-get install g++), or set CXX"
    )


def _default_march() -> str:
    return "x86-64-v3" if platform.machine().lower() in {"x86_64", "amd64"} else "native"


def _cpu_features() -> frozenset[str]:
    """What the first CPU can do by Linux's names; empty where Linux doesn't say."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith("flags"):
                    return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()


def _hash_of_sources(rtneural: Path, loader: str) -> str:
    digest = hashlib.sha256(source_hash(rtneural).encode())
    for path in (*_COMMON_SOURCES, *_SOURCES[loader]):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _tool(name: str) -> str | None:
    """A program on PATH, or beside this Python, where pip puts cmake and ninja."""
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def _build(loader: str, rtneural: Path, toolchain: Toolchain, source: dict[str, str], target: Path) -> None:
    """Builds one library and puts its folder in place; the caller holds the lock. The log stays in the cache."""
    cmake = _tool("cmake")
    if cmake is None:
        raise NotAvailable(
            "building the RTNeural loaders needs CMake, and there is no cmake on PATH: "
            "install it (Debian: apt-get install cmake; or pip install cmake)"
        )
    ninja, make = _tool("ninja"), shutil.which("make")
    if ninja is None and make is None:
        raise NotAvailable("building the RTNeural loaders needs ninja or make, and neither is on PATH: install one")
    name = f"rtneural-{loader}"
    log = target.parents[1] / f"{target.parent.name}.log"
    started = time.monotonic()
    with work_folder(target.parents[1], name) as work, log.open("w") as output:
        configure = [
            *(cmake, "-S", str(NATIVE), "-B", str(work / "build")),
            *("-G", "Ninja" if ninja else "Unix Makefiles"),
            *((f"-DCMAKE_MAKE_PROGRAM={ninja}",) if ninja else ()),
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DRTCONFORM_LOADER_INCLUDE_DIR={LOADER_HEADER.parents[1]}",
            f"-DRTCONFORM_RTNEURAL_DIR={rtneural}",
            f"-DRTCONFORM_MARCH={toolchain.march}",
            f"-DRTCONFORM_RTNEURAL_VERSION={source['VERSION']}",
            f"-DRTCONFORM_SOURCE_HASH={source['HASH']}",
        ]
        say(f"building {name} for {toolchain.march} with {toolchain.compiler_version} (once)")
        for command in (configure, [cmake, "--build", str(work / "build"), "--target", f"rtneural_{loader}"]):
            print(shlex.join(command), file=output, flush=True)
            environment = {**os.environ, "CXX": shlex.join(toolchain.compiler)}
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
            _wait(process, name, started)
            if process.returncode:
                raise NotAvailable(f"building {name} failed: {_first_error(log)} (all of it in {log})")
        finished = work / "finished"
        finished.mkdir()
        shutil.copy2(work / "build" / "loaders" / "rtneural" / target.name, finished)
        install_folder(finished, target.parent)
    say(f"{name} is built, {time.monotonic() - started:.0f} s")


def _wait(process: subprocess.Popen[bytes], name: str, started: float) -> None:
    try:
        while process.poll() is None:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                say(f"building {name}: {time.monotonic() - started:.0f} s")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _first_error(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return next((line.strip() for line in lines if "error" in line.lower()), "no error line was printed")


if __name__ == "__main__":
    try:
        find_rtneural()  # before the threads, of which each would wait for it and say so
        with ThreadPoolExecutor(len(LOADERS)) as pool:
            for connection in pool.map(_connection, LOADERS):
                print(connection)
    except NotAvailable as error:
        sys.exit(f"rtconform: {error}")
