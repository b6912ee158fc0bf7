"""Chord symbols against the vocabulary, and progressions against the sequences made of them."""

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtconform.reference_models.data import load_dataset
from rtconform.reference_models.data.chord_json import read_progressions
from rtconform.reference_models.data.chords import FAMILIES, NO_CHORD, VOCABULARY, chord_pitch_classes, parse_chord
from rtconform.reference_models.data.features import RATE, frame_ends, log_mel
from rtconform.reference_models.data.synthesis import tones
from rtconform.reference_models.errors import DataError

from .listings import everything

CALM = {"valence": 0.5, "arousal": -0.5}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Synthesised sounds are cached in a folder of this test."""
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path_factory.mktemp("cache")))


def write(folder, progressions, key="progressions"):
    (folder / "progressions.json").write_text(json.dumps({key: progressions} if key else progressions), "utf-8")
    return folder


def test_the_vocabulary_has_64_chords_that_all_sound_different():
    """Each index has a name of its own, which parses to it, and a set of notes of its own."""
    assert len(set(VOCABULARY)) == 64
    assert [parse_chord(name) for name in VOCABULARY] == list(range(64))
    assert VOCABULARY[0] == "C"
    assert len({frozenset(chord_pitch_classes(index)) for index in range(63)}) == 63
    assert chord_pitch_classes(NO_CHORD) == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_root_has_its_own_index(family):
    """All twelve roots, written with sharps or with flats, are told apart: A and B are not C."""
    sharps = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
    flats = ["C", "Db", "D", "Eb", "Fb", "F", "Gb", "G", "Ab", "A", "Bb", "Cb"]
    assert [parse_chord(root + family) % 12 for root in sharps] == list(range(12))
    assert [parse_chord(root + family) % 12 for root in flats] == list(range(12))
    assert len({parse_chord(root + family) // 12 for root in sharps}) == 1


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("Am", "Am"), ("Dm", "Dm"), ("Cmaj7", "Cmaj7"), ("A", "A"), ("Bb", "A#"), ("B♭7", "A#7"), ("E#", "F"),
        ("Bbb", "A"), ("Amin", "Am"), ("A-", "Am"), ("A:min7", "Am7"), ("C:maj", "C"), ("CM7", "Cmaj7"),
        ("CΔ", "Cmaj7"), ("Gdom7", "G7"), ("G13", "G7"), ("G7(b9)", "G7"), ("C6/9", "C"), ("C/E", "C"),
        ("Am7/G", "Am7"), ("F#m7b5", "F#m7"), ("Dsus4", "D"), ("Eaug", "E"), ("Eb dim", "Cdim7"), ("F#o7", "Cdim7"),
        ("Bdim", "Ddim7"), ("N.C.", "N"), ("Fadd9", "F"),
    ],
)  # fmt: skip
def test_common_spellings_mean_the_chord_that_a_musician_reads(symbol, name):
    """Major sevenths, minors, extensions, slash basses and Harte's colons all find their family."""
    assert VOCABULARY[parse_chord(symbol)] == name


@pytest.mark.parametrize("symbol", ["", "H", "am", "Cfoo", "C//E", "C/9", "7", None, 7, "Cmaj7/H"])
def test_what_is_no_chord_is_refused(symbol):
    """An unknown symbol is never quietly C major: the message shows it and what to do."""
    with pytest.raises(DataError) as error:
        parse_chord(symbol)
    assert repr(symbol) in str(error.value)
    assert "chord_qualities.json" in str(error.value)


@given(st.integers(0, 62), st.integers(0, 11))
def test_transposing_the_symbol_transposes_the_notes(index, steps):
    """A chord moved by n semitones holds the notes moved by n semitones."""
    name = VOCABULARY[index]
    root = name[:2] if name[1:2] == "#" else name[:1]
    moved = VOCABULARY[(VOCABULARY.index(root) + steps) % 12] + name[len(root) :]
    wanted = {(note + steps) % 12 for note in chord_pitch_classes(index)}
    assert set(chord_pitch_classes(parse_chord(moved))) == wanted


