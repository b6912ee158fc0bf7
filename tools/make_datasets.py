"""Writes the bundled MIDI files and data sets: fixtures/midi and fixtures/datasets/{audio,midi,groove,chords}.

    python tools/make_datasets.py [audio|midi|groove|chords|tunes …]     all of them if none is named

The same script, seed and versions give the same MIDI, JSON and CSV bytes; the sound files also depend on the versions of
fluidsynth and libsndfile. Needs mido, numpy, soundfile, and for `audio` the Debian packages of render.py.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from render import RATE, render
from score import Note, Setting, Tune, notes_of, pitch_of, read_tunes, triad, write_midi

TOOLS = Path(__file__).resolve().parent
FIXTURES = TOOLS.parent / "fixtures"
SEED = 20240117
# Three renderings of each tune, each in another quadrant of valence and arousal; the fourth quadrant takes turns.
QUADRANTS = ((1, 1), (-1, -1), (-1, 1), (1, -1))
# The tonic by the signs of valence and arousal: C and A minor, E and G major.
TONICS = {(-1, -1): 48, (-1, 1): 57, (1, -1): 52, (1, 1): 67}
SECONDS = 2.4
CHORDS = 6
GROOVE_BARS = 1
PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
DRUMS = {"kick": 36, "snare": 38, "hat": 42, "open": 46, "ride": 51, "rim": 37}


@dataclass(frozen=True)
class Character:
    """How a rendering sounds, each part in [-1, 1]; from it, and from nothing else, come the labels."""

    mode: int
    register: float
    tempo: float
    loudness: float
    articulation: float

    @property
    def valence(self) -> float:
        """Major, high and brisk count as positive."""
        return round(0.5 * self.mode + 0.35 * self.register + 0.15 * self.tempo, 3)

    @property
    def arousal(self) -> float:
        """Fast, loud and detached count as excited."""
        return round(0.45 * self.tempo + 0.4 * self.loudness + 0.15 * self.articulation, 3)

    def setting(self, tonic: int) -> Setting:
        """The character in a player's terms, in the key of a MIDI note."""
        return Setting(
            mode="major" if self.mode > 0 else "minor",
            tonic=tonic,
            bpm=round(100 * 2 ** (0.75 * self.tempo), 1),
            velocity=round(76 + 40 * self.loudness),
            articulation=round(0.72 - 0.22 * self.articulation, 3),
        )

    @property
    def tonic(self) -> int:
        """The key that goes with each quadrant, so that the emotion says which notes to expect: a MIDI note."""
        return TONICS[self.mode, 1 if self.arousal > 0 else -1]


def draw_character(generator: np.random.Generator, quadrant: tuple[int, int]) -> Character:
    """A character of a quadrant (signs of valence and arousal): its parts lean the same way, each by its own amount."""
    up, excited = quadrant
    parts = np.clip(generator.uniform(0.25, 1.0, 4) + generator.normal(0, 0.1, 4), 0, 1).round(3)
    return Character(up, up * parts[0], excited * parts[1], excited * parts[2], excited * parts[3])


def characters(tunes: list[Tune], seed: int) -> list[tuple[Tune, int, Character]]:
    """Three numbered characters for each tune."""
    generator = np.random.default_rng(seed)
    chosen = []
    for index, tune in enumerate(tunes):
        for variant in range(3):
            chosen.append((tune, variant, draw_character(generator, QUADRANTS[(index + variant) % 4])))
    return chosen


def excerpt(notes: list[Note], first_beat: float, beats: float) -> list[Note]:
    """The notes that begin in a span of beats, counted from its start and cut at its end."""
    inside = [note for note in notes if first_beat <= note.start < first_beat + beats]
    return [
        Note(n.start - first_beat, min(n.length, first_beat + beats - n.start), n.pitch, n.velocity, n.channel)
        for n in inside
    ]


def make_audio() -> None:
    """fixtures/datasets/audio: excerpts rendered on a piano, with labels.csv."""
    folder = FIXTURES / "datasets" / "audio"
    generator = np.random.default_rng(SEED + 5)
    rows = []
    for tune, variant, character in characters(read_tunes(TOOLS / "tunes.json"), SEED):
        # Any key, so that mode and register have to be heard.
        setting = character.setting(60 + 12 * round(0.9 * character.register) + int(generator.integers(-5, 7)))
        notes = excerpt(notes_of(tune, setting), 0, SECONDS * setting.bpm / 60)
        name = f"{tune.name}-{variant + 1}.ogg"
        with tempfile.TemporaryDirectory() as scratch:
            midi = Path(scratch) / "score.mid"
            write_midi(midi, notes, setting.bpm, beats=tune.beats, title=tune.title, programs={0: 0, 1: 0})
            samples = render(midi, SECONDS, gain=2.0)
        folder.mkdir(parents=True, exist_ok=True)
        write_ogg(folder / name, samples)
        rows.append((name, character.valence, character.arousal, tune.name))
    write_csv(folder / "labels.csv", ("file", "valence", "arousal", "composition"), rows)


