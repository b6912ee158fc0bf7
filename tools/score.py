"""Tunes as scale degrees: read from tunes.json, set in any mode, key, tempo and loudness, written as MIDI."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import mido

TICKS = 480
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7}


@dataclass(frozen=True)
class Note:
    """A MIDI note: start and length in beats, pitch 0-127, velocity 1-127, channel 0-15."""

    start: float
    length: float
    pitch: int
    velocity: int
    channel: int = 0


@dataclass(frozen=True)
class Tune:
    """`melody`: (start beat, beats, degree, semitones raised); `harmony`: (start beat, beats, degree of the root)."""

    name: str
    title: str
    mode: str
    beats: int
    melody: tuple[tuple[float, float, int, int], ...]
    harmony: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class Setting:
    """How a tune is played: tonic is a MIDI note; articulation the sounded part of a note, in (0, 1]."""

    mode: str
    tonic: int
    bpm: float
    velocity: int
    articulation: float = 0.9


def read_tunes(path: Path) -> list[Tune]:
    """The tunes of a file such as tunes.json; `ValueError` names a bar whose beats don't add up."""
    return [_tune(entry) for entry in json.loads(path.read_text(encoding="utf-8"))["tunes"]]


def _tune(entry: dict) -> Tune:
    bars = entry["melody"].split("|")
    chords = entry["harmony"].split()
    if len(bars) != len(chords):
        raise ValueError(f"{entry['name']}: {len(bars)} bars of melody, {len(chords)} of harmony")
    melody, harmony = [], []
    for number, (bar, numerals) in enumerate(zip(bars, chords, strict=True)):
        start = position = Fraction(number * entry["beats"])
        for token in bar.split():
            degree, _, beats = token.partition(":")
            length = Fraction(beats or "1")
            if degree != "r":
                melody.append((float(position), float(length), int(degree.lstrip("#")), degree.count("#")))
            position += length
        if position != start + entry["beats"]:
            raise ValueError(f"{entry['name']}, bar {number + 1}: {position - start} beats instead of {entry['beats']}")
        parts = numerals.split("/")
        share = entry["beats"] / len(parts)
        harmony += [(float(start) + i * share, share, ROMAN[part.upper()]) for i, part in enumerate(parts)]
    keys = ("name", "title", "mode", "beats")
    return Tune(*(entry[key] for key in keys), tuple(melody), tuple(harmony))


def pitch_of(degree: int, raised: int, mode: str, tonic: int) -> int:
    """The MIDI note of a scale degree (1 is the tonic, 0 the seventh below it)."""
    octave, step = divmod(degree - 1, 7)
    # In minor the raised sixth and seventh are borrowed from major, where they need no raising.
    raised = 0 if mode == "major" and step in (5, 6) else raised
    return tonic + 12 * octave + SCALES[mode][step] + raised


def triad(root: int, mode: str) -> tuple[int, str]:
    """A chord of the key: semitones of its root above the tonic, and its quality (maj or min).

    The dominant is major in both modes (harmonic minor); the diminished seventh degree of major becomes the dominant.
    """
    if mode == "major" and root == 7:
        root = 5
    if mode == "minor" and root == 2:
        root = 4
    scale = SCALES[mode]
    third = (scale[(root + 1) % 7] - scale[root - 1]) % 12
    return scale[root - 1], "maj" if root == 5 or third == 4 else "min"


def notes_of(tune: Tune, setting: Setting) -> list[Note]:
    """Melody on channel 0, block chords an octave lower and softer on channel 1; strong beats are louder."""
    notes = []
    for start, length, degree, raised in tune.melody:
        accent = 8 if start % tune.beats == 0 else 0
        pitch = pitch_of(degree, raised, setting.mode, setting.tonic)
        notes.append(Note(start, length * setting.articulation, pitch, _velocity(setting.velocity + accent)))
    for start, length, degree in tune.harmony:
        root, quality = triad(degree, setting.mode)
        base = setting.tonic - 12 + (root if root < 6 else root - 12)
        for interval in (0, 4 if quality == "maj" else 3, 7):
            velocity = _velocity(setting.velocity - 12)
            notes.append(Note(start, length * setting.articulation, base + interval, velocity, 1))
    return sorted(notes, key=lambda note: (note.start, note.channel, note.pitch))


def _velocity(value: float) -> int:
    return max(1, min(127, round(value)))


def write_midi(path: Path, notes: list[Note], bpm: float, *, beats: int, title: str, programs: dict[int, int]) -> None:
    """A type-1 file: a conductor track with title, tempo and metre, then one track per channel."""
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
    conductor = mido.MidiTrack()
    conductor.append(mido.MetaMessage("track_name", name=title))
    conductor.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm)))
    conductor.append(mido.MetaMessage("time_signature", numerator=beats, denominator=4))
    file.tracks.append(conductor)
    for channel in sorted({note.channel for note in notes}):
        track = mido.MidiTrack()
        if channel in programs:
            track.append(mido.Message("program_change", channel=channel, program=programs[channel]))
        events = []
        for note in (note for note in notes if note.channel == channel):
            on, off = round(note.start * TICKS), round((note.start + note.length) * TICKS)
            events.append((on, 1, note.pitch, note.velocity))
            events.append((max(off, on + 1), 0, note.pitch, 0))
        now = 0
        for tick, is_on, pitch, velocity in sorted(events):
            kind = "note_on" if is_on else "note_off"
            track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
            now = tick
        file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
