"""The plugin core at full speed under reloads, with sanitizers: see native/plugin_stress.cpp.

    python -m tests.reference_models.plugin_stress [FRAMES] [RELOAD_MS] [SEED]

Prints the counts of three builds: without sanitizers, with ThreadSanitizer, with AddressSanitizer and UBSan.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rtconform.reference_models import loaders
from rtconform.reference_models.specs import FIXTURES, load_specs

from . import plugin_builds

SANITIZERS = {
    "plain": ("-O2",),
    "thread": ("-O1", "-g", "-fsanitize=thread"),
    "address": ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
}


def build(kind: str) -> Path:
    """The program with the sanitizers of SANITIZERS."""
    return plugin_builds.compiled("plugin_stress.cpp", *SANITIZERS[kind], more=plugin_builds.CORE_SOURCES)


def variants(folder: Path) -> Path:
    """Two sets of the five models: those that are stored, and the same with the last bias moved."""
    for variant in ("stored", "moved"):
        (folder / variant).mkdir(parents=True)
        for model in load_specs().models.values():
            source = FIXTURES / "models" / model.file
            if variant == "stored":
                shutil.copy(source, folder / variant)
                continue
            document = json.loads(source.read_bytes())
            bias = document["layers"][-1]["weights"][1]
            document["layers"][-1]["weights"][1] = [0.5 - value for value in bias]
            (folder / variant / model.file).write_text(json.dumps(document))
    return folder


def run(program: Path, sets: Path, work: Path, *, frames: int, reload_ms: int, seed: int) -> dict[str, int]:
    """The counts; raises CalledProcessError if one is wrong or a sanitizer has something to say (on stderr)."""
    loader = (str(loaders.library("checked")), "rtneural-checked")
    # Without address randomisation: ThreadSanitizer's runtime knows only some of the places where a kernel puts things.
    command = ["setarch", "-R", str(program), *loader, str(sets), str(work), str(frames), str(reload_ms), str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    frames, reload_ms, seed = (int(given) for given in (sys.argv[1:] + ["100000", "100", "1"][len(sys.argv) - 1 :]))
    for kind in SANITIZERS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            program, sets = build(kind), variants(folder / "variants")
            started = time.monotonic()
            counts = run(program, sets, folder / "work", frames=frames, reload_ms=reload_ms, seed=seed)
            print(f"{kind}: {json.dumps(counts)}, {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
