"""Debian packages: installed as root, unpacked into the cache otherwise, else the one line to run. Never sudo."""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import steps


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def line_to_run(*packages: str) -> str:
    return f"as root run: apt-get install --no-install-recommends {' '.join(packages)}"


def install(packages: "list[str]", log: Path) -> bool:
    """Installs `packages` if we are root and have apt-get; returns whether that was done.

    Raises steps.Missing or steps.Failed if apt-get can't.
    """
    apt = shutil.which("apt-get")
    if not is_root() or apt is None:
        return False
    command = [apt, "install", "--yes", "--no-install-recommends", *packages]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        steps.run(command, log, name="apt-get install", env=quiet)
    except (steps.Failed, steps.Missing):
        # A fresh machine has no package lists, and an old one has lists that name versions long gone. Some source
        # that can't be reached fails the update, and is no reason not to try.
        steps.run(["sh", "-c", f"{apt} update; exec {shlex.join(command)}"], log, name="apt-get install", env=quiet)
    return True


def unpack(package: str, root: Path) -> bool:
    """Downloads `package` and unpacks it below `root`, which needs no rights; returns whether that worked."""
    apt, unpacker = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or unpacker is None:
        return False
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        archive = _download(apt, package, Path(folder))
        if archive is None:
            return False
        return subprocess.run([unpacker, "-x", archive, root], capture_output=True, check=False).returncode == 0


def _download(apt: str, package: str, folder: Path) -> "Path | None":
    # The system's own lists first; if they are empty or old, private ones, which need no rights either.
    private = ["-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
    for setting in ("lists/partial", "cache/archives/partial"):
        (folder / setting).mkdir(parents=True)
    for command in ([apt, "download", package], [apt, *private, "update"], [apt, *private, "download", package]):
        subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if archive := next(folder.glob("*.deb"), None):
            return archive
    return None
