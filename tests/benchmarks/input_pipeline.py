"""How many hours of audio a minute of reading takes in, with an empty and with a filled cache.

    python tests/benchmarks/input_pipeline.py [MINUTES_OF_AUDIO]

The recordings are noise in stereo at 44.1 kHz, 30 s each, as WAV, FLAC and OGG in turn; the cache is a new one.
One process, as a training has it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from rtconform.reference_models.data import load_dataset
from rtconform.reference_models.data.features import log_mel
from rtconform.reference_models.data.inspection import inspect

RATE, SECONDS = 44_100, 30
SUFFIXES = ("wav", "flac", "ogg")


def make(folder: Path, minutes: float) -> float:
    """Writes the data set and returns its length in hours."""
    count = max(6, round(60 * minutes / SECONDS))
    generator = np.random.default_rng(1)
    lines = ["file,valence,arousal"]
    for index in range(count):
        name = f"{index:05}.{SUFFIXES[index % len(SUFFIXES)]}"
        soundfile.write(folder / name, 0.1 * generator.standard_normal((SECONDS * RATE, 2)), RATE)
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
        lines.append(f"{name},{generator.uniform(-1, 1):.3f},{generator.uniform(-1, 1):.3f}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return count * SECONDS / 3600


def main(arguments: list[str]) -> None:
    """Prints hours of audio per minute for a training's reading and for an account."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["RTCONFORM_CACHE"] = str(Path(scratch) / "cache")
        folder = Path(scratch) / "sounds"
        folder.mkdir()
        hours = make(folder, float(arguments[0]) if arguments else 10.0)
        config = {"kind": "audio-folder", "path": str(folder)}

        log_mel(np.zeros(RATE), RATE)  # what is imported once is no part of it
        print(f"hours of audio per minute, of {hours:.2f} h")

        def read() -> None:
            load_dataset(config, "EmotionRecognizer", seed=0, validation_fraction=0.2, sequence_length=16)

        for name, work in (("cold cache", read), ("warm cache", read), ("account, warm", lambda: inspect(folder))):
            wall, processor = time.perf_counter(), time.process_time()
            work()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            print(f"{name:<14} {60 * hours / wall:7.1f} by the clock, {60 * hours / processor:7.1f} of processor time")


if __name__ == "__main__":
    main(sys.argv[1:])
