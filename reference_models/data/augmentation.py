"""Variations of training items: other pitch and tempo, noise, masked bands and frames, other keys.

A variation is drawn from the seed, the item's name and the copy's number alone, so that it is the same in every run,
in every process, and whatever else is read. Labels stay: what is varied is kept so small that a listener would give the
same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches

import numpy as np

from ..errors import ConfigError
from .chords import DIMINISHED, NO_CHORD
from .midi import DRUM_CHANNEL, Song

SILENCE = -1.0
WIDEST_BAND_MASK, LONGEST_TIME_MASK = 16, 8  # mel bands, frames
NOISE_SPAN_DB = 20.0
MOST_COPIES = 100


@dataclass(frozen=True)
class Augmentation:
    """How training items are varied, as `datasets.<name>.augment` says; what is 0 or None is left as it is.

    `copies` varied copies of each item train beside it. `pitch` is the largest change in semitones and `stretch` the
    largest change of tempo as a share, both up and down; `noise` the lowest signal-to-noise ratio in dB (the highest is
    20 dB above); `band_masks` and `time_masks` the number of masks, of at most 16 bands and 8 frames (SpecAugment, Park
    et al. 2019); `transpose` the largest change of key in semitones, where 6 stands for all twelve keys.
    """

    copies: int = 1
    pitch: float = 0.0
    stretch: float = 0.0
    noise: float | None = None
    band_masks: int = 0
    time_masks: int = 0
    transpose: int = 0


@dataclass(frozen=True)
class Variation:
    """What happens to one copy of one item. `tempo` multiplies the speed; `seed` is that of noise and masks."""

    copy: int = 0
    pitch: float = 0.0
    tempo: float = 1.0
    noise: float | None = None
    band_masks: int = 0
    time_masks: int = 0
    transpose: int = 0
    seed: int = 0

    @property
    def suffix(self) -> str:
        """What follows an item's name in that of its copy: nothing for the item itself, `#1` for its first copy."""
        return f"#{self.copy}" if self.copy else ""

    def of_sound(self) -> dict[str, object]:
        """The parameters that change samples, by which varied features are cached; empty if there are none."""
        sound = {"pitch": self.pitch, "tempo": self.tempo, "noise": self.noise}
        if sound == {"pitch": 0.0, "tempo": 1.0, "noise": None}:
            return {}
        return {**sound, "seed": self.seed if self.noise is not None else 0}

    def content_hash(self, digest: str) -> str:
        """The sha256 of what is heard of content with the sha256 `digest`."""
        return (
            digest if self == PLAIN else hashlib.sha256(f"{digest}:{sorted(asdict(self).items())}".encode()).hexdigest()
        )


PLAIN = Variation()

_LIMITS: dict[str, tuple[type | tuple[type, ...], float, float, str]] = {
    "copies": (int, 1, MOST_COPIES, f"a whole number from 1 to {MOST_COPIES}"),
    "pitch": ((int, float), 0, 12, "semitones from 0 to 12"),
    "stretch": ((int, float), 0, 0.5, "a share from 0 to 0.5"),
    "noise": ((int, float), 0, 100, "a signal-to-noise ratio from 0 to 100 dB, or null"),
    "band_masks": (int, 0, 8, "a whole number from 0 to 8"),
    "time_masks": (int, 0, 8, "a whole number from 0 to 8"),
    "transpose": (int, 0, 6, "whole semitones from 0 to 6"),
}


def augmentation(value: object, allowed: Iterable[str]) -> Augmentation | None:
    """The checked `augment` of a config, None for none; `allowed` are the keys that its kind of data can honour.

    Raises ConfigError for an unknown key, a value out of range, or settings that would copy without any change.
    """
    if value is None:
        return None
    known = ("copies", *allowed)
    if not isinstance(value, Mapping):
        raise ConfigError(f"augment must be an object with {', '.join(known)}, or null, found {value!r}")
    for key, entry in value.items():
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"this kind of data set knows {', '.join(known)}"
            raise ConfigError(f"unknown key {key!r} in augment; {hint}")
        kind, low, high, words = _LIMITS[key]
        if entry is None and key == "noise":
            continue
        if isinstance(entry, bool) or not isinstance(entry, kind) or not low <= entry <= high:
            raise ConfigError(f"augment.{key} must be {words}, found {entry!r}")
    settings = Augmentation(**value)
    if replace(settings, copies=1) == Augmentation():
        raise ConfigError(f"augment must say what is varied, one of {', '.join(known[1:])}, found {dict(value)!r}")
    return settings


