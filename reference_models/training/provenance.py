"""What a result was made from, besides its config and data: the versions, the machine, the state of the repository."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ... import __version__

_PACKAGES = ("numpy", "librosa", "scipy", "soundfile", "mido", "safetensors")
_GIT_SECONDS = 10.0


def versions() -> dict[str, str]:
    """Versions of Python, rtconform, torch and the libraries that data passes through."""
    found = {"python": platform.python_version(), "rtconform": __version__, "torch": str(torch.__version__)}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """The system and processor, without the machine's name."""
    return {"system": platform.system(), "release": platform.release(), "processor": platform.machine()}


def git(code: Path) -> dict[str, object] | None:
    """The commit of the repository that a file of code belongs to, and whether files there differ from it.

    None outside a repository, and where the file only lies within one, as what is installed into a folder of it does.
    """

    def ask(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(code.parent), *arguments],
                capture_output=True,
                text=True,
                timeout=_GIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    if not commit or ask("ls-files", "--error-unmatch", code.name) is None:
        return None
    changes = ask("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "changed": None if changes is None else bool(changes)}