@pytest.mark.parametrize("key", ["progressions", "chord_progressions", None])
def test_progressions_are_found_under_each_name_and_as_a_list(tmp_path, key):
    """The three forms of the file hold the same items."""
    recordings, _ = everything(read_progressions(write(tmp_path, [{"chords": ["C", "Am"], "emotion": CALM}], key)))
    assert [recording.id for recording in recordings] == ["progression-00000"]


def test_targets_are_the_chord_that_is_played_when_the_frame_ends(tmp_path):
    """Each row is one-hot, at the chord under way at the frame's end."""
    item = {"chords": ["G7", "Bm"], "seconds_per_chord": 0.5, "emotion": CALM}
    ((recording,), _) = everything(read_progressions(write(tmp_path, [item])))
    assert recording.inputs.shape == (40, 128)
    wanted = np.where(frame_ends(40) < 0.5, parse_chord("G7"), parse_chord("Bm"))
    assert np.array_equal(recording.targets, np.eye(64, dtype=np.float32)[wanted])


def test_the_melody_is_heard_where_there_is_one_and_else_the_chords(tmp_path):
    """With a melody, other chords over it change the targets and not the inputs; without, they change what is heard."""
    item = {"name": "x", "chords": ["C", "F"], "emotion": CALM, "melody": [[60, 64], [65]]}

    def read(**changes):
        return everything(read_progressions(write(tmp_path, [{**item, **changes}])))[0][0]

    before, after = read(), read(chords=["Am", "Dm"])
    assert np.array_equal(before.inputs, after.inputs)
    assert not np.array_equal(before.targets, after.targets)
    before, after = read(melody=None), read(melody=None, chords=["Am", "Dm"])
    assert np.array_equal(before.inputs[:, :64], after.inputs[:, :64])
    assert not np.array_equal(before.inputs[:, 64:], after.inputs[:, 64:])


def test_what_is_heard_are_the_lower_half_of_the_bands(tmp_path):
    """Behind the 64 dims of the embedding stand bands 0-63 of the tones, as the models' flow has them."""
    item = {"chords": ["N"], "melody": [[69]], "emotion": CALM}
    ((recording,), _) = everything(read_progressions(write(tmp_path, [item])))
    assert np.array_equal(recording.inputs[:, 64:], log_mel(tones([(0.0, 1.0, 69)], 1.0), RATE)[:, :64])


def test_progressions_that_cant_be_read_are_left_out_with_the_reason(tmp_path):
    """An unknown chord, no chords, a melody of another length or a senseless duration leave out one item each."""
    good = {"chords": ["C", "F"], "emotion": CALM}
    bad = [
        {**good, "name": "unknown", "chords": ["C", "X7"]},
        {**good, "name": "none", "chords": []},
        {**good, "name": "melody", "melody": [[60]]},
        {**good, "name": "note", "melody": [[60], [128]]},
        {**good, "name": "duration", "seconds_per_chord": -1},
    ]
    recordings, left_out = everything(read_progressions(write(tmp_path, [good, *bad])))
    assert len(recordings) == 1
    reasons = {entry.item: entry.reason for entry in left_out}
    assert list(reasons) == [item["name"] for item in bad]
    assert "'X7'" in reasons["unknown"]
    assert "seconds_per_chord from 0.05" in reasons["duration"]


@pytest.mark.parametrize(
    "emotion", [None, {"valence": 0.5}, {"valence": 3, "arousal": 0}, {"valence": True, "arousal": 0}]
)
def test_a_file_without_a_proper_emotion_stops_the_reading(tmp_path, emotion):
    """Labels are required, complete and from -1 to 1."""
    write(tmp_path, [{"name": "bad", "chords": ["C"], "emotion": emotion}])
    config = {"kind": "chord-json", "path": str(tmp_path)}
    with pytest.raises(DataError, match=r"progressions\.json, bad"):
        load_dataset(config, "HarmonyPredictor", seed=0, validation_fraction=0.2, sequence_length=16)


@pytest.mark.parametrize("content", ["", "{", "3", '{"songs": []}', "[3]"])
def test_a_file_of_another_form_is_refused(tmp_path, content):
    """What isn't a list of objects is named with its path."""
    (tmp_path / "progressions.json").write_text(content, "utf-8")
    with pytest.raises(DataError, match=r"progressions\.json"):
        read_progressions(tmp_path)