def write_ogg(path: Path, samples: np.ndarray) -> None:
    """Ogg Vorbis; a file that already holds these samples stays, since each encoding draws another serial number."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "fresh.ogg"
        soundfile.write(fresh, samples, RATE, format="OGG", subtype="VORBIS")
        if path.is_file() and np.array_equal(soundfile.read(path)[0], soundfile.read(fresh)[0]):
            return
        shutil.copyfile(fresh, path)


def perform(notes: list[Note], tune: Tune, character: Character, generator: np.random.Generator) -> list[Note]:
    """The same notes with feeling: excited playing rushes and leans on the beat, calm playing drags and evens out."""
    bar = tune.beats
    played = []
    for note in notes:
        place = note.start % bar / bar
        accent = 14 * character.loudness * (1 if place == 0 else -0.5 if note.start % 1 else 0)
        swing = 0.05 * character.register if note.start % 1 else 0.0
        rush = -0.05 * character.tempo + swing + generator.normal(0, 0.006)
        velocity = note.velocity + accent + generator.normal(0, 2)
        start = max(0.0, note.start + rush)
        played.append(Note(start, note.length, note.pitch, max(1, min(127, round(velocity))), note.channel))
    return played


def make_midi() -> None:
    """fixtures/datasets/midi: excerpts in a folder per composer or origin, with labels.json."""
    folder, labels = FIXTURES / "datasets" / "midi", {}
    generator = np.random.default_rng(SEED + 1)
    for tune, variant, character in characters(read_tunes(TOOLS / "tunes.json"), SEED + 2):
        setting = character.setting(character.tonic)
        notes = excerpt(notes_of(tune, setting), 0, SECONDS * setting.bpm / 60)
        name = f"{tune.name}/{variant + 1}.mid"
        performed = perform(notes, tune, character, generator)
        write_midi(folder / name, performed, setting.bpm, beats=tune.beats, title=tune.title, programs={0: 0, 1: 0})
        labels[name] = {
            "composition": tune.name,
            "emotion": {"valence": character.valence, "arousal": character.arousal},
        }
    write_json(folder / "labels.json", labels)


def make_chords() -> None:
    """fixtures/datasets/chords: the tunes' melodies, each harmonised in the way that suits a character."""
    progressions = []
    for tune, variant, character in characters(read_tunes(TOOLS / "tunes.json"), SEED + 3):
        mode = "major" if character.mode > 0 else "minor"
        key = character.tonic % 12
        chords, melody = [], []
        for start, beats, degree in (2 * tune.harmony)[:CHORDS]:
            root, quality = triad(degree, mode)
            chords.append(PITCH_CLASSES[(key + root) % 12] + chord_colour(quality, degree, character.arousal))
            over = [note for note in tune.melody if start <= note[0] < start + beats]
            melody.append([pitch_of(d, r, mode, 60 + key) for _, _, d, r in over[:2]])
        progressions.append(
            {
                "name": f"{tune.name}-{variant + 1}",
                "composition": tune.name,
                "seconds_per_chord": 0.4,
                "emotion": {"valence": character.valence, "arousal": character.arousal},
                "chords": chords,
                "melody": melody,
            }
        )
    write_json(FIXTURES / "datasets" / "chords" / "progressions.json", {"progressions": progressions})


def chord_colour(quality: str, degree: int, arousal: float) -> str:
    """Calm harmony has sevenths, excited harmony plain triads; a dominant has its seventh in both."""
    if degree == 5:
        return "7"
    if arousal < 0:
        return "maj7" if quality == "maj" else "m7"
    return "" if quality == "maj" else "m"


def make_groove() -> None:
    """fixtures/datasets/groove: drum beats in the styles of grooves.json, played with each style's feel, and info.csv."""
    folder = FIXTURES / "datasets" / "groove"
    generator = np.random.default_rng(SEED + 4)
    rows = []
    for index, style in enumerate(json.loads((TOOLS / "grooves.json").read_text(encoding="utf-8"))["styles"]):
        for take in range(6):
            bpm = round(style["bpm"] * generator.uniform(0.93, 1.07))
            notes = drum_notes(style, generator)
            number = len(rows) + 1
            name = f"drummer1/session1/{number}_{style['name'].replace('/', '-')}_{bpm}_beat_4-4.mid"
            write_midi(folder / name, notes, bpm, beats=4, title=style["name"], programs={})
            split = "validation" if take == 5 or (take == 4 and index % 2) else "train"
            seconds = round(4 * 60 / bpm * GROOVE_BARS, 3)
            identity = f"drummer1/session1/{number}"
            rows.append(("drummer1", "drummer1/session1", identity, style["name"], bpm, "beat", "4-4", name, "", seconds, split))
    header = ("drummer", "session", "id", "style", "bpm", "beat_type", "time_signature", "midi_filename", "audio_filename")
    write_csv(folder / "info.csv", (*header, "duration", "split"), rows)


def drum_notes(style: dict, generator: np.random.Generator) -> list[Note]:
    """Bars of a style's pattern: per drum sixteen digits of loudness (0 silent, 9 loudest), moved by the style's feel."""
    notes = []
    for bar in range(GROOVE_BARS):
        for drum, pattern in style["drums"].items():
            for step, digit in enumerate(pattern.replace(" ", "")):
                if digit == "0":
                    continue
                late = style["lay_back"] + (style["swing"] if step % 2 else 0) + generator.normal(0, 0.03)
                velocity = 20 + 11 * int(digit) + generator.normal(0, 4)
                start = max(0.0, bar * 4 + (step + float(np.clip(late, -0.45, 0.45))) / 4)
                notes.append(Note(start, 0.1, DRUMS[drum], int(np.clip(round(velocity), 1, 127)), 9))
    return sorted(notes, key=lambda note: note.start)


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


MAKERS = {"audio": make_audio, "midi": make_midi, "groove": make_groove, "chords": make_chords}


def main(names: list[str]) -> None:
    """Runs the makers named, or all."""
    for name in names or MAKERS:
        if name not in MAKERS:
            raise SystemExit(f"unknown data set {name!r}; known are {', '.join(MAKERS)}")
        print(f"making {name} …", flush=True)
        MAKERS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
