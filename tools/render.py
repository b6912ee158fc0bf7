"""MIDI to sound: fluidsynth with the FluidR3 soundfont (Debian packages fluidsynth and fluid-soundfont-gm)."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

RATE = 22_050
SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")


def render(midi: Path, seconds: float, *, gain: float = 0.8) -> np.ndarray:
    """The first `seconds` of a MIDI file as mono float64 at 22,050 Hz, without reverb or chorus."""
    if not SOUNDFONT.is_file():
        raise SystemExit(f"{SOUNDFONT} is missing: run `apt-get install fluidsynth fluid-soundfont-gm`")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "out.wav"
        options = ["-ni", "-q", "-R", "0", "-C", "0", "-g", str(gain), "-r", str(RATE), "-F", str(wav)]
        subprocess.run(["fluidsynth", *options, str(SOUNDFONT), str(midi)], check=True, stdout=subprocess.DEVNULL)
        samples, rate = soundfile.read(wav, always_2d=True)
    assert rate == RATE
    wanted = round(seconds * RATE)
    mono = samples.mean(axis=1)[:wanted]
    return np.pad(mono, (0, wanted - len(mono)))
