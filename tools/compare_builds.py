"""Whether a checkout made a loader slower: `rtconform compare` on each loader that it and its base build differently.

Those on RTNeural and the compact ones.

    python tools/compare_builds.py BASE OUT [--tries N] [--inconclusive fail|warn] [OPTION-OF-COMPARE …]

BASE is a checkout of the base, the head is this one, and OUT gets a folder per loader. The Python that runs this has
rtconform in it. Exit codes: 0 nothing is slower, 1 something is, by proof, 75 undecided, and those of the build.
"""

import argparse
import filecmp
import os
import subprocess
import sys
from pathlib import Path

import gate
from places import ROOT

from rtconform.reference_models import compact_loaders


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the loaders of two checkouts.")
    gate.add_options(parser)
    parser.add_argument("base", type=Path)
    parser.add_argument("out", type=Path)
    given, options = parser.parse_known_args()
    if not given.base.is_dir():
        parser.error(f"BASE: expected the folder of a checkout, found none at {given.base}")
    before, now = ({**built(each), **compact(each)} for each in (given.base, ROOT))
    codes = []
    for name, connection in now.items():
        if name not in before:
            say(f"`{name}` is new: there is nothing to compare it with.")
        elif is_same(before[name], connection):
            say(f"`{name}` is the same library as before, from the same sources: nothing to compare.")
        else:
            folder = given.out / name
            command = [sys.executable, "-m", "rtconform", "compare", before[name], connection]
            command += ["--out", str(folder), *options]
            tries = {"tries": given.tries, "inconclusive": given.inconclusive}
            codes.append(gate.gate(folder / "compare.md", command, **tries))
    return gate.exit_code(worst(codes), given.inconclusive)


def worst(codes: "list[int]") -> int:
    """The one that decides: what is proven comes before what is broken, and that before what is undecided."""
    return max(codes, key=lambda code: (code == 1, code not in (0, gate.INCONCLUSIVE), code), default=0)


def built(checkout: Path) -> "dict[str, str]":
    """{name: connection string} of the loaders that a checkout builds; equal sources are built once, into the cache.

    The package is found by its folder, since `rtconform` is another checkout's. Ends the program if it can't build.
    """
    command = [sys.executable, "-m", "reference_models.loaders"]
    done = subprocess.run(command, cwd=checkout, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        say(f"The loaders of `{checkout}` can't be built, so nothing was compared. The job's log says why.")
        sys.exit(done.returncode)
    return {line.rpartition("#")[2]: line for line in done.stdout.splitlines()}


def compact(checkout: Path) -> "dict[str, str]":
    """The same of the compact loaders, which come in one library; none where a checkout has no sources of them."""
    sources, folder = checkout / "reference_models" / "native" / "loaders" / "compact", checkout / "build" / "compact"
    if not sources.is_dir():
        return {}
    for command in (
        ["cmake", "-S", sources, "-B", folder],
        ["cmake", "--build", folder, "--parallel", str(os.cpu_count())],
    ):
        code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
        if code != 0:
            say(f"The compact loaders of `{checkout}` can't be built, so nothing was compared. The job's log says why.")
            sys.exit(code)
    return {name: f"abi:{folder / 'librtconform_compact.so'}#{name}" for name in compact_loaders.NAMES}


def is_same(before: str, now: str) -> bool:
    """Whether two connection strings lead to libraries of the same bytes."""
    files = [Path(each.removeprefix("abi:").rpartition("#")[0]) for each in (before, now)]
    return files[0] == files[1] or (all(map(Path.is_file, files)) and filecmp.cmp(*files, shallow=False))


def say(line: str) -> None:
    print(line, flush=True)
    gate.append("GITHUB_STEP_SUMMARY", f"{line}\n\n")


if __name__ == "__main__":
    sys.exit(main())
