"""An environment with the judge alone, as `pip install rtconform` gives it: what action.yml begins with.

    python tools/install_judge.py FOLDER [PACKAGE]

PACKAGE is what pip installs: this checkout unless given, a wheel, or a requirement. Standard library only.
Exit codes: 0 ready, 1 something failed, 3 something needed is missing.
"""

import sys
from pathlib import Path

import needs
import steps
from places import REQUIREMENTS, ROOT, unpacked_packages


def main() -> int:
    folder, package = Path(sys.argv[1]), (sys.argv[2:] or [""])[0] or str(ROOT)
    try:
        install(folder, package)
    except (steps.Missing, steps.Failed) as error:
        return steps.fail(error)
    return 0


def install(folder: Path, package: str) -> None:
    """A new environment with the package, and what it needs in the versions that it is tested with.

    Raises steps.Missing or steps.Failed.
    """
    logs, work, build = folder / "logs", steps.Steps(2), {}
    with work.step("Compiler, CMake and headers"):
        if package == str(ROOT):
            work.outcome(", ".join(needs.get(unpacked_packages(), logs / "apt.log")))
            build = needs.build_environment(unpacked_packages())
        else:
            work.outcome("not needed")
    with work.step(f"The judge, into {folder}"):
        # Without pip: the pip of the Python that runs this script installs into it.
        make = [sys.executable, "-m", "venv", "--without-pip", folder]
        steps.run([str(word) for word in make], logs / "venv.log", name="python -m venv")
        pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--progress-bar", "off"]
        command = [*pip, "--constraint", REQUIREMENTS / "core.txt", package]
        steps.run([str(word) for word in command], logs / "pip.log", name="pip install", env=build)


if __name__ == "__main__":
    sys.exit(main())
