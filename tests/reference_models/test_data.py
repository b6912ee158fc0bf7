"""Data sets become sequences: deterministic, split by composition, with an account of everything left out."""

import csv
import json
import shutil

import numpy as np
import pytest
import soundfile

from rtconform.reference_models.data import load_dataset, sound
from rtconform.reference_models.data.audio_folder import read_audio_folder
from rtconform.reference_models.data.embedding import embedding, heard_embedding
from rtconform.reference_models.data.feature_cache import cached_array
from rtconform.reference_models.data.loading import BUNDLED_FOLDER
from rtconform.reference_models.errors import ConfigError, DataError
from rtconform.reference_models.specs import load_specs

from .listings import everything

BUNDLED = {
    "EmotionRecognizer": {"kind": "audio-folder", "path": "bundled:audio"},
    "MelodyTransformer": {"kind": "midi-folder", "path": "bundled:midi", "max_seconds": 1.6},
    "HarmonyPredictor": {"kind": "chord-json", "path": "bundled:chords"},
    "DynamicsEngine": {"kind": "midi-folder", "path": "bundled:midi"},
    "GroovePredictor": {"kind": "groove-midi", "path": "bundled:groove"},
}
MODELS = sorted(BUNDLED)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """Features go to a folder of this test run, so that no earlier run can help or hurt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTCONFORM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def load(model, config=None, *, seed=0, fraction=0.2, length=16):
    return load_dataset(
        config or BUNDLED[model], model, seed=seed, validation_fraction=fraction, sequence_length=length
    )


def same(a, b):
    return all(
        x.ids == y.ids and np.array_equal(x.inputs, y.inputs) and np.array_equal(x.targets, y.targets)
        for x, y in ((a.training, b.training), (a.validation, b.validation))
    )


def composition(model, item):
    """The tune (or, for drums, the recording) that an item of a bundled data set renders."""
    if model == "GroovePredictor":
        return item
    return item.split("/")[0] if "/" in item else item.rsplit("-", 1)[0]


@pytest.fixture
def sounds(tmp_path):
    """A folder of four labelled recordings of four compositions."""
    rows = [("file", "valence", "arousal", "composition")]
    for index in range(4):
        tone = 0.5 * np.sin(np.arange(22_050) * 0.05 * (index + 1))
        soundfile.write(tmp_path / f"{index}.wav", tone, 22_050)
        rows.append((f"{index}.wav", -0.9 + 0.6 * index, 0.5, f"tune {index}"))
    write_rows(tmp_path / "labels.csv", rows)
    return tmp_path


def write_rows(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def read_rows(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def audio_config(folder, **limits):
    return {"kind": "audio-folder", "path": str(folder), **limits}


@pytest.mark.parametrize("model", MODELS)
def test_the_bundled_data_fit_their_model(model):
    """Sizes are the model's, values lie in its range, and frames times weights are few enough for a short training."""
    spec, splits = load_specs().models[model], load(model)
    assert not splits.left_out
    frames = 0
    for items in (splits.training, splits.validation):
        count = len(items.item_of)
        assert items.inputs.shape == (count, 16, spec.input_size)
        assert items.targets.shape == (count, 16, spec.output_size)
        assert items.inputs.dtype == items.targets.dtype == np.float32
        assert np.abs(items.inputs).max() <= 1.0
        low, high = spec.output_range
        assert low <= items.targets.min() <= items.targets.max() <= high
        assert sorted(set(items.item_of)) == list(range(len(items.ids)))
        assert len(items.content_hashes) == len(items.ids) >= 9
        frames += count * 16
    assert frames * spec.parameters_torch <= 5e9
    assert len(splits.training.ids) >= 90


@pytest.mark.parametrize("model", MODELS)
def test_items_are_the_same_on_every_access(model):
    """Two readings of one folder are equal to the last bit: no random number is drawn on access."""
    assert same(load(model), load(model))


@pytest.mark.parametrize("model", MODELS)
def test_no_recording_and_no_composition_is_on_both_sides(model):
    """Ids, contents and tunes of training and validation are disjoint."""
    for seed in range(5):
        splits = load(model, seed=seed)
        training, validation = splits.training, splits.validation
        assert not set(training.ids) & set(validation.ids)
        assert not set(training.content_hashes) & set(validation.content_hashes)
        tunes = [{composition(model, item) for item in side.ids} for side in (training, validation)]
        assert not tunes[0] & tunes[1]


@pytest.mark.parametrize("model", [model for model in MODELS if model != "GroovePredictor"])
def test_the_seed_chooses_the_split_and_the_fraction_its_size(model):
    """Seeds give different validation items, as many as the fraction asks to within one composition."""
    sides = {load(model, seed=seed).validation.ids for seed in range(4)}
    assert len(sides) > 1
    for fraction in (0.1, 0.2, 0.5):
        splits = load(model, fraction=fraction)
        total = len(splits.training.ids) + len(splits.validation.ids)
        assert abs(len(splits.validation.ids) - fraction * total) <= 3