def draw(settings: Augmentation, *, seed: int, item: str, copy: int) -> Variation:
    """The variation of an item's copy number `copy` (1 and up).

    Keys are dealt out from a shuffled pack, so that no two of eleven copies are in the same one.
    """
    generator = _generator(seed, item, copy)
    shifts = [shift for shift in range(max(-settings.transpose, -5), settings.transpose + 1) if shift]
    pack = _generator(seed, item, 0).permutation(shifts) if shifts else np.zeros(1, int)
    pitch, tempo, noise = generator.uniform(-1, 1), generator.uniform(-1, 1), generator.uniform(0, 1)
    return Variation(
        copy=copy,
        pitch=round(settings.pitch * pitch, 3),
        tempo=round((1.0 + settings.stretch) ** tempo, 4),
        noise=None if settings.noise is None else round(settings.noise + NOISE_SPAN_DB * noise, 2),
        band_masks=settings.band_masks,
        time_masks=settings.time_masks,
        transpose=int(pack[(copy - 1) % len(pack)]),
        seed=int(generator.integers(2**32)),
    )


def _generator(*key: object) -> np.random.Generator:
    digest = hashlib.sha256(":".join(map(str, key)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def vary_sound(mono: np.ndarray, rate: int, variation: Variation) -> np.ndarray:
    """Samples `[n]` in another pitch, at another tempo, with white noise, float64; the same array if nothing varies.

    Pitch and tempo are librosa's phase vocoder. The noise is relative to the recording's own power; silence stays.
    """
    import librosa

    if variation.pitch:
        mono = librosa.effects.pitch_shift(mono, sr=rate, n_steps=variation.pitch)
    if variation.tempo != 1.0:
        mono = librosa.effects.time_stretch(mono, rate=variation.tempo)
    if variation.noise is not None:
        level = np.sqrt(np.mean(mono**2)) * 10.0 ** (-variation.noise / 20.0)
        mono = mono + level * np.random.default_rng(variation.seed).standard_normal(len(mono))
    return mono


def mask(features: np.ndarray, variation: Variation) -> np.ndarray:
    """Features `[F, bands]` with some bands, and some frames, as silent as can be; their own array without masks."""
    if not (variation.band_masks or variation.time_masks):
        return features
    generator, masked = np.random.default_rng(variation.seed), features.copy()
    frames, bands = features.shape
    for _ in range(variation.band_masks):
        width = generator.integers(1, min(WIDEST_BAND_MASK, bands) + 1)
        begin = generator.integers(0, bands - width + 1)
        masked[:, begin : begin + width] = SILENCE
    for _ in range(variation.time_masks):
        length = generator.integers(1, min(LONGEST_TIME_MASK, frames) + 1)
        begin = generator.integers(0, frames - length + 1)
        masked[begin : begin + length] = SILENCE
    return masked


def vary_song(song: Song, variation: Variation) -> Song:
    """A song in another key and at another tempo; drums keep their pitches, which are instruments.

    Where the shift would leave the 128 notes of MIDI it goes an octave the other way, to the same key.
    """
    pitched = song.channel != DRUM_CHANNEL
    shift = variation.transpose
    if shift and pitched.any():
        low, high = song.pitch[pitched].min(), song.pitch[pitched].max()
        shift += 12 if low + shift < 0 else -12 if high + shift > 127 else 0
        if not 0 <= low + shift <= high + shift <= 127:
            shift = 0
    return replace(
        song,
        pitch=np.where(pitched, song.pitch + shift, song.pitch),
        start=song.start / variation.tempo,
        end=song.end / variation.tempo,
        bar_times=song.bar_times / variation.tempo,
    )


def transpose_chord(index: int, semitones: int) -> int:
    """A chord of the vocabulary in another key: its root moves, its quality stays, and N stays N."""
    if index == NO_CHORD:
        return index
    if index >= DIMINISHED:
        return DIMINISHED + (index - DIMINISHED + semitones) % 3
    return 12 * (index // 12) + (index % 12 + semitones) % 12
