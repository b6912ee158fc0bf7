"""Variations of training items: what they change, what they leave alone, and that the seed decides."""

import json
import multiprocessing

import numpy as np
import pytest

from rtconform.reference_models.data import load_dataset
from rtconform.reference_models.data.augmentation import (
    PLAIN,
    Augmentation,
    Variation,
    augmentation,
    draw,
    mask,
    transpose_chord,
    vary_song,
    vary_sound,
)
from rtconform.reference_models.data.chord_json import Progression
from rtconform.reference_models.data.chords import NO_CHORD, ROOTS, SIZE, chord_pitch_classes, parse_chord
from rtconform.reference_models.data.kinds import READERS, VARIED
from rtconform.reference_models.data.midi import read_midi
from rtconform.reference_models.errors import ConfigError

from .miniatures import KINDS, cached, copy, miniatures, shared_cache
from .test_midi import write_midi

__all__ = ["cached", "copy", "miniatures", "shared_cache"]

RATE = 22_050
ALL = {"pitch": 2, "stretch": 0.1, "noise": 20, "band_masks": 2, "time_masks": 1, "transpose": 6}


def load(kind, folder, augment=None, seed=0):
    config = {"kind": kind, "path": str(folder), "augment": augment}
    return load_dataset(config, next(iter(READERS[kind])), seed=seed, validation_fraction=0.2, sequence_length=16)


def settings_of(kind, copies=2):
    return {"copies": copies, **{key: ALL[key] for key in VARIED[kind]}}


def digest(kind, folder, seed=0):
    training = load(kind, folder, settings_of(kind), seed).training
    return training.ids, training.content_hashes, training.inputs.tobytes(), training.targets.tobytes()


@pytest.mark.parametrize("kind", READERS)
def test_copies_train_beside_their_items_and_validate_nothing(kind, miniatures):
    """Validation is as it was, to the last bit; each training item is there, and two copies that differ from it."""
    folder = miniatures / KINDS[kind]
    plain, varied = load(kind, folder), load(kind, folder, settings_of(kind))
    assert varied.validation.ids == plain.validation.ids
    assert np.array_equal(varied.validation.inputs, plain.validation.inputs)
    assert np.array_equal(varied.validation.targets, plain.validation.targets)
    assert varied.training.ids[: len(plain.training.ids)] == plain.training.ids
    assert np.array_equal(varied.training.inputs[: len(plain.training.inputs)], plain.training.inputs)
    copies = varied.training.ids[len(plain.training.ids) :]
    assert sorted(copies) == sorted(f"{item}#{copy}" for item in plain.training.ids for copy in (1, 2))
    assert len(set(varied.training.content_hashes)) == len(varied.training.ids)
    assert not set(varied.training.content_hashes) & set(varied.validation.content_hashes)
    assert np.isfinite(varied.training.inputs).all() and np.abs(varied.training.inputs).max() <= 1.0


@pytest.mark.parametrize("kind", ["audio-folder", "midi-folder", "groove-midi", "chord-json"])
def test_the_seed_decides_and_nothing_else(kind, miniatures):
    """The same copies in this process and in another one; other ones with another seed."""
    folder = miniatures / kind
    here = digest(kind, folder)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(digest, (kind, folder)) == here
    assert digest(kind, folder, seed=1) != here


def test_a_variation_depends_on_seed_item_and_copy_alone():
    """Not on the order in which items are read, nor on what else is varied of others."""
    settings = Augmentation(copies=3, pitch=2, stretch=0.1, noise=20, transpose=6)
    one = draw(settings, seed=1, item="a", copy=2)
    assert one == draw(settings, seed=1, item="a", copy=2)
    others = {draw(settings, seed=s, item=i, copy=c) for s, i, c in [(2, "a", 2), (1, "b", 2), (1, "a", 1)]}
    assert len(others | {one}) == 4


def test_variations_keep_within_their_limits():
    """Over many draws: both signs, the limits nearly reached and never passed."""
    settings = Augmentation(copies=1, pitch=2, stretch=0.1, noise=20, transpose=3)
    drawn = [draw(settings, seed=0, item=str(item), copy=1) for item in range(300)]
    pitches, tempos, noises = ([getattr(v, name) for v in drawn] for name in ("pitch", "tempo", "noise"))
    assert -2 <= min(pitches) < -1.9 and 1.9 < max(pitches) <= 2
    assert 1 / 1.1 - 1e-4 <= min(tempos) < 0.92 and 1.09 < max(tempos) <= 1.1
    assert 20 <= min(noises) < 21 and 39 < max(noises) <= 40
    assert {variation.transpose for variation in drawn} == {-3, -2, -1, 1, 2, 3}