def test_the_groove_data_keep_their_own_split():
    """Where info.csv says which items validate, no seed moves them."""
    rows = read_rows(BUNDLED_FOLDER / "groove" / "info.csv")
    name, split = rows[0].index("midi_filename"), rows[0].index("split")
    wanted = sorted(row[name] for row in rows[1:] if row[split] == "validation")
    assert sorted(load("GroovePredictor", seed=7).validation.ids) == wanted


def test_items_that_the_data_set_holds_back_are_on_no_side_and_reported(tmp_path):
    """Rows of the split called test neither train nor validate."""
    folder = tmp_path / "groove"
    shutil.copytree(BUNDLED_FOLDER / "groove", folder)
    header, first, *rows = read_rows(folder / "info.csv")
    held_back = first[header.index("midi_filename")]
    first[header.index("split")] = "test"
    write_rows(folder / "info.csv", [header, first, *rows])
    splits = load("GroovePredictor", {"kind": "groove-midi", "path": str(folder)})
    assert held_back not in splits.training.ids + splits.validation.ids
    assert splits.left_out == ((held_back, "held back by the data set's own split: test"),)


def test_audio_is_asked_for_valence_in_the_lower_half_and_arousal_in_the_upper(sounds):
    """Each frame of a recording has its row's label as target."""
    recordings, _ = everything(read_audio_folder(sounds))
    for recording, valence in zip(recordings, (-0.9, -0.3, 0.3, 0.9), strict=True):
        assert recording.targets.shape == (40, 64)
        np.testing.assert_allclose(recording.targets[:, :32], valence, atol=1e-6)
        np.testing.assert_allclose(recording.targets[:, 32:], 0.5, atol=1e-6)


def test_the_split_depends_on_no_label(tmp_path):
    """Other labels change targets and nothing else: ids, sides and inputs stay."""
    folder = tmp_path / "audio"
    shutil.copytree(BUNDLED_FOLDER / "audio", folder)
    header, *rows = read_rows(folder / "labels.csv")
    write_rows(folder / "labels.csv", [header, *([row[0], row[2], row[1], row[3]] for row in rows)])
    before, after = load("EmotionRecognizer"), load("EmotionRecognizer", audio_config(folder))
    for a, b in ((before.training, after.training), (before.validation, after.validation)):
        assert a.ids == b.ids
        assert np.array_equal(a.inputs, b.inputs)
        assert np.array_equal(np.roll(a.targets, 32, axis=2), b.targets)


def test_identical_recordings_stay_on_one_side_whatever_they_are_called(sounds):
    """A copy of a recording under another name and composition validates or trains together with it."""
    shutil.copy(sounds / "0.wav", sounds / "copy.wav")
    write_rows(sounds / "labels.csv", [*read_rows(sounds / "labels.csv"), ("copy.wav", 0.1, 0.1, "another tune")])
    for seed in range(8):
        splits = load("EmotionRecognizer", audio_config(sounds), seed=seed)
        assert not set(splits.training.content_hashes) & set(splits.validation.content_hashes)


def test_sequences_of_a_recording_follow_each_other(sounds):
    """Cut into 8 frames or into 4, the same frames come in the same order, and the rest at the end is dropped."""
    eight = load("EmotionRecognizer", audio_config(sounds), length=8).training
    four = load("EmotionRecognizer", audio_config(sounds), length=4).training
    for item in range(len(eight.ids)):
        whole = eight.inputs[eight.item_of == item].reshape(-1, 128)
        assert np.array_equal(whole, four.inputs[four.item_of == item].reshape(-1, 128)[: len(whole)])
        assert np.array_equal(whole, sound.features_of(sounds / eight.ids[item])[0][: len(whole)])


def test_limits_shorten_recordings_and_their_number(sounds):
    """max_seconds cuts each recording, max_items keeps the first by name and reports the others."""
    splits = load("EmotionRecognizer", audio_config(sounds, max_seconds=0.5), length=1)
    assert len(splits.training.inputs) == 3 * 18
    splits = load("EmotionRecognizer", audio_config(sounds, max_items=2))
    assert set(splits.training.ids + splits.validation.ids) == {"0.wav", "1.wav"}
    assert [item for item, _ in splits.left_out] == ["2.wav", "3.wav"]


