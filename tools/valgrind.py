"""valgrind, with which `rtconform compare` counts instructions: fetched where that can be, done without elsewhere."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import debian
import steps

PACKAGE = "valgrind"


def fetch(programs: Path, unpacked: Path, log: Path) -> None:
    """Sees to it that there is a valgrind on PATH or in the folder `programs`; does nothing if that can't be done.

    Who may not install packages gets it unpacked, and a script in `programs` that calls it there.
    """
    if _find(programs):
        return
    try:
        if debian.install([PACKAGE], log):
            return
    except (steps.Missing, steps.Failed):
        return
    program, library = unpacked / "usr" / "bin" / "valgrind.bin", unpacked / "usr" / "libexec" / "valgrind"
    if program.is_file() or debian.unpack(PACKAGE, unpacked):
        script = programs / "valgrind"
        call = shlex.join([f"VALGRIND_LIB={library}", str(program)])
        script.write_text(f'#!/bin/sh\nexec env {call} "$@"\n', encoding="utf-8")
        script.chmod(0o755)


def is_found(programs: Path) -> bool:
    return _find(programs) is not None


def found(programs: Path) -> str:
    """What there is, in words."""
    program = _find(programs)
    if program is None:
        return f"NOT AVAILABLE; to have instructions counted, {debian.line_to_run(PACKAGE)}"
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()


def _find(programs: Path) -> "str | None":
    return shutil.which("valgrind", path=os.pathsep.join([os.environ.get("PATH", os.defpath), str(programs)]))
