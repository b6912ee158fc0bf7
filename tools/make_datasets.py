"""Writes the bundled MIDI files and data sets: fixtures/midi and fixtures/datasets/{audio,midi,groove,chords}.

    python tools/make_datasets.py [audio|midi|groove|chords|tunes …]     all of them if none is named

The same script gives the same MIDI, JSON and CSV bytes; the sounds also depend on the versions of fluidsynth and
libsndfile. Needs mido, numpy and soundfile, and for `audio` the Debian packages that render.py names.
"""

from __future__ import annotations

import csv
import itertools
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from character import characters, first_bar, perform
from render import render
from score import Note, Setting, Tune, notes_of, pitch_of, read_tunes, triad, write_midi

TOOLS = Path(__file__).resolve().parent
FIXTURES = TOOLS.parent / "fixtures"
DATASETS = FIXTURES / "datasets"
SEED = 20240117
SECONDS_OF_SOUND, SECONDS_OF_NOTES = 1.6, 2.4
CHORDS = 8
SECONDS_PER_CHORD = 0.4
PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
DRUMS = {"kick": 36, "rim": 37, "snare": 38, "hat": 42, "open": 46, "ride": 51}
TAKES, TRAINING_TAKES, BARS = 16, 11, 2
PIANO = {0: 0, 1: 0}


def make_tunes() -> None:
    """fixtures/midi: each tune as written and once in the other mode, with another tempo, loudness and register."""
    generator = np.random.default_rng(SEED + 6)
    for tune in read_tunes(TOOLS / "tunes.json"):
        other = "minor" if tune.mode == "major" else "major"
        settings = {
            tune.mode: Setting(tune.mode, 60, 108.0, 80),
            other: Setting(
                other,
                60 + int(generator.integers(-9, 10)),
                float(generator.integers(60, 169)),
                int(generator.integers(40, 113)),
                round(generator.uniform(0.5, 0.95), 2),
            ),
        }
        for mode, setting in settings.items():
            path = FIXTURES / "midi" / f"{tune.name}-{mode}.mid"
            notes = notes_of(tune, setting)
            write_midi(path, notes, setting.bpm, beats=tune.beats, title=tune.title, programs=PIANO)


def make_audio() -> None:
    """fixtures/datasets/audio: excerpts of the tunes rendered on a piano, with labels.csv."""
    folder = DATASETS / "audio"
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(SEED + 5)
    rows = []
    for tune, variant, character in characters(read_tunes(TOOLS / "tunes.json"), SEED):
        # Any key, so that mode and register have to be heard.
        setting = character.setting(60 + round(10 * character.register) + int(generator.integers(-2, 3)))
        notes = excerpt(tune, variant, setting, SECONDS_OF_SOUND)
        with tempfile.TemporaryDirectory() as scratch:
            midi = Path(scratch) / "score.mid"
            write_midi(midi, notes, setting.bpm, beats=tune.beats, title=tune.title, programs=PIANO)
            write_ogg(folder / f"{tune.name}-{variant}.ogg", render(midi, SECONDS_OF_SOUND, gain=2.0))
        rows.append((f"{tune.name}-{variant}.ogg", character.valence, character.arousal, tune.name))
    write_csv(folder / "labels.csv", ("file", "valence", "arousal", "composition"), rows)


def make_midi() -> None:
    """fixtures/datasets/midi: excerpts of the tunes, played with feeling, a folder per tune, with labels.json."""
    folder, labels = DATASETS / "midi", {}
    generator = np.random.default_rng(SEED + 1)
    for tune, variant, character in characters(read_tunes(TOOLS / "tunes.json"), SEED + 2):
        setting = character.setting(character.tonic)
        notes = excerpt(tune, variant, setting, SECONDS_OF_NOTES)
        name = f"{tune.name}/{variant}.mid"
        performed = perform(notes, tune, character, generator)
        write_midi(folder / name, performed, setting.bpm, beats=tune.beats, title=tune.title, programs=PIANO)
        emotion = {"valence": character.valence, "arousal": character.arousal}
        labels[name] = {"composition": tune.name, "emotion": emotion}
    write_json(folder / "labels.json", labels)