def test_everything_left_out_is_reported_with_its_reason(sounds):
    """A corrupt file, a short one, one without label and a label without file: the rest is read, each is named."""
    (sounds / "corrupt.wav").write_bytes(b"no sound at all")
    soundfile.write(sounds / "short.wav", np.zeros(100), 22_050)
    soundfile.write(sounds / "unlabelled.flac", np.zeros(22_050), 22_050)
    extra = [(name, 0.0, 0.0, name) for name in ("corrupt.wav", "short.wav", "gone.wav")]
    write_rows(sounds / "labels.csv", [*read_rows(sounds / "labels.csv"), *extra])
    splits = load("EmotionRecognizer", audio_config(sounds))
    reasons = dict(splits.left_out)
    assert set(reasons) == {"corrupt.wav", "short.wav", "unlabelled.flac", "gone.wav"}
    assert "libsndfile" in reasons["corrupt.wav"]
    assert "too short" in reasons["short.wav"]
    assert "no entry" in reasons["unlabelled.flac"]
    assert "line 8" in reasons["gone.wav"] and "doesn't exist" in reasons["gone.wav"]
    assert len(splits.training.ids) + len(splits.validation.ids) == 4


@pytest.mark.parametrize("value", ["1.5", "nan", "happy", "", "-1.0001"])
def test_a_label_outside_its_scale_costs_its_item(sounds, value):
    """One row in four is a slip: it is left out with file, line, value and scale."""
    rows = read_rows(sounds / "labels.csv")
    rows[2][1] = value
    write_rows(sounds / "labels.csv", rows)
    splits = load("EmotionRecognizer", audio_config(sounds))
    ((item, reason),) = splits.left_out
    assert item == "1.wav"
    for words in ("labels.csv, line 3", "valence", "from -1 to 1", repr(value)):
        assert words in reason
    assert len(splits.training.ids) + len(splits.validation.ids) == 3


@pytest.mark.parametrize(("wrong", "stops"), [(2, False), (3, True), (4, True)])
def test_a_wrong_scale_stops_the_reading(sounds, wrong, stops):
    """More than half of the rows outside is no slip: the first is quoted, and how many are like it."""
    header, *rows = read_rows(sounds / "labels.csv")
    write_rows(sounds / "labels.csv", [header, *([row[0], "6.2", *row[2:]] for row in rows[:wrong]), *rows[wrong:]])
    if not stops:
        assert len(load("EmotionRecognizer", audio_config(sounds)).left_out) == wrong
        return
    with pytest.raises(DataError, match=rf"line 2.*found '6\.2'.*\({wrong} of 4 rows are like that"):
        load("EmotionRecognizer", audio_config(sounds))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "audio-foldr"}, "did you mean 'audio-folder'?"),
        ({"kind": None}, "'kind' as a text"),
        ({"path": "/no/such/folder"}, "/no/such/folder"),
        ({"path": "bundled:audoi"}, "audio, chords, groove, midi"),
        ({"paht": "x"}, "did you mean 'path'?"),
        ({"max_items": 1}, "at least 2"),
        ({"max_seconds": 0}, "positive"),
        ({"max_seconds": "3"}, "positive"),
        ({"kind": "midi-folder"}, "EmotionRecognizer needs audio-folder or deam"),
    ],
)
def test_a_config_that_cant_be_honoured_is_refused_by_name(change, words):
    """Unknown kinds and keys, impossible limits and missing folders say what was found and what would do."""
    with pytest.raises(ConfigError) as error:
        load("EmotionRecognizer", {**BUNDLED["EmotionRecognizer"], **change})
    assert words in str(error.value)


@pytest.mark.parametrize("arguments", [{"fraction": 0.0}, {"fraction": 1.0}, {"length": 0}, {"length": True}])
def test_impossible_sizes_are_refused(arguments):
    """A validation share outside (0, 1) or a sequence of no frames is an error."""
    with pytest.raises(ConfigError):
        load("EmotionRecognizer", **arguments)


@pytest.mark.parametrize("model", MODELS)
def test_an_empty_folder_says_which_file_it_lacks(model, tmp_path):
    """Each kind names the table that it looked for."""
    with pytest.raises(DataError, match=r"labels\.csv|labels\.json|progressions\.json|info\.csv"):
        load(model, {**BUNDLED[model], "path": str(tmp_path)})


def test_too_little_data_is_refused(sounds):
    """No usable recording, or a single composition, can't be trained on and validated."""
    with pytest.raises(DataError, match="found none that can be used"):
        load("EmotionRecognizer", audio_config(sounds), length=1000)
    header, *rows = read_rows(sounds / "labels.csv")
    write_rows(sounds / "labels.csv", [header, *([*row[:3], "one"] for row in rows)])
    with pytest.raises(DataError, match="two compositions"):
        load("EmotionRecognizer", audio_config(sounds))


def test_a_table_without_its_columns_is_refused(sounds):
    """The missing columns are named beside those found."""
    write_rows(sounds / "labels.csv", [("name", "valence"), ("0.wav", "0")])
    with pytest.raises(DataError, match="found name, valence; add file, arousal"):
        load("EmotionRecognizer", audio_config(sounds))


