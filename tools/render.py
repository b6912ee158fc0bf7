"""MIDI to sound: fluidsynth with the FluidR3 soundfont (Debian packages fluidsynth and fluid-soundfont-gm)."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")


def render(midi: Path, seconds: float, *, gain: float, rate: int = 22_050, channels: int = 1) -> np.ndarray:
    """The first `seconds` of a MIDI file without reverb or chorus, float64 `[n]` (both sides averaged) or `[n, 2]`."""
    if not SOUNDFONT.is_file():
        raise SystemExit(f"{SOUNDFONT} is missing: run `apt-get install fluidsynth fluid-soundfont-gm`")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "out.wav"
        options = ["-ni", "-q", "-R", "0", "-C", "0", "-g", str(gain), "-r", str(rate), "-F", str(wav)]
        subprocess.run(["fluidsynth", *options, str(SOUNDFONT), str(midi)], check=True, stdout=subprocess.DEVNULL)
        stereo = soundfile.read(wav, always_2d=True)[0][: round(seconds * rate)]
    stereo = np.pad(stereo, ((0, round(seconds * rate) - len(stereo)), (0, 0)))
    return stereo if channels == 2 else stereo.mean(axis=1)