def make_chords() -> None:
    """fixtures/datasets/chords: the tunes' melodies, each harmonised in the way that suits a character."""
    progressions = []
    for tune, variant, character in characters(read_tunes(TOOLS / "tunes.json"), SEED + 3):
        key = character.tonic % 12
        tonic = 60 + key + 12 * round(0.7 * character.register)
        begin = first_bar(tune, variant) * tune.beats
        after, before = ([c for c in tune.harmony if (c[0] >= begin) == later] for later in (True, False))
        chords, melody = [], []
        for start, beats, degree in (2 * (after + before))[:CHORDS]:
            root, quality = triad(degree, character.mode_name)
            chords.append(PITCH_CLASSES[(key + root) % 12] + colour(quality, degree, character.arousal))
            over = [note for note in tune.melody if start <= note[0] < start + beats]
            melody.append([pitch_of(step, raised, character.mode_name, tonic) for _, _, step, raised in over[:2]])
        progressions.append(
            {
                "name": f"{tune.name}-{variant}",
                "composition": tune.name,
                "seconds_per_chord": SECONDS_PER_CHORD,
                "emotion": {"valence": character.valence, "arousal": character.arousal},
                "chords": chords,
                "melody": melody,
            }
        )
    write_json(DATASETS / "chords" / "progressions.json", {"progressions": progressions})


def make_groove() -> None:
    """fixtures/datasets/groove: two bars of drums in each style of grooves.json, sixteen takes each, with info.csv."""
    folder = DATASETS / "groove"
    generator = np.random.default_rng(SEED + 4)
    rows = []
    styles = json.loads((TOOLS / "grooves.json").read_text(encoding="utf-8"))["styles"]
    for index, style in enumerate(styles):
        for take in range(TAKES):
            bpm = round(style["bpm"] * generator.uniform(0.93, 1.07))
            number = index * TAKES + take + 1
            name = f"drummer1/session1/{number}_{style['name']}_{bpm}_beat_4-4.mid"
            write_midi(folder / name, drum_bars(style, generator), bpm, beats=4, title=style["name"], programs={})
            split = "train" if take < TRAINING_TAKES else "validation"
            identity = ("drummer1", "drummer1/session1", f"drummer1/session1/{number}")
            rows.append((*identity, style["name"], bpm, "beat", "4-4", name, "", round(BARS * 240 / bpm, 3), split))
    columns = "drummer session id style bpm beat_type time_signature midi_filename audio_filename duration split"
    write_csv(folder / "info.csv", tuple(columns.split()), rows)


def excerpt(tune: Tune, variant: int, setting: Setting, seconds: float) -> list[Note]:
    """What begins in the first `seconds` of a rendering, from beat 0 on and cut at their end."""
    begin, beats = first_bar(tune, variant) * tune.beats, seconds * setting.bpm / 60
    return [
        Note(start, min(note.length, beats - start), note.pitch, note.velocity, note.channel)
        for note in notes_of(tune, setting)
        if 0 <= (start := note.start - begin) < beats
    ]


def colour(quality: str, degree: int, arousal: float) -> str:
    """Calm harmony has sevenths, excited harmony plain triads; a dominant has its seventh in both."""
    if degree == 5:
        return "7"
    if arousal < 0:
        return "maj7" if quality == "maj" else "m7"
    return "" if quality == "maj" else "m"


def drum_bars(style: dict, generator: np.random.Generator) -> list[Note]:
    """A style's pattern, played bar after bar: per drum sixteen digits of loudness (0 silent, 9 loudest), moved by the
    style's feel.
    """
    notes = []
    for bar, (drum, pattern) in itertools.product(range(BARS), style["drums"].items()):
        for step, digit in enumerate(pattern.replace(" ", "")):
            if digit == "0":
                continue
            late = style["lay_back"] + (style["swing"] if step % 2 else 0) + generator.normal(0, 0.03)
            velocity = round(20 + 11 * int(digit) + generator.normal(0, 4))
            start = max(0.0, 4 * bar + (step + float(np.clip(late, -0.45, 0.45))) / 4)
            notes.append(Note(start, 0.1, DRUMS[drum], max(1, min(127, velocity)), 9))
    return sorted(notes, key=lambda note: note.start)


def write_ogg(path: Path, samples: np.ndarray, rate: int = 22_050) -> None:
    """Ogg Vorbis; a file that already holds these samples stays, since each encoding draws another serial number."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "fresh.ogg"
        soundfile.write(fresh, samples, rate, format="OGG", subtype="VORBIS")
        if path.is_file() and np.array_equal(soundfile.read(path)[0], soundfile.read(fresh)[0]):
            return
        shutil.copyfile(fresh, path)


def write_csv(path: Path, header: tuple[str, ...], rows: list[tuple]) -> None:
    """A CSV table with Unix line ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_json(path: Path, value: object) -> None:
    """Indented JSON with a final line end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


MAKERS = {"tunes": make_tunes, "audio": make_audio, "midi": make_midi, "groove": make_groove, "chords": make_chords}


def main(names: list[str]) -> None:
    """Runs the makers named, or all."""
    for name in names or MAKERS:
        if name not in MAKERS:
            raise SystemExit(f"unknown data set {name!r}; known are {', '.join(MAKERS)}")
        print(f"making {name} …", flush=True)
        MAKERS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
