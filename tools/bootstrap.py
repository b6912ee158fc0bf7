"""What `make` runs its targets with: puts a private tox into .tox/bootstrap and calls it. Standard library only."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import debian
import stamps
import steps
from places import LOGS, REQUIREMENTS, ROOT, TOX, unpacked_packages

VENV = TOX / "bootstrap"
OLDEST_PYTHON = (3, 10)


def main() -> int:
    environment, *arguments = sys.argv[1:]
    try:
        tox = private_tox()
    except (steps.Missing, steps.Failed) as error:
        return steps.fail(error)
    command = [tox, "-c", ROOT / "tox.ini", "-e", environment, *(["--", *arguments] if arguments else [])]
    return subprocess.run(command, check=False).returncode


def private_tox() -> Path:
    """The path of our own tox, installed if it is not there yet or requirements/bootstrap.txt changed.

    An environment that is set up already, and named by RTCONFORM_PYTHON, has one too.
    Raises steps.Missing where Python is too old, can't make virtual environments, or there is no network.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise steps.Missing(
            f"Expected Python {'.'.join(map(str, OLDEST_PYTHON))} or newer, found {sys.version.split()[0]} at "
            f"{sys.executable}; name another with: make PYTHON=..."
        )
    chosen = os.environ.get("RTCONFORM_PYTHON")
    if chosen and (tox := Path(chosen).with_name("tox")).exists():
        return tox
    done = stamps.Stamps(VENV / "stamps.json")
    digest = stamps.digest_of(ROOT, ["requirements/bootstrap.txt"], sys.version, sys.executable, str(ROOT))
    tox = VENV / "bin" / "tox"
    if done.holds("tox", digest) and tox.exists():
        return tox
    work = steps.Steps(1)
    with work.step("tox, into .tox/bootstrap"):
        done.drop("tox")
        pip = new_venv()
        install = [*pip, "install", "-r", REQUIREMENTS / "bootstrap.txt"]
        steps.run(install, LOGS / "bootstrap-pip.log", name="pip install", env={"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
        done.write("tox", digest)
    return tox


def new_venv() -> list:
    """Makes the virtual environment; returns the command of a pip that installs into it.

    Debian ships Python without `ensurepip`, and so without a pip for new environments, unless asked.
    Raises steps.Missing if that can't be helped.
    """
    make = [sys.executable, "-m", "venv", "--clear", VENV]
    log = LOGS / "bootstrap-venv.log"
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if has_ensurepip() or (debian.install([package], LOGS / "bootstrap-apt.log") and has_ensurepip()):
        steps.run(make, log, name="python -m venv")
        return [VENV / "bin" / "python", "-m", "pip"]
    if debian.unpack("python3-pip-whl", unpacked_packages()):
        for wheel in (unpacked_packages() / "usr" / "share" / "python-wheels").glob("pip-*.whl"):
            steps.run([*make, "--without-pip"], log, name="python -m venv")
            return [sys.executable, wheel / "pip", "--python", VENV / "bin" / "python"]
    raise steps.Missing(
        f"Expected a Python that can make virtual environments, found {sys.executable} without ensurepip; "
        f"{debian.line_to_run(package)}."
    )


def has_ensurepip() -> bool:
    importlib.invalidate_caches()
    return importlib.util.find_spec("ensurepip") is not None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        os._exit(130)
