"""What each of tox's environments runs first: one environment, with rtconform and RTNeural built in it.

    python tools/set_up.py            does what is not done yet
    python tools/set_up.py --check    says whether compiler, CMake and headers are here, and changes nothing

Standard library only. The environment is .tox/rtconform; downloads and built loaders are in the cache folder
(docs/SETUP.md). Exit codes: 0 ready, 1 something failed, 3 something needed is missing.
"""

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import needs
import stamps
import steps
import valgrind
from places import LOGS, REQUIREMENTS, ROOT, TOX, core_wheels, unpacked_packages

VENV = TOX / "rtconform"
PYTHON = VENV / "bin" / "python"
# What the build of rtconform's native half reads. Python files are not here: the install is editable.
BUILD_INPUTS = (
    "pyproject.toml",
    "CMakeLists.txt",
    "harness/native/**/*",
    "harness/faulty/native/**/*",
    "reference_models/native/**/*",
    "fixtures/models/specs.json",
)
REQUIREMENT_FILES = ["bootstrap.txt", "core.txt", "environment.txt", "readers.txt"]
PIP = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Set up the environment of the conformance run and of the tests.")
    parser.add_argument("--check", action="store_true", help="only look for compiler, CMake and headers")
    arguments = parser.parse_args()
    unpacked = unpacked_packages()
    os.environ |= through_ccache(ROOT) | os.environ
    try:
        if arguments.check:
            found, missing = needs.look(needs.needs(), unpacked)
            steps.say(", ".join(found) or "nothing")
            if missing:
                raise steps.Missing(needs.sentences(missing))
        elif chosen := os.environ.get("RTCONFORM_PYTHON"):
            steps.say(f"Nothing is set up: RTCONFORM_PYTHON says that {chosen} has all that is needed")
        else:
            with alone():
                set_up(unpacked)
    except (steps.Missing, steps.Failed) as error:
        return steps.fail(error)
    return 0


def through_ccache(root: Path) -> dict[str, str]:
    """What has CMake call compilers through ccache, where it is installed, and another checkout take what one built."""
    if not shutil.which("ccache"):
        return {}
    launchers = {f"CMAKE_{language}_COMPILER_LAUNCHER": "ccache" for language in ("C", "CXX")}
    return {**launchers, "CCACHE_BASEDIR": str(root), "CCACHE_NOHASHDIR": "1"}


def set_up(unpacked: Path) -> None:
    """All steps, each of which does nothing if it was done from the same files before."""
    done = stamps.Stamps(VENV / "stamps.json")
    work = steps.Steps(6)
    with work.step("Compiler, CMake and headers"):
        found = needs.get(unpacked, LOGS / "apt.log")
        work.outcome(", ".join(found))
    packages = stamps.digest_of(REQUIREMENTS, REQUIREMENT_FILES, sys.version, platform.platform(), str(ROOT))
    with work.step("Python packages, into .tox/rtconform"):
        if not done.holds("packages", packages):
            done.drop("packages", "rtconform")
            install_packages()
            done.write("packages", packages)
        else:
            work.outcome("unchanged")
    with work.step("Wheels for the test of the installed package, into the cache"):
        work.outcome(download_wheels())
    built = stamps.digest_of(ROOT, BUILD_INPUTS, packages, found[0], os.environ.get("CXXFLAGS", ""))
    with work.step("rtconform with its native half, into .tox/rtconform"):
        if not done.holds("rtconform", built):
            done.drop("rtconform")
            install_rtconform(unpacked)
            done.write("rtconform", built)
        else:
            work.outcome("unchanged")
    with work.step("valgrind, which counts instructions, if it can be had"):
        if not done.holds("valgrind", packages):
            valgrind.fetch(PYTHON.parent, unpacked, LOGS / "valgrind.log")
            if valgrind.is_found(PYTHON.parent):
                done.write("valgrind", packages)
        work.outcome(valgrind.found(PYTHON.parent))
    with work.step("RTNeural and the three loaders on it, into the cache"):
        work.outcome(build_loaders(unpacked))


