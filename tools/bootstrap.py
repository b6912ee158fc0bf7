"""`make conformance` and `make test`: puts a private tox into .tox/bootstrap and calls it. Standard library only."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import debian
import stamps
import steps

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".tox" / "bootstrap"
LOGS = ROOT / ".tox" / "logs"
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

    Raises steps.Missing where Python is too old, can't make virtual environments, or there is no network.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise steps.Missing(
            f"Expected Python {'.'.join(map(str, OLDEST_PYTHON))} or newer, found {sys.version.split()[0]} at "
            f"{sys.executable}; name another with: make PYTHON=..."
        )
    done = stamps.Stamps(VENV / "stamps.json")
    digest = stamps.digest_of(ROOT, ["requirements/bootstrap.txt"], sys.version, sys.executable, str(ROOT))
    tox = VENV / "bin" / "tox"
    if done.holds("tox", digest) and tox.exists():
        return tox
    work = steps.Steps(1)
    with work.step("tox, into .tox/bootstrap"):
        done.drop("tox")
        make_venv_possible()
        steps.run([sys.executable, "-m", "venv", "--clear", VENV], LOGS / "bootstrap-venv.log")
        install = [VENV / "bin" / "python", "-m", "pip", "install", "-r", ROOT / "requirements" / "bootstrap.txt"]
        steps.run(install, LOGS / "bootstrap-pip.log", env={"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
        done.write("tox", digest)
    return tox


def make_venv_possible() -> None:
    """Debian ships Python without `ensurepip`, and so without a working `python3 -m venv`, unless asked."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    debian.install([package], LOGS / "bootstrap-apt.log")
    importlib.invalidate_caches()
    if not importlib.util.find_spec("ensurepip"):
        raise steps.Missing(
            f"Expected a Python that can make virtual environments, found {sys.executable} without ensurepip; "
            f"{debian.line_to_run(package)}"
        )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        os._exit(130)
