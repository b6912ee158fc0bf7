"""Writes fixtures/audio: LibriVox recordings from the source of pocketsphinx, and music rendered from the tunes.

    pip download --no-deps --no-binary :all: pocketsphinx==5.1.1
    python tools/make_audio.py pocketsphinx-5.1.1.tar.gz

Needs the Debian packages fluidsynth and fluid-soundfont-gm, and mido, numpy and soundfile. The spoken files keep their
samples and rate of 16 kHz (lossless FLAC); the music is stereo at 44.1 kHz or mono at 22.05 kHz, so that a reader meets
three rates and two channel counts.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import tempfile
from pathlib import Path

import soundfile
from make_datasets import write_ogg
from render import render
from score import Setting, notes_of, read_tunes, write_midi

TOOLS = Path(__file__).resolve().parent
AUDIO = TOOLS.parent / "fixtures" / "audio"
SOURCE_SHA256 = "675778b309a22dfc9b7d37f7621976bba491d2a5f8c59696bd77fd6d07271355"
SPOKEN = "pocketsphinx-5.1.1/test/data/librivox/sense_and_sensibility_01_austen_64kb-{}.wav"
LICENSE = "pocketsphinx-5.1.1/LICENSE"
PARTS = ("0880", "0890", "0930")
# Tune, tonic, beats per minute, General MIDI program, seconds, rate, channels.
MUSIC = (
    ("minuet-in-g", 67, 126, 0, 12, 44_100, 2),
    ("greensleeves", 57, 96, 24, 12, 22_050, 1),
    ("ode-to-joy", 62, 120, 48, 12, 22_050, 1),
)


def make_spoken(archive: Path) -> None:
    """fixtures/audio/spoken: three sentences, sample for sample, with the licence of the source that they come in."""
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        raise SystemExit(f"{archive}: expected pocketsphinx-5.1.1.tar.gz with sha256 {SOURCE_SHA256}, found {found}")
    folder = AUDIO / "spoken"
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as source:
        for part in PARTS:
            content = source.extractfile(SPOKEN.format(part)).read()
            samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
            name = f"sense-and-sensibility-{part}.flac"
            soundfile.write(folder / name, samples, rate, subtype="PCM_16")
            print(name, "from", SPOKEN.format(part), hashlib.sha256(content).hexdigest())
        (folder / "LICENSE-pocketsphinx").write_bytes(source.extractfile(LICENSE).read())


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
    make_spoken(Path(sys.argv[1]))
    make_music()
