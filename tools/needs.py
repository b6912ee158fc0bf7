"""What must be on the machine before anything is built: a C++ compiler, CMake, three sets of headers.

Each need is looked for; what is missing comes from Debian if it can (tools/debian.py), and is a sentence if it can't.
"""

import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import debian
import steps

OLDEST_CMAKE = (3, 25)
SYSTEM_HEADERS = Path("/usr/include")
COMPILERS = {"CXX": ("c++", "g++", "clang++"), "CC": ("cc", "gcc", "clang")}


@dataclass(frozen=True)
class Need:
    """One thing that must be here, and how it is looked for.

    `find` takes the folder of unpacked -dev packages; it returns what was found in a few words, or raises Missing
    with `expected ..., found ...` and no advice. `headers` says that the package can be used without being installed.
    """

    package: str
    find: Callable[[Path], str]
    headers: bool = False


def python_headers_package() -> str:
    return f"libpython{sysconfig.get_python_version()}-dev"


def needs() -> tuple:
    """All needs, in the order in which they are looked for: headers are found by the compiler."""
    return (
        Need("g++", find_compilers),
        Need("cmake", find_cmake),
        Need("nlohmann-json3-dev", find_json_headers, headers=True),
        Need("libkissfft-dev", find_fft_headers, headers=True),
        Need(python_headers_package(), find_python_headers, headers=True),
    )


def look(wanted: "Iterable[Need]", unpacked: Path) -> "tuple[list, list]":
    """What was found, in words, and the needs that were not, each with its `expected ..., found ...`."""
    found, missing = [], []
    for need in wanted:
        try:
            found.append(need.find(unpacked))
        except steps.Missing as error:
            missing.append((need, str(error)))
    return found, missing


def get(unpacked: Path, log: Path) -> "list[str]":
    """Everything found, in words, after fetching what was missing where that can be done without asking.

    Raises Missing: a sentence for each thing that is still not here.
    """
    found, missing = look(needs(), unpacked)
    if not missing:
        return found
    if not debian.install([need.package for need, _ in missing], log):
        for need, _ in missing:
            if need.headers and debian.unpack(need.package, unpacked):
                steps.say(f"      {need.package} is unpacked in {unpacked}")
    found, missing = look(needs(), unpacked)
    if missing:
        raise steps.Missing(sentences(missing))
    return found


def sentences(missing: list) -> str:
    """One sentence for each missing thing: expected, found, what to do."""
    return "\n".join(f"{text}; {debian.line_to_run(need.package)}." for need, text in missing)


def find_compilers(unpacked: Path) -> str:
    """The C++ compiler that CMake will take, tried on a C++17 program; the C compiler beside it."""
    del unpacked
    for variable, language in (("CXX", "C++17"), ("CC", "C")):
        command = _compiler(variable)
        if command is None:
            looked_for = os.environ.get(variable) or ", ".join(COMPILERS[variable])
            raise steps.Missing(f"Expected a {language} compiler, found none by the name of {looked_for} on PATH")
    command = _compiler("CXX")
    source = "#include <optional>\nint main() { return std::optional<int>{0}.value(); }\n"
    if complaint := _compile(source):
        raise steps.Missing(f"Expected a C++17 compiler, found {shlex.join(command)}, which says: {complaint}")
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False).stdout
    return version.partition("\n")[0] or shlex.join(command)


def find_cmake(unpacked: Path) -> str:
    del unpacked
    oldest = ".".join(map(str, OLDEST_CMAKE))
    path = shutil.which("cmake")
    if path is None:
        raise steps.Missing(f"Expected CMake {oldest} or newer, found no cmake on PATH")
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\d+)\.(\d+)[.\d]*", answer)
    if version is None or tuple(map(int, version.groups())) < OLDEST_CMAKE:
        said = version.group() if version else "one that does not say its version"
        raise steps.Missing(f"Expected CMake {oldest} or newer, found {said} at {path}")
    return f"CMake {version.group().removeprefix('version ')}"


def find_json_headers(unpacked: Path) -> str:
    return _find_headers("nlohmann::json", "nlohmann/json.hpp", "nlohmann/json_fwd.hpp", unpacked)


def find_fft_headers(unpacked: Path) -> str:
    return _find_headers("KissFFT", "kissfft/kissfft.hh", "kissfft/kissfft.hh", unpacked)


def find_python_headers(unpacked: Path) -> str:
    """Python.h of the Python that runs this; Debian keeps it in a package of its own."""
    if python_include(unpacked) is None:
        folder = sysconfig.get_path("include", vars={"installed_base": sysconfig.get_config_var("installed_base")})
        raise steps.Missing(
            f"Expected the headers of Python {sysconfig.get_python_version()}, found no Python.h in {folder}"
        )
    return f"Python.h {sysconfig.get_python_version()}"


def python_include(unpacked: Path) -> "Path | None":
    """The folder with Python.h: that of this Python, else the one that was unpacked."""
    own = Path(sysconfig.get_config_var("INCLUDEPY") or sysconfig.get_path("include"))
    for folder in (own, unpacked / "usr" / "include" / f"python{sysconfig.get_python_version()}"):
        if (folder / "Python.h").is_file():
            return folder
    return None


def build_environment(unpacked: Path) -> "dict[str, str]":
    """Variables for a build that finds the unpacked headers after the system's own; empty if nothing is unpacked."""
    include = unpacked / "usr" / "include"
    if not include.is_dir():
        return {}
    search = {
        name: os.pathsep.join(filter(None, (os.environ.get(name), str(include))))
        for name in ("C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH")
    }
    return {**search, "RTCONFORM_DEV_PREFIX": str(unpacked)}


def _find_headers(library: str, header: str, quickest: str, unpacked: Path) -> str:
    """The library, if the compiler finds its header; `quickest` is compiled for it."""
    if _compiler("CXX") is None:
        # Without a compiler, where it would look: one message for what is missing, not one for each thing behind it.
        found = any((folder / header).is_file() for folder in (SYSTEM_HEADERS, unpacked / "usr" / "include"))
    else:
        found = _compile(f"#include <{quickest}>\n", unpacked) is None
    if not found:
        raise steps.Missing(f"Expected the headers of {library}, found no <{header}>")
    return library


def _compiler(variable: str) -> "list[str] | None":
    if chosen := os.environ.get(variable):
        command = shlex.split(chosen)
        return command if shutil.which(command[0]) else None
    return next(([path] for name in COMPILERS[variable] if (path := shutil.which(name))), None)


def _compile(source: str, unpacked: "Path | None" = None) -> "str | None":
    """The compiler's first complaint about `source`, or None."""
    command = _compiler("CXX")
    if command is None:
        return "there is no compiler"
    done = subprocess.run(
        [*command, "-std=c++17", "-fsyntax-only", "-x", "c++", "-"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", **(build_environment(unpacked) if unpacked else {})},
    )
    return None if done.returncode == 0 else (done.stderr.strip().partition("\n")[0] or f"status {done.returncode}")
