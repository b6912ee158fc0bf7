"""The character of a rendering (mode, register, tempo, loudness, articulation) and the emotion labels it implies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from score import Note, Setting, Tune

# Renderings of one tune start at a different quadrant (signs of valence and arousal) for each tune.
QUADRANTS = ((1, 1), (-1, -1), (-1, 1), (1, -1))
VARIANTS = 6
# How much louder notes on the first beat of a bar, on another beat and between the beats are played at full loudness,
# by the sign of valence: joy leans on what is strong, anger on what is weak.
ACCENTS = {1: (14, 0, -7), -1: (-4, 8, 10)}
# The tonic by the signs of valence and arousal: C and A minor, E and G major.
TONICS = {(-1, -1): 48, (-1, 1): 57, (1, -1): 52, (1, 1): 67}


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

    @property
    def mode_name(self) -> str:
        """major or minor."""
        return "major" if self.mode > 0 else "minor"

    @property
    def tonic(self) -> int:
        """The key that goes with the quadrant, so that the emotion says which notes to expect: a MIDI note."""
        return TONICS[self.mode, 1 if self.arousal > 0 else -1]

    def setting(self, tonic: int) -> Setting:
        """The character in a player's terms, in the key of a MIDI note."""
        return Setting(
            mode=self.mode_name,
            tonic=tonic,
            bpm=round(100 * 2 ** (0.75 * self.tempo), 1),
            velocity=round(76 + 40 * self.loudness),
            articulation=round(0.72 - 0.22 * self.articulation, 3),
        )


def draw_character(generator: np.random.Generator, quadrant: tuple[int, int]) -> Character:
    """A character of a quadrant: its parts lean the same way, each by its own amount."""
    up, excited = quadrant
    parts = np.clip(generator.uniform(0.25, 1.0, 4) + generator.normal(0, 0.1, 4), 0, 1).round(3)
    return Character(up, up * parts[0], excited * parts[1], excited * parts[2], excited * parts[3])


def characters(tunes: list[Tune], seed: int) -> list[tuple[Tune, int, Character]]:
    """Numbered characters, six for each tune, in all four quadrants."""
    generator = np.random.default_rng(seed)
    return [
        (tune, variant + 1, draw_character(generator, QUADRANTS[(index + variant) % len(QUADRANTS)]))
        for index, tune in enumerate(tunes)
        for variant in range(VARIANTS)
    ]


def first_bar(tune: Tune, variant: int) -> int:
    """The bar that a rendering begins with, from 0: of every four, two have the tune's beginning, two its second half.

    Two by two, so that no quadrant always goes with one of them.
    """
    bars = round(sum(beats for _, beats, _ in tune.harmony) / tune.beats)
    return bars // 2 if (variant - 1) // 2 % 2 else 0


def perform(notes: list[Note], tune: Tune, character: Character, generator: np.random.Generator) -> list[Note]:
    """The same notes with feeling: excited playing rushes and accents, calm playing drags and evens out."""
    on_bars, on_beats, between = ACCENTS[character.mode if character.loudness > 0 else 1]
    played = []
    for note in notes:
        on_beat, on_bar = note.start % 1 == 0, note.start % tune.beats == 0
        accent = character.loudness * (on_bars if on_bar else on_beats if on_beat else between)
        swing = 0 if on_beat else 0.05 * character.register
        start = max(0.0, note.start - 0.05 * character.tempo + swing + generator.normal(0, 0.006))
        velocity = round(note.velocity + accent + generator.normal(0, 2))
        played.append(Note(start, note.length, note.pitch, max(1, min(127, velocity)), note.channel))
    return played
