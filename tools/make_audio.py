"""Writes fixtures/audio: spoken recordings from Debian's alsa-utils, and music rendered from the tunes.

    python tools/make_audio.py

Needs the Debian packages alsa-utils, fluidsynth and fluid-soundfont-gm, and mido, numpy and soundfile. The spoken files
keep their samples and rate (lossless FLAC); the music is stereo at 44.1 kHz or mono at 22.05 kHz, so that a reader
meets three rates and two channel counts.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import soundfile
from make_datasets import write_ogg
from render import render
from score import Setting, notes_of, read_tunes, write_midi

TOOLS = Path(__file__).resolve().parent
AUDIO = TOOLS.parent / "fixtures" / "audio"
SPOKEN = Path("/usr/share/sounds/alsa")
GPL = Path("/usr/share/common-licenses/GPL-2")
# Tune, tonic, beats per minute, General MIDI program, seconds, rate, channels.
MUSIC = (
    ("minuet-in-g", 67, 126, 0, 12, 44_100, 2),
    ("greensleeves", 57, 96, 24, 12, 22_050, 1),
    ("ode-to-joy", 62, 120, 48, 12, 22_050, 1),
)


def make_spoken() -> None:
    """fixtures/audio/spoken: the eight channel names, sample for sample, with the licence they come under."""
    folder = AUDIO / "spoken"
    folder.mkdir(parents=True, exist_ok=True)
    sources = [path for path in sorted(SPOKEN.glob("*.wav")) if path.stem != "Noise"]
    if not sources:
        raise SystemExit(f"{SPOKEN} holds no recordings: run `apt-get install alsa-utils`")
    for source in sources:
        samples, rate = soundfile.read(source, dtype="int16")
        name = source.stem.lower().replace("_", "-") + ".flac"
        soundfile.write(folder / name, samples, rate, subtype="PCM_16")
        print(name, "from", source.name, hashlib.sha256(source.read_bytes()).hexdigest())
    (folder / "COPYING").write_bytes(GPL.read_bytes())


def make_music() -> None:
    """fixtures/audio/music: whole tunes through the soundfont."""
    folder = AUDIO / "music"
    folder.mkdir(parents=True, exist_ok=True)
    tunes = {tune.name: tune for tune in read_tunes(TOOLS / "tunes.json")}
    for name, tonic, bpm, program, seconds, rate, channels in MUSIC:
        tune = tunes[name]
        notes = notes_of(tune, Setting(tune.mode, tonic, bpm, 88, 0.95))
        with tempfile.TemporaryDirectory() as scratch:
            midi = Path(scratch) / "score.mid"
            programs = {0: program, 1: program}
            write_midi(midi, notes, bpm, beats=tune.beats, title=tune.title, programs=programs)
            samples = render(midi, seconds, gain=1.5, rate=rate, channels=channels)
        write_ogg(folder / f"{name}.ogg", samples, rate)


if __name__ == "__main__":
    make_spoken()
    make_music()
