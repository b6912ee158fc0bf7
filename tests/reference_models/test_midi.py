"""MIDI against the clock: seconds, bars, and what melody, dynamics and groove are made of."""

import json

import mido
import numpy as np
import pytest

from rtconform.reference_models.data.features import HOP, RATE, frame_ends
from rtconform.reference_models.data.groove_midi import groove_emotion, groove_targets, read_grooves
from rtconform.reference_models.data.midi import read_midi
from rtconform.reference_models.data.midi_folder import read_melodies
from rtconform.reference_models.data.midi_item import dynamics_inputs, dynamics_targets, melody_targets
from rtconform.reference_models.errors import DataError
from rtconform.reference_models.specs import FIXTURES

from .listings import everything

TICKS = 480


def write_midi(path, notes, *, meta=(), channel=0):
    """A file of (onset, length in beats, pitch, velocity) with meta messages at beats."""
    events = [(round(beat * TICKS), 0, message) for beat, message in meta]
    for onset, length, pitch, velocity in notes:
        common = {"channel": channel, "note": pitch}
        events.append((round(onset * TICKS), 2, mido.Message("note_on", velocity=velocity, **common)))
        events.append((round((onset + length) * TICKS), 1, mido.Message("note_off", **common)))
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    file = mido.MidiFile(ticks_per_beat=TICKS)
    file.tracks.append(track)
    file.save(path)
    return path


def tempo(bpm):
    return mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))


def metre(numerator, denominator):
    return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)


def test_ticks_become_seconds_through_every_tempo_change(tmp_path):
    """Two beats at 60, then 120 beats per minute: the note on beat 4 begins after 3 s and not after 4 beats' ticks."""
    notes = [(0, 1, 60, 64), (2, 1, 62, 64), (4, 2, 64, 64)]
    song = read_midi(write_midi(tmp_path / "a.mid", notes, meta=[(0, tempo(60)), (2, tempo(120))]))
    np.testing.assert_allclose(song.start, [0, 2, 3], atol=1e-6)
    np.testing.assert_allclose(song.end, [1, 2.5, 4], atol=1e-6)
    np.testing.assert_allclose(song.beat, [0, 2, 4])
    np.testing.assert_allclose(song.bar_times, [0, 3, 5], atol=1e-6)


def test_a_file_without_tempo_plays_at_120(tmp_path):
    """The default of the MIDI standard is half a second per quarter note."""
    assert read_midi(write_midi(tmp_path / "a.mid", [(1, 1, 60, 64)])).start[0] == pytest.approx(0.5)


def test_a_new_metre_begins_a_bar(tmp_path):
    """Two bars of 3/4, then 4/4, then what is left in 6/8."""
    song = read_midi(
        write_midi(tmp_path / "a.mid", [(0, 16, 60, 64)], meta=[(0, metre(3, 4)), (6, metre(4, 4)), (10, metre(6, 8))])
    )
    np.testing.assert_allclose(song.bars, [0, 3, 6, 10, 13, 16])


def test_repeated_and_unfinished_notes_keep_their_own_lengths(tmp_path):
    """An end belongs to the first open note of its pitch; a note without end lasts as long as its track."""
    track = mido.MidiTrack(
        [
            mido.Message("note_on", note=60, velocity=50),
            mido.Message("note_on", note=60, velocity=90, time=TICKS),
            mido.Message("note_on", note=60, velocity=0, time=TICKS),
            mido.MetaMessage("end_of_track", time=2 * TICKS),
        ]
    )
    file = mido.MidiFile(ticks_per_beat=TICKS, tracks=[track])
    file.save(tmp_path / "a.mid")
    song = read_midi(tmp_path / "a.mid")
    np.testing.assert_allclose(song.beats, [2, 3])
    assert list(song.velocity) == [50, 90]