def install_packages() -> None:
    """A new environment with all that requirements/environment.txt and readers.txt pin."""
    if importlib.util.find_spec("pip") is None:
        raise steps.Missing(f"Expected pip beside {sys.executable}, found none; run this script through tox.")
    # Without pip: the pip that runs this script installs into it, so a Debian without ensurepip does.
    steps.run(
        [sys.executable, "-m", "venv", "--clear", "--without-pip", VENV], LOGS / "venv.log", name="python -m venv"
    )
    # Compiling all of torch to bytecode would take a minute; what is imported gets compiled then.
    pip_into_environment("install", "--no-compile", "-r", REQUIREMENTS / "environment.txt", log="packages.log")
    pip_into_environment("install", "--no-deps", "-r", REQUIREMENTS / "readers.txt", log="readers.log")


def download_wheels() -> str:
    """The wheels of requirements/core.txt, from which a test installs the package; nothing else waits for them."""
    folder = core_wheels()
    if folder.is_dir():
        return "unchanged"
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        pip_into_environment("download", "--dest", fresh, "-r", REQUIREMENTS / "core.txt", log="wheels.log")
    except steps.Missing as error:
        shutil.rmtree(fresh, ignore_errors=True)
        return f"NOT AVAILABLE: {error} Only that test needs them"
    fresh.rename(folder)
    return f"{sum(1 for _ in folder.iterdir())} wheels"


def install_rtconform(unpacked: Path) -> None:
    """The checkout itself, editable; its build tools are those of the environment."""
    options = ["--verbose", "--no-build-isolation", "--no-deps", "--editable", ROOT]
    include = needs.python_include(unpacked)
    if include is not None and unpacked in include.parents:
        options += ["-C", f"cmake.define.Python_INCLUDE_DIR={include}"]
    pip_into_environment("install", *options, log="rtconform.log", env=needs.build_environment(unpacked))
    for path in VENV.glob("lib/python*/site-packages/_editable_skbc_rtconform.pth"):
        keep_finder_only(path)


def keep_finder_only(path: Path) -> None:
    """Drops the folders that scikit-build-core puts on sys.path for an editable install.

    They are the checkout and its parent, where `harness` and `tests` would be found under a second name; the finder,
    which the file imports first, does without them.
    """
    finder = path.read_text(encoding="utf-8").splitlines()[0]
    path.write_text(f"{finder}\n", encoding="utf-8")


def pip_into_environment(action: str, *arguments: object, log: str, env: "dict | None" = None) -> None:
    """Runs a pip action for the environment; pip's own configuration holds as it is."""
    command = [sys.executable, "-m", "pip", "--python", PYTHON, action, "--progress-bar", "off", *arguments]
    path = os.pathsep.join((str(VENV / "bin"), os.environ.get("PATH", os.defpath)))
    steps.run(
        [str(word) for word in command], LOGS / log, name=f"pip {action}", env={**PIP, **(env or {}), "PATH": path}
    )


def build_loaders(unpacked: Path) -> str:
    """Fetches RTNeural and builds its loaders. Where that can't be had, the suite goes on without them."""
    command = [PYTHON, "-m", "rtconform.reference_models.loaders"]
    environment = {**os.environ, **needs.build_environment(unpacked)}
    child = subprocess.run(command, cwd=TOX, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if child.returncode != 0:
        return "NOT AVAILABLE, for the reason above; the rows of rtneural-stl, -eigen and -xsimd will say so"
    return f"{len(child.stdout.split())} loaders are ready"


@contextmanager
def alone() -> Iterator[None]:
    """Holds the set-up of this checkout against another one that runs at the same time."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    TOX.mkdir(exist_ok=True)
    with (TOX / "set-up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            steps.say("Another set-up of this checkout is at work: waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        os._exit(130)
