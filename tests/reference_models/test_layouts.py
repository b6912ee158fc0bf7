"""Each data set is read in the layout in which it is published: labels on its scale, its own split, all items."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rtconform.reference_models.data import load_dataset
from rtconform.reference_models.data.kinds import READERS, VARIED, recognise
from rtconform.reference_models.data.listing import TWICE
from rtconform.reference_models.data.midi import DRUM_CHANNEL, read_midi
from rtconform.reference_models.data.midi_emotion import derived_emotion
from rtconform.reference_models.errors import DataError
from rtconform.reference_models.specs import FIXTURES, load_specs
from tools import make_miniatures

from .listings import everything
from .miniatures import KINDS, cached, copy, miniatures, shared_cache
from .test_data import read_rows, write_rows
from .test_midi import write_midi

__all__ = ["cached", "copy", "miniatures", "shared_cache"]

PAIRS = [(kind, model) for kind in READERS for model in READERS[kind]]
SIX = {"audio-folder", "deam", "deam-dynamic", "pmemo", "midi-folder", "lakh-midi", "chord-json"}


def reader(kind):
    return next(iter(READERS[kind].values()))


def load(kind, model, folder, **more):
    config = {"kind": kind, "path": str(folder), **more}
    return load_dataset(config, model, seed=1, validation_fraction=0.2, sequence_length=16)


def test_every_kind_is_tried_here():
    """A new reader has a miniature, and says how its items can be varied."""
    assert set(KINDS) == set(READERS) == set(VARIED)


@pytest.mark.parametrize(("kind", "model"), PAIRS)
def test_a_miniature_trains_its_models(kind, model, miniatures):
    """Sizes and ranges are the model's, and an item is the same whenever it is read."""
    spec = load_specs().models[model]
    first, second = (load(kind, model, miniatures / KINDS[kind]) for _ in range(2))
    for one, other in ((first.training, second.training), (first.validation, second.validation)):
        assert one.inputs.shape[1:] == (16, spec.input_size)
        assert one.targets.shape[1:] == (16, spec.output_size)
        assert spec.output_range[0] <= one.targets.min() <= one.targets.max() <= spec.output_range[1]
        assert one.ids == other.ids
        assert np.array_equal(one.inputs, other.inputs) and np.array_equal(one.targets, other.targets)
    assert not set(first.training.content_hashes) & set(first.validation.content_hashes)


@pytest.mark.parametrize(("kind", "model"), PAIRS)
def test_the_trainer_needs_nothing_but_the_folder(kind, model, miniatures, tmp_path):
    """Kind and path in the config, with two varied copies of each item: an epoch, and an account of what was used."""
    train = pytest.importorskip("rtconform.reference_models.training.trainer").train
    augment = {"copies": 2, "stretch": 0.1} if "stretch" in VARIED[kind] else {"copies": 2, "transpose": 6}
    dataset = {"kind": kind, "path": str(miniatures / KINDS[kind]), "augment": augment}
    config = {"models": {model: {"dataset": "mine"}}, "datasets": {"mine": dataset}, "training": {"epochs": 1}}
    found = train(config, tmp_path, progress=lambda _: None)["models"][model]
    training, validation = found["items"]["training"], found["items"]["validation"]
    assert len(training) == 3 * len([item for item in training if "#" not in item])
    assert validation and not any("#" in item for item in validation)
    assert np.isfinite(found["validation_loss"])


@pytest.mark.parametrize("kind", sorted(SIX))
def test_all_items_of_a_miniature_are_used(kind, miniatures):
    """Six tunes in, six items out, and nothing left out."""
    recordings, left_out = everything(reader(kind)(miniatures / KINDS[kind]))
    assert (len(recordings), left_out) == (6, [])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "deam-dynamic"])
def test_a_folder_is_recognised(kind, miniatures):
    """By the files that only this kind has."""
    assert recognise(miniatures / kind) == kind


def test_a_folder_of_something_else_is_not_recognised(tmp_path):
    """The message lists what was looked for."""
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"labels\.csv \(audio-folder\).*give its --kind"):
        recognise(tmp_path)