def test_eleven_copies_are_in_the_eleven_other_keys():
    """Keys are dealt, not thrown: none twice before all were there."""
    settings = Augmentation(copies=11, transpose=6)
    for item in "abc":
        shifts = [draw(settings, seed=4, item=item, copy=copy).transpose % 12 for copy in range(1, 12)]
        assert sorted(shifts) == list(range(1, 12))


@pytest.mark.parametrize("semitones", range(-6, 7))
def test_a_chord_moves_with_its_notes(semitones):
    """For all 64: what sounds is what sounded, as many semitones higher."""
    for index in range(SIZE):
        moved = transpose_chord(index, semitones)
        wanted = {(pitch_class + semitones) % 12 for pitch_class in chord_pitch_classes(index)}
        assert {pitch_class % 12 for pitch_class in chord_pitch_classes(moved)} == wanted
        assert (moved == NO_CHORD) == (index == NO_CHORD)
        assert transpose_chord(moved, -semitones) == index


@pytest.mark.parametrize("quality", ["", "m", "7", "maj7", "m7"])
def test_a_chord_in_all_twelve_keys_is_the_chord_of_that_root(quality):
    """C in D is D, and so on."""
    for semitones, root in enumerate(ROOTS):
        assert transpose_chord(parse_chord("C" + quality), semitones) == parse_chord(root + quality)


def test_a_progression_moves_as_a_whole():
    """Chords and melody by the same interval; a melody at the end of the keyboard goes the other way."""
    moved = Progression((parse_chord("C"), parse_chord("Am")), 1.0, ((60, 64), (69,))).transposed(3)
    assert moved.chords == (parse_chord("D#"), parse_chord("Cm"))
    assert moved.melody == ((63, 67), (72,))
    assert Progression((0,), 1.0, ((126,),)).transposed(5).melody == ((119,),)
    assert Progression((0,), 1.0, None).transposed(5).melody is None


def test_a_song_moves_in_pitch_and_in_time(tmp_path):
    """Drums keep their instruments, beats and velocities stay, seconds shrink with the tempo."""
    song = read_midi(write_midi(tmp_path / "a.mid", [(0, 1, 60, 64), (1, 2, 67, 90)]))
    varied = vary_song(song, Variation(copy=1, transpose=-5, tempo=1.25))
    assert list(varied.pitch) == [55, 62]
    np.testing.assert_allclose(varied.end, song.end / 1.25)
    np.testing.assert_allclose(varied.bar_times, song.bar_times / 1.25)
    assert np.array_equal(varied.beat, song.beat) and np.array_equal(varied.velocity, song.velocity)
    drums = read_midi(write_midi(tmp_path / "d.mid", [(0, 1, 36, 64)], channel=9))
    assert list(vary_song(drums, Variation(copy=1, transpose=4)).pitch) == [36]
    high = read_midi(write_midi(tmp_path / "h.mid", [(0, 1, 125, 64)]))
    assert list(vary_song(high, Variation(copy=1, transpose=4)).pitch) == [117]
    assert np.array_equal(vary_song(song, PLAIN).pitch, song.pitch)


def loudest(sound):
    """The frequency in Hz at which a sound is loudest."""
    return np.abs(np.fft.rfft(sound)).argmax() * RATE / len(sound)


def test_a_sound_moves_in_pitch_or_in_time():
    """A tone an octave higher is as long; one at double speed is as high and half as long."""
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    higher = vary_sound(tone, RATE, Variation(copy=1, pitch=12))
    assert len(higher) == len(tone) and loudest(higher) == pytest.approx(880, rel=0.01)
    quicker = vary_sound(tone, RATE, Variation(copy=1, tempo=2.0))
    assert len(quicker) == pytest.approx(len(tone) / 2, rel=0.01) and loudest(quicker) == pytest.approx(440, rel=0.01)
    assert vary_sound(tone, RATE, PLAIN) is tone


