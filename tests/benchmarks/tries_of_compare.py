"""How often `rtconform compare` accuses an equal build, and how often it finds one whose largest layer is slower.

    python tests/benchmarks/tries_of_compare.py [--tries 30] [--repeated 0.4] [--out build/tries-of-compare]

The base is RTNeural's Eigen loader. The equal build is the same library in another file. The slower one is built from
the same sources but for one line: MelodyTransformer's LSTM, 256 to 256, multiplies a part of its matrix twice. By how
much that slows the layer is measured first and printed; `--repeated` is the part that makes it a tenth. It depends on
the caches, and is of those columns that were read last, which leaves the caches as they were. Tries of both kinds
alternate, so that both meet the same machine. 60 tries take less than half an hour.

Exit code 0: no equal build was accused, and at most one of 15 slower ones was missed. Needs RTNeural's loaders.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from rtconform.harness import five_models
from rtconform.harness.rtneural_json import Model, dumps, read
from rtconform.reference_models import loaders
from rtconform.reference_models.rtneural_source import find_rtneural

LAYER = Path("RTNeural", "lstm", "lstm_eigen.h")
PRODUCT = "        fioctVecs.noalias() = combinedWeights * extendedInVecHt1;\n"
MEMBER = "    Eigen::Matrix<T, Eigen::Dynamic, 1> fioctVecs;\n"
VERDICTS = {0: "not slower", 1: "slower", 75: "can't tell"}
ALLOWED_MISSES = 1 / 15


def slower_sources(folder: Path, repeated: float) -> Path:
    """RTNeural with one line more in its LSTM layer, which works for 256 inputs and outputs only."""
    source = find_rtneural()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source / "RTNeural", folder / "RTNeural")
    (folder / "modules").symlink_to(source / "modules")
    again = f"""        if(Layer<T>::in_size == 256 && Layer<T>::out_size == 256)
        {{
            const auto columns = static_cast<Eigen::Index>({repeated} * combinedWeights.cols() + 0.5);
            again.noalias() = combinedWeights.rightCols(columns) * extendedInVecHt1.tail(columns);
            __asm__ volatile("" : : "r"(again.data()) : "memory");
        }}
"""
    text = (folder / LAYER).read_text(encoding="utf-8")
    for line, more in ((PRODUCT, again), (MEMBER, MEMBER.replace("fioctVecs", "again"))):
        if line not in text:
            sys.exit(f"expected the line {line.strip()!r} in {source / LAYER}, found none: this is another RTNeural")
        text = text.replace(line, line + more, 1)  # the dynamic layer, which comes first in the file
    (folder / LAYER).write_text(text, encoding="utf-8")
    return folder


def builds(out: Path, repeated: float) -> tuple[Path, Path, Path]:
    """The libraries of the base, of the equal and of the slower build."""
    base = loaders.library("eigen")
    equal = out / "equal" / base.name
    equal.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(base, equal)
    os.environ["RTNEURAL_DIR"] = str(slower_sources(out / "slower", repeated))
    slower = loaders.library("eigen")
    del os.environ["RTNEURAL_DIR"]
    return base, equal, slower


def compared(base: Path, candidate: Path, out: Path, *options: str) -> tuple[int, str, float]:
    """Exit code, last line about the verdict, and seconds of one comparison."""
    command = [sys.executable, "-m", "rtconform", "compare", f"abi:{base}", f"abi:{candidate}", "--out", str(out)]
    started = time.monotonic()
    done = subprocess.run([*command, "--no-instructions", *options], stdout=subprocess.PIPE, text=True, check=False)
    said = [line for line in done.stdout.splitlines() if line.startswith(("REGRESSION", "NO REG", "CAN'T"))]
    return done.returncode, said[-1] if said else "no verdict", time.monotonic() - started


def layer_in_a_step(folder: Path) -> Path:
    """Models to compare: MelodyTransformer's LSTM and nothing else, and one that takes its place in the caches."""
    whole, other = (
        five_models.FOLDER / five_models.specs()[name]["file"] for name in ("MelodyTransformer", "EmotionRecognizer")
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "layer.json").write_text(dumps(Model(256, (read(whole).layers[1],))), encoding="utf-8")
    shutil.copy(other, folder)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description="Try `rtconform compare` on builds of which the truth is known.")
    parser.add_argument("--tries", type=int, default=30)
    parser.add_argument("--repeated", type=float, default=0.4, help="part of the layer's product that is done twice")
    parser.add_argument("--out", type=Path, default=Path("build/tries-of-compare"))
    arguments = parser.parse_args()
    base, equal, slower = builds(arguments.out, arguments.repeated)
    layer = ["--models", str(layer_in_a_step(arguments.out / "models")), "--floor-percent", "0.5"]
    print(f"the layer, as in a step: {compared(base, slower, arguments.out / 'layer', *layer)[1]}", flush=True)
    counts: dict[str, Counter[str]] = {"equal": Counter(), "slower": Counter()}
    for number in range(arguments.tries):
        for kind, candidate in (("equal", equal), ("slower", slower)):
            folder = arguments.out / f"{kind}-{number}"
            code, said, seconds = compared(base, candidate, folder, "--seed", str(number))
            counts[kind][VERDICTS.get(code, f"exit code {code}")] += 1
            print(f"{kind} {number + 1}: {seconds:.0f} s, {said}", flush=True)
    for kind, found in counts.items():
        print(f"{kind}: " + ", ".join(f"{count} of {arguments.tries} {word}" for word, count in found.most_common()))
    missed = arguments.tries - counts["slower"]["slower"]
    return int(counts["equal"]["slower"] > 0 or missed > arguments.tries * ALLOWED_MISSES)


if __name__ == "__main__":
    sys.exit(main())
