"""The command line as a user starts it: in a folder, and in no CI system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def rtconform(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a command comes to in a folder, with further variables in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CI"))}
    return subprocess.run(
        [sys.executable, "-m", "rtconform", *map(str, arguments)],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