@pytest.mark.parametrize("content", [b"", b"MThd", b"RIFF1234WAVE", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x0a\0\x90"])
def test_damaged_files_are_refused_by_name(tmp_path, content):
    """Whatever the MIDI library stumbles over becomes one message with the path."""
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mid"):
        read_midi(tmp_path / "a.mid")


def test_a_file_without_notes_is_refused(tmp_path):
    """An empty MIDI file has nothing to teach."""
    with pytest.raises(DataError, match="expected notes, found none"):
        read_midi(write_midi(tmp_path / "a.mid", []))


def test_smpte_time_and_absurd_lengths_are_refused(tmp_path):
    """A file in SMPTE frames has no beats, and a note years ahead is damage."""
    path = write_midi(tmp_path / "a.mid", [(0, 1, 60, 64)])
    data = bytearray(path.read_bytes())
    data[12:14] = b"\xe7\x28"
    path.write_bytes(data)
    with pytest.raises(DataError, match="SMPTE"):
        read_midi(path)
    data[12:14] = b"\0\0"
    path.write_bytes(data)
    with pytest.raises(DataError, match="found a division of 0 ticks"):
        read_midi(path)
    with pytest.raises(DataError, match="less than a day"):
        read_midi(write_midi(path, [(500_000, 1, 60, 64)]))


def test_melody_targets_are_the_notes_of_the_next_hop(tmp_path):
    """A note is on in exactly those frames whose following hop it sounds in; drums are no melody."""
    song = read_midi(write_midi(tmp_path / "a.mid", [(0, 1, 60, 64), (1, 1, 67, 64)]))
    targets = melody_targets(song, 35)
    now = frame_ends(35)
    assert set(np.unique(targets)) == {0.0, 1.0}
    assert np.array_equal(targets[:, 60], now < 0.5)
    assert np.array_equal(targets[:, 67], (now + HOP / RATE > 0.5) & (now < 1.0))
    assert targets.sum() == targets[:, [60, 67]].sum()
    drums = read_midi(write_midi(tmp_path / "d.mid", [(0, 1, 36, 64)], channel=9))
    assert melody_targets(drums, 10).sum() == 0


def test_dynamics_tell_velocity_timing_and_expression_apart(tmp_path):
    """Loud, early and detached in the first half of the bar; soft, late and connected in the second."""
    first = [(0.5 + beat - 0.05, 0.125, 60, 127) for beat in (0, 0.5, 1)]
    second = [(2 + beat + 0.05, 0.5, 60, 32) for beat in (0, 0.5, 1, 1.5)]
    song = read_midi(write_midi(tmp_path / "a.mid", first + second))
    row = dynamics_targets(song, 20)[10]
    # Nothing begins on the bar's first eighth, so the bar's mean stands there.
    np.testing.assert_allclose(row[:8], [(3 * 127 + 4 * 32) / 7 / 127, 1, 1, 1, *[32 / 127] * 4], atol=1e-6)
    np.testing.assert_allclose(row[8:12], [0.3, 0.3, 0.7, 0.7], atol=2e-3)
    # The note before the pause sounds 0.125 of 0.6 beats.
    np.testing.assert_allclose(row[12:], [0.25, (0.25 + 0.125 / 0.6) / 2, 1, 1], atol=2e-3)


def test_a_bar_without_notes_is_played_like_the_one_before(tmp_path):
    """Silence changes nothing; before the first note the first bar's playing stands."""
    song = read_midi(write_midi(tmp_path / "a.mid", [(4, 1, 60, 100), (12, 1, 60, 20)], meta=[(0, tempo(240))]))
    velocity = dynamics_targets(song, 130)[:, 0] * 127
    bar = (frame_ends(130) // 1.0).astype(int)
    np.testing.assert_allclose(velocity, np.array([100, 100, 100, 20])[bar], atol=1e-4)


def test_dynamics_hear_sixteen_dims_of_valence_and_sixteen_of_arousal():
    """E[0:16] and E[32:48], so that both reach the model."""
    heard = np.arange(128.0).reshape(2, 64)
    assert np.array_equal(dynamics_inputs(heard)[0], np.r_[0:16, 32:48])


def test_groove_targets_hold_each_sixteenths_timing_and_velocity(tmp_path):
    """A hit before the bar line counts as the next bar's first, early; a step without hit is silent and on time."""
    hits = [(0, 0.1, 36, 127), (1.0625, 0.1, 38, 64), (4 - 0.0625, 0.1, 36, 127), (6, 0.1, 38, 1)]
    song = read_midi(write_midi(tmp_path / "a.mid", hits, channel=9))
    first, second = groove_targets(song, 120)[[10, 110]]
    wanted = np.r_[np.zeros(16), np.full(16, -1.0)]
    wanted[[4, 16, 20]] = 0.5, 1.0, 2 * 64 / 127 - 1
    np.testing.assert_allclose(first, wanted, atol=1e-6)
    wanted = np.r_[np.zeros(16), np.full(16, -1.0)]
    wanted[[0, 16, 24]] = -0.5, 1.0, 2 / 127 - 1
    np.testing.assert_allclose(second, wanted, atol=1e-6)


def test_a_last_note_just_before_the_bar_line_opens_a_bar(tmp_path):
    """The bar that it belongs to exists even though nothing reaches it."""
    song = read_midi(write_midi(tmp_path / "a.mid", [(0, 0.1, 36, 100), (3.95, 0.01, 36, 100)], channel=9))
    np.testing.assert_allclose(song.bars, [0, 4, 8])
    assert groove_targets(song, 40)[0, 31] == -1.0


def test_a_styles_emotion_moves_with_the_tempo():
    """Arousal lies midway between the style's and the tempo's; 220 bpm is an octave above medium and no more than 1."""
    assert groove_emotion((0.3, 0.5), 110.0) == (0.3, 0.25)
    assert groove_emotion((0.3, 0.5), 220.0) == groove_emotion((0.3, 0.5), 400.0) == (0.3, 0.75)


def write_info(folder, **columns):
    values = {"id": "a/b/1", "style": "funk/groove1", "bpm": "120", "beat_type": "beat", "time_signature": "4-4"}
    values |= {"midi_filename": "a.mid", "split": "train", **columns}
    (folder / "info.csv").write_text(
        "\n".join(",".join(row) for row in (values.keys(), values.values())) + "\n", "utf-8"
    )


def test_the_groove_layout_is_read_with_its_style_and_split(tmp_path):
    """The style counts up to its slash, and the split is the data set's."""
    write_midi(tmp_path / "a.mid", [(0, 0.1, 36, 100), (3.9, 0.1, 36, 100)], channel=9)
    write_info(tmp_path)
    recordings, left_out = everything(read_grooves(tmp_path))
    assert [(r.id, r.group, r.split) for r in recordings] == [("a.mid", "a/b/1", "training")]
    assert not left_out


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"beat_type": "fill"}, "a fill, not a beat"),
        ({"time_signature": "6-8"}, "'6-8', not 4-4"),
        ({"style": "polka"}, "'polka'; add it to style_emotions.json"),
        ({"midi_filename": "gone.mid"}, "the file doesn't exist"),
    ],
)
def test_what_holds_no_groove_is_left_out_with_the_reason(tmp_path, columns, words):
    """Fills, other metres, unknown styles and missing files are named, and the run goes on."""
    write_midi(tmp_path / "a.mid", [(0, 0.1, 36, 100)], channel=9)
    write_info(tmp_path, **columns)
    recordings, left_out = everything(read_grooves(tmp_path))
    assert not recordings
    assert words in left_out[0].reason