def test_noise_has_the_ratio_that_was_asked_for():
    """In dB of power against the recording's own; silence stays silent."""
    tone = 0.3 * np.sin(np.arange(4 * RATE) * 0.1)
    noise = vary_sound(tone, RATE, Variation(copy=1, noise=20.0, seed=5)) - tone
    assert 10 * np.log10(np.mean(tone**2) / np.mean(noise**2)) == pytest.approx(20.0, abs=0.1)
    assert not vary_sound(np.zeros(RATE), RATE, Variation(copy=1, noise=0.0)).any()


def test_masks_silence_whole_bands_and_whole_frames():
    """At most 16 bands and 8 frames each; everything else is left alone, and so is the original."""
    features = np.full((40, 128), 0.5, np.float32)
    for seed in range(20):
        masked = mask(features, Variation(copy=1, band_masks=2, time_masks=1, seed=seed))
        silent = masked == -1.0
        bands, frames = silent.all(axis=0), silent.all(axis=1)
        assert 1 <= bands.sum() <= 32 and 1 <= frames.sum() <= 8
        assert np.array_equal(silent, bands[None, :] | frames[:, None])
    assert np.all(features == 0.5)
    assert mask(features, PLAIN) is features
    assert mask(features[:1], Variation(copy=1, time_masks=8, band_masks=8)).shape == (1, 128)


@pytest.mark.parametrize(
    ("kind", "augment", "words"),
    [
        ("audio-folder", {"copies": 1, "pich": 2}, "did you mean 'pitch'?"),
        ("audio-folder", {"transpose": 2}, "this kind of data set knows copies, pitch"),
        ("chord-json", {"noise": 20}, "knows copies, transpose"),
        ("audio-folder", {"copies": 0, "pitch": 1}, "from 1 to 100, found 0"),
        ("audio-folder", {"copies": True, "pitch": 1}, "found True"),
        ("audio-folder", {"pitch": "2"}, "semitones from 0 to 12, found '2'"),
        ("audio-folder", {"stretch": 0.6}, "from 0 to 0.5, found 0.6"),
        ("audio-folder", {"noise": -3}, "found -3"),
        ("midi-folder", {"transpose": 7}, "from 0 to 6, found 7"),
        ("audio-folder", {"copies": 3}, "must say what is varied"),
        ("audio-folder", [], "must be an object"),
    ],
)
def test_settings_that_cant_be_honoured_are_refused_by_name(kind, augment, words, miniatures):
    """Unknown keys, keys of other kinds, values out of range, and copies of nothing new."""
    with pytest.raises(ConfigError) as error:
        load(kind, miniatures / kind, augment)
    assert words in str(error.value)


def test_what_may_be_left_out_of_the_settings():
    """No settings at all, and a noise of null, are none."""
    assert augmentation(None, ("pitch",)) is None
    assert augmentation({"pitch": 1, "noise": None}, ("pitch", "noise")) == Augmentation(pitch=1)


def test_a_copy_that_became_too_short_is_accounted_for(tmp_path):
    """At half its length a tune of 0.45 s holds no sequence; the tune itself still trains."""
    for index in range(3):
        write_midi(tmp_path / f"{index}.mid", [(0, 0.94, 60 + index, 64)])
    labels = {f"{index}.mid": {"emotion": {"valence": 0, "arousal": 0}} for index in range(3)}
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    splits = load("midi-folder", tmp_path, {"copies": 4, "stretch": 0.5})
    assert len(splits.training.ids) >= 2
    assert splits.left_out and all("#" in item and "less than one sequence" in why for item, why in splits.left_out)


def test_a_copy_that_is_a_held_out_item_is_left_out(tmp_path):
    """The same cadence in twelve keys: transposed, each of them is another one, which may validate."""
    emotion = {"valence": 0, "arousal": 0}
    items = [{"name": root, "chords": [root, f"{root}m", root], "emotion": emotion} for root in ROOTS]
    (tmp_path / "progressions.json").write_text(json.dumps(items))
    splits = load("chord-json", tmp_path, {"copies": 11, "transpose": 6})
    assert not set(splits.training.content_hashes) & set(splits.validation.content_hashes)
    held_out = len(splits.validation.ids)
    assert len(splits.training.ids) == (12 - held_out) * (12 - held_out)
    assert len(splits.left_out) == (12 - held_out) * held_out