def test_a_second_reading_hears_no_audio(sounds, monkeypatch):
    """Features come from the cache once they are there; another content is another entry."""
    first = load("EmotionRecognizer", audio_config(sounds))

    def deaf(path):
        raise DataError(f"{path} was opened")

    monkeypatch.setattr(sound, "read_audio", deaf)
    assert same(first, load("EmotionRecognizer", audio_config(sounds)))
    soundfile.write(sounds / "0.wav", np.zeros(22_050), 22_050)
    assert dict(load("EmotionRecognizer", audio_config(sounds)).left_out) == {"0.wav": f"{sounds / '0.wav'} was opened"}


def test_the_cache_is_keyed_by_content_and_parameters(tmp_path, monkeypatch):
    """The same content with another parameter is computed anew, and so is an entry that was damaged."""
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path))
    calls = []

    def compute():
        calls.append(len(calls))
        return np.arange(3.0) + len(calls)

    assert np.array_equal(cached_array("a", {"hop": 1}, compute), cached_array("a", {"hop": 1}, compute))
    assert len(calls) == 1
    cached_array("a", {"hop": 2}, compute)
    cached_array("b", {"hop": 1}, compute)
    assert len(calls) == 3
    for entry in (tmp_path / "features").rglob("*.npy"):
        entry.write_bytes(entry.read_bytes()[:-5])
    cached_array("a", {"hop": 1}, compute)
    assert len(calls) == 4
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_cache_that_cant_be_written_costs_only_time(tmp_path, monkeypatch):
    """Where the cache folder can't exist, features are computed and returned all the same."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path / "file"))
    assert np.array_equal(cached_array("a", {}, lambda: np.ones(2)), np.ones(2))


def test_what_is_heard_of_an_emotion_wanders_with_the_item_and_not_with_its_label():
    """The wandering comes from the item's name alone, so a label can't be read from it."""
    assert np.array_equal(embedding(0.25, -0.5), np.r_[np.full(32, 0.25), np.full(32, -0.5)].astype(np.float32))
    one, other = heard_embedding("a", 0.0, 0.0, 50), heard_embedding("a", 0.1, 0.0, 50)
    unclipped = np.abs(one[:, :32]) < 0.85
    np.testing.assert_allclose((other - one)[:, :32][unclipped], 0.1, atol=1e-6)
    assert not np.array_equal(one, heard_embedding("b", 0.0, 0.0, 50))
    assert np.abs(one).max() <= 1.0


@pytest.mark.parametrize("model", MODELS)
def test_a_linear_model_learns_from_the_bundled_data_and_not_from_shuffled_labels(model):
    """Ridge regression on single frames beats the best constant on held-out items; with targets permuted it doesn't."""
    assert ridge_ratio(load(model)) < 0.85
    assert ridge_ratio(load(model), shuffled=True) > 0.95


def ridge_ratio(splits, shuffled=False):
    """Held-out squared error of a linear fit, over that of the held-out items' own mean."""
    training, validation = splits.training, splits.validation
    targets = training.targets
    if shuffled:
        order = np.random.default_rng(5).permutation(len(training.ids))
        means = np.stack([targets[training.item_of == item].mean((0, 1)) for item in order])
        targets = np.repeat(means[training.item_of][:, None], targets.shape[1], axis=1)
    x, y = (a.reshape(-1, a.shape[2]).astype(np.float64) for a in (training.inputs, targets))
    u, v = (a.reshape(-1, a.shape[2]).astype(np.float64) for a in (validation.inputs, validation.targets))
    middle, level = x.mean(0), y.mean(0)
    weights = np.linalg.solve((x - middle).T @ (x - middle) + 30.0 * np.eye(x.shape[1]), (x - middle).T @ (y - level))
    return float(((v - level - (u - middle) @ weights) ** 2).mean() / v.var(axis=0).mean())


def test_the_bundled_labels_are_within_their_scale_and_spread_over_it():
    """All four quadrants of emotion occur in each bundled data set that has labels."""
    midi = json.loads((BUNDLED_FOLDER / "midi" / "labels.json").read_text(encoding="utf-8")).values()
    chords = json.loads((BUNDLED_FOLDER / "chords" / "progressions.json").read_text(encoding="utf-8"))["progressions"]
    pairs = [[(item["emotion"]["valence"], item["emotion"]["arousal"]) for item in items] for items in (midi, chords)]
    pairs.append([(float(row[1]), float(row[2])) for row in read_rows(BUNDLED_FOLDER / "audio" / "labels.csv")[1:]])
    for labels in pairs:
        assert len({(valence > 0, arousal > 0) for valence, arousal in labels}) == 4
        assert np.abs(labels).max() <= 1.0