@pytest.mark.parametrize(
    ("columns", "words"), [({"bpm": "fast"}, "'fast'"), ({"bpm": "0"}, "'0'"), ({"split": "dev"}, "'dev'")]
)
def test_a_groove_table_with_senseless_values_is_refused(tmp_path, columns, words):
    """A tempo that isn't one or an unknown split stops the reading with the line."""
    write_info(tmp_path, **columns)
    with pytest.raises(DataError, match="line 2") as error:
        read_grooves(tmp_path)
    assert words in str(error.value)


def test_midi_files_without_label_or_music_are_left_out_with_the_reason(tmp_path):
    """Nested folders are read; an unlabelled, a damaged, an empty and a missing file are each named."""
    (tmp_path / "nested").mkdir()
    write_midi(tmp_path / "nested" / "good.mid", [(0, 4, 60, 64)])
    write_midi(tmp_path / "nested" / "unlabelled.MID", [(0, 4, 60, 64)])
    write_midi(tmp_path / "empty.mid", [])
    (tmp_path / "damaged.mid").write_bytes(b"MThd")
    names = ("nested/good.mid", "empty.mid", "damaged.mid", "gone.mid")
    labels = {name: {"emotion": {"valence": 0, "arousal": 0}} for name in names}
    (tmp_path / "labels.json").write_text(json.dumps(labels), "utf-8")
    recordings, left_out = everything(read_melodies(tmp_path))
    assert [recording.id for recording in recordings] == ["nested/good.mid"]
    assert {entry.item for entry in left_out} == {"nested/unlabelled.MID", "empty.mid", "damaged.mid", "gone.mid"}


def test_the_bundled_tunes_come_in_both_modes():
    """Every MIDI fixture can be read; a tune's two settings have the same number of notes, other pitches and tempo."""
    paths = sorted((FIXTURES / "midi").glob("*.mid"))
    assert len(paths) >= 30
    for major in (path for path in paths if path.stem.endswith("-major")):
        one, other = read_midi(major), read_midi(major.with_name(major.name.replace("-major", "-minor")))
        assert len(one.pitch) == len(other.pitch) > 20
        assert not np.array_equal(one.pitch, other.pitch)
        assert one.seconds != pytest.approx(other.seconds)