@pytest.mark.parametrize(("kind", "low", "high"), [("audio-folder", -1, 1), ("deam", 1, 9), ("pmemo", 0, 1)])
def test_labels_are_mapped_from_the_scale_of_their_data_set(kind, low, high, copy):
    """The ends of its scale are -1 and 1, its middle is 0, and valence is not taken for arousal."""
    table, valence, arousal = {
        "audio-folder": ("labels.csv", 1, 2),
        "deam": (
            "annotations/annotations averaged per song/song_level/static_annotations_averaged_songs_1_2000.csv",
            1,
            3,
        ),
        "pmemo": ("annotations/static_annotations.csv", 2, 1),
    }[kind]
    folder = copy(kind)
    rows = read_rows(folder / table)
    for row, value in zip(rows[1:], (low, (low + high) / 2, high), strict=False):
        row[valence], row[arousal] = value, high
    write_rows(folder / table, rows)
    recordings, _ = everything(reader(kind)(folder))
    named = {recording.id: recording for recording in recordings}
    ids = [recording.id for recording in recordings[:3]]
    for item, value in zip(ids, (-1.0, 0.0, 1.0), strict=True):
        assert named[item].emotion == (value, 1.0)
        assert np.all(named[item].targets[:, :32] == value) and np.all(named[item].targets[:, 32:] == 1.0)


def test_deam_is_read_where_its_archives_unpack_it(copy):
    """`MEMD_audio` for `audio`, and the tables under the name of their archive."""
    folder = copy("deam")
    names = [recording.content_hash for recording in everything(reader("deam")(folder))[0]]
    (folder / "DEAM_audio").mkdir()
    (folder / "audio").rename(folder / "DEAM_audio" / "MEMD_audio")
    (folder / "DEAM_Annotations").mkdir()
    (folder / "annotations").rename(folder / "DEAM_Annotations" / "annotations")
    for kind in ("deam", "deam-dynamic"):
        assert [recording.content_hash for recording in everything(reader(kind)(folder))[0]] == names


def test_a_songs_number_is_one_number_however_it_is_written(copy):
    """Tables have 2, 2.0 and 0002; of two files of one song the first is used, and the other is accounted for."""
    folder = copy("pmemo")
    table = folder / "annotations" / "static_annotations.csv"
    rows = read_rows(table)
    rows[1][0], rows[2][0] = f"{rows[1][0]}.0", f"000{rows[2][0]}"
    write_rows(table, rows)
    shutil.copy(folder / "chorus" / "9.mp3", folder / "chorus" / "09.wav")
    recordings, left_out = everything(reader("pmemo")(folder))
    assert len(recordings) == 6 and {recording.id for recording in recordings} >= {"chorus/1.mp3", "chorus/4.mp3"}
    assert [(entry.item, entry.cause) for entry in left_out] == [("chorus/9.mp3", TWICE)]


def test_deams_moments_are_asked_for_where_they_were_rated(miniatures):
    """Frames from 15.0 to 17.0 s, each with the annotation at its end, linear in between."""
    recordings, _ = everything(reader("deam-dynamic")(miniatures / "deam"))
    whole, _ = everything(reader("deam")(miniatures / "deam"))
    (table,) = (miniatures / "deam").rglob("valence.csv")
    by_song = {row[0]: [float(cell) for cell in row[1:]] for row in read_rows(table)[1:]}
    for recording, song in zip(recordings, whole, strict=True):
        annotations = by_song[Path(recording.id).stem]
        ends = (np.arange(len(song.inputs)) * 512 + 2048) / 22050
        chosen = (ends >= 15.0) & (ends <= 17.0)
        assert len(recording.inputs) == chosen.sum() == 87
        assert np.array_equal(recording.inputs, song.inputs[chosen])
        wanted = np.interp(ends[chosen], 15.0 + 0.5 * np.arange(5), annotations)
        np.testing.assert_allclose(recording.targets[:, 0], wanted, atol=1e-6)
        assert recording.targets[0, 0] != recording.targets[-1, 0]


def test_empty_cells_are_moments_without_annotation(copy):
    """As at the end of each row of the real tables: the songs differ in length."""
    folder = copy("deam")
    (table,) = folder.rglob("arousal.csv")
    rows = read_rows(table)
    rows[1][4:] = ["", ""]
    write_rows(table, rows)
    recordings, left_out = everything(reader("deam-dynamic")(folder))
    assert not left_out
    assert len(recordings[0].inputs) == 44 and len(recordings[1].inputs) == 87


@pytest.mark.parametrize("form", ["csv", "json", "list"])
def test_maestro_is_read_from_any_of_its_tables(form, copy):
    """CSV, the columns of version 3's JSON, and the list of version 2's give the same items with their splits."""
    folder = copy("maestro")
    columns = json.loads((folder / "maestro-v3.0.0.json").read_text())
    if form != "csv":
        (folder / "maestro-v3.0.0.csv").unlink()
    if form == "list":
        rows = [{name: column[str(i)] for name, column in columns.items()} for i in range(6)]
        (folder / "maestro-v3.0.0.json").unlink()
        (folder / "maestro-v2.0.0.json").write_text(json.dumps(rows))
    listing = reader("maestro")(folder)
    splits = [candidate.split for candidate in listing.candidates]
    assert splits == ["training"] * 4 + ["validation", "test"]
    recordings, left_out = everything(listing)
    assert not left_out
    assert recordings[0].id == columns["midi_filename"]["0"]
    assert recordings[0].group == f"Traditional: {columns['canonical_title']['0']}"


def test_maestro_keeps_its_own_split(miniatures):
    """No seed moves an item, and the test performances are on neither side."""
    splits = load("maestro", "MelodyTransformer", miniatures / "maestro")
    assert (len(splits.training.ids), len(splits.validation.ids)) == (4, 1)
    assert [reason for _, reason in splits.left_out] == ["held back by the data set's own split: test"]


def test_lakhs_files_that_match_one_song_are_one_composition(copy):
    """In lmd_matched the folder is the song; in lmd_full each file is its own."""
    folder = copy("lakh-midi")
    song = folder / "A" / "A" / "A" / "TRAAAGR128F425B14B"
    song.mkdir(parents=True)
    for path in sorted(folder.glob("?/*.mid"))[:2]:
        path.rename(song / path.name)
    groups = [recording.group for recording in everything(reader("lakh-midi")(folder))[0]]
    assert groups.count("TRAAAGR128F425B14B") == 2 and len(set(groups)) == 5


@pytest.mark.parametrize("kind", ["lakh-midi", "maestro"])
@pytest.mark.parametrize("key", [lambda path: path.as_posix(), lambda path: path.stem])
def test_labels_may_be_put_beside_a_collection(kind, key, copy):
    """By path or by name; then only what they name is used, and all of it with its label."""
    folder = copy(kind)
    plain, _ = everything(reader(kind)(folder))
    chosen = [recording.id for recording in plain[:3]]
    pair = {"valence": 0.25, "arousal": -0.5}
    (folder / "labels.json").write_text(json.dumps({key(Path(name)): pair for name in chosen}))
    recordings, left_out = everything(reader(kind)(folder))
    assert [recording.id for recording in recordings] == chosen
    assert {recording.emotion for recording in recordings} == {(0.25, -0.5)}
    assert len(left_out) == 3 and all("no entry" in entry.reason for entry in left_out)


def test_a_derived_emotion_follows_mode_pace_and_loudness():
    """The bundled tunes in major are happier than in minor; quicker and louder notes excite."""
    majors = sorted((FIXTURES / "midi").glob("*-major.mid"))
    higher = [
        derived_emotion(read_midi(path))[0]
        > derived_emotion(read_midi(path.with_name(path.name.replace("-major", "-minor"))))[0]
        for path in majors
    ]
    assert len(majors) >= 10 and np.mean(higher) > 0.85


def test_a_derived_emotion_is_defined_for_every_song(tmp_path):
    """One note, all twelve, quick and loud, slow and soft: within [-1, 1]; drums alone have none."""
    loud = [(beat / 8, 0.1, 60 + beat % 2, 127) for beat in range(64)]
    soft = [(4 * beat, 4, 60, 1) for beat in range(4)]
    chromatic = [(beat, 1, 60 + beat, 64) for beat in range(12)]
    found = [derived_emotion(read_midi(write_midi(tmp_path / "a.mid", notes))) for notes in (loud, soft, chromatic)]
    assert all(-1 <= value <= 1 for pair in found for value in pair)
    assert found[0][1] > 0.8 and found[1][1] < -0.8 and found[2][0] == 0.0
    drums = read_midi(write_midi(tmp_path / "d.mid", loud, channel=DRUM_CHANNEL))
    with pytest.raises(DataError, match="drums alone"):
        derived_emotion(drums)


def test_the_maker_makes_the_same_folders_again(miniatures, tmp_path):
    """Names, tables and MIDI files do not change; each folder is small."""
    make_miniatures.main([str(tmp_path), "pmemo", "maestro", "lakh-midi", "groove-midi", "chord-json"])
    for folder in tmp_path.iterdir():
        for path in (path for path in folder.rglob("*") if path.is_file()):
            twin = miniatures / path.relative_to(tmp_path)
            digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (path, twin)]
            assert digests[0] == digests[1] or path.suffix == ".mp3", path
    assert sum(path.stat().st_size for path in miniatures.rglob("*") if path.is_file()) < 3 << 20
