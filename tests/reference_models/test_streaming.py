"""Data are read one item after another, once: memory, the cache, and who opens which file."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
import soundfile

from rtconform.reference_models.data import feature_cache, load_dataset
from rtconform.reference_models.data.feature_cache import cached_array, file_sha256
from rtconform.reference_models.data.features import PARAMETERS, frame_count, log_mel
from rtconform.reference_models.data.inspection import inspect
from rtconform.reference_models.data.loading import BUNDLED_FOLDER

RATE = 22_050
SECONDS, ITEMS = 20, 8
# What a process opens: Python's files by its audit events, libsndfile's by the constructor of SoundFile.
READ_AND_TELL = """
import json, pathlib, sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
import soundfile
init = soundfile.SoundFile.__init__
def spied(self, file, *arguments, **more):
    opened.append(str(file))
    init(self, file, *arguments, **more)
soundfile.SoundFile.__init__ = spied
from rtconform.reference_models.data import load_dataset
config = json.loads(sys.argv[1])
splits = load_dataset(config, "EmotionRecognizer", seed=0, validation_fraction=0.2, sequence_length=16)
first = len(opened)
for epoch in range(2):
    for side in (splits.training, splits.validation):
        float(side.inputs.sum() + side.targets.sum())
sounds = [pathlib.Path(name).name for name in opened if name.endswith(".wav")]
print(json.dumps({"sounds": sounds, "later": opened[first:], "sum": float(splits.training.inputs.astype("f8").sum())}))
"""


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Labelled recordings of 20 s, as old as files of a data set are."""
    folder = tmp_path_factory.mktemp("sounds")
    generator = np.random.default_rng(7)
    lines = ["file,valence,arousal"]
    for index in range(ITEMS):
        soundfile.write(folder / f"{index}.wav", 0.1 * generator.standard_normal(SECONDS * RATE), RATE)
        os.utime(folder / f"{index}.wav", (1_700_000_000, 1_700_000_000))
        lines.append(f"{index}.wav,0.{index},-0.{index}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTCONFORM_CACHE", str(folder))
        yield folder


def load(folder, **more):
    config = {"kind": "audio-folder", "path": str(folder), **more}
    return load_dataset(config, "EmotionRecognizer", seed=0, validation_fraction=0.2, sequence_length=16)


def read_and_tell(folder, cache):
    arguments = [sys.executable, "-c", READ_AND_TELL, json.dumps({"kind": "audio-folder", "path": str(folder)})]
    environment = {**os.environ, "RTCONFORM_CACHE": str(cache)}
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def test_the_second_run_and_the_second_epoch_open_no_sound_file(sounds, tmp_path):
    """The first run hears each file once, after a hash and a look at its header; epochs, and other runs, open none."""
    first, second = (read_and_tell(sounds, tmp_path / "cache") for _ in range(2))
    assert sorted(first["sounds"]) == sorted([f"{index}.wav" for index in range(ITEMS)] * 3)
    assert first["later"] == second["later"] == []
    assert second["sounds"] == []
    assert first["sum"] == second["sum"]


def test_memory_is_that_of_the_sequences_and_of_one_recording(sounds):
    """Never twice what training needs; beside it one spectrum and its power if cold, little if warm."""
    log_mel(np.zeros(RATE), RATE)  # imports are no part of it
    spectrum = 16 * 1025 * frame_count(SECONDS * RATE)
    for hearing in (3 * spectrum, 1 << 20):
        tracemalloc.start()
        splits = load(sounds)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        needed = sum(a.nbytes for s in (splits.training, splits.validation) for a in (s.inputs, s.targets))
        assert peak < needed + hearing


def test_an_account_keeps_nothing_of_what_it_read():
    """The statistics of a data set of any size need the memory of one item."""
    inspect(BUNDLED_FOLDER / "midi")
    tracemalloc.start()
    report = inspect(BUNDLED_FOLDER / "midi")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report["items"] == 120
    assert peak < 2 << 20


def test_what_lies_beyond_max_items_is_not_read(sounds, tmp_path, monkeypatch):
    """Of a large collection the first hundred cost no more than a hundred."""
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path))
    load(sounds, max_items=3)
    assert len(list((tmp_path / "features").rglob("*.npy"))) == 3


def test_a_hash_is_remembered_until_the_file_changes(tmp_path, monkeypatch):
    """By size and times; a file that has just been written is hashed each time, for it may change within a tick."""
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    first = file_sha256(path)
    assert not (tmp_path / "cache").exists()
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert file_sha256(path) == first
    (remembered,) = (tmp_path / "cache" / "hashes").rglob("*.sha256")
    assert remembered.read_text() == first
    remembered.write_text("damaged")
    assert file_sha256(path) == first
    path.write_bytes(b"two")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert file_sha256(path) != first


@pytest.mark.parametrize("parameter", sorted(PARAMETERS))
def test_features_are_computed_anew_for_every_parameter(parameter, tmp_path, monkeypatch):
    """A change of any of them is another entry, and going back finds the old one."""
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path))
    changed = {**PARAMETERS, parameter: f"not {PARAMETERS[parameter]}"}
    for parameters, value in ((PARAMETERS, 1.0), (changed, 2.0), (PARAMETERS, 1.0), (changed, 2.0)):
        assert cached_array("a", parameters, lambda value=value: np.full(3, value))[0] == value
    assert len(list(tmp_path.rglob("*.npy"))) == 2


def test_what_is_mapped_stays_when_the_entry_is_written_again(tmp_path, monkeypatch):
    """A new file takes the old one's place: whoever reads the old one reads it to its end."""
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path))
    first = cached_array("a", {}, lambda: np.full((100, 128), 1.0))
    (entry,) = tmp_path.rglob("*.npy")
    feature_cache._store(entry, entry.read_bytes().replace(np.float64(1.0).tobytes(), np.float64(2.0).tobytes()))
    assert np.all(cached_array("a", {}, lambda: np.full((100, 128), 3.0)) == 2.0)
    assert np.all(first == 1.0)


def race(arguments):
    """Computes the same entries as every other worker does at the same time, from its own end."""
    worker, begin = arguments
    time.sleep(max(0.0, begin - time.time()))
    order = range(20) if worker % 2 else reversed(range(20))
    return {
        entry: cached_array(f"entry {entry}", {}, lambda entry=entry: np.full((50, 128), entry, np.float32)).sum()
        for entry in order
    }


def test_workers_may_share_a_cache(tmp_path, monkeypatch):
    """Four of them at once: all get what there is, every entry is whole, and nothing else is left."""
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path))
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(race, [(worker, time.time() + 2.0) for worker in range(4)], chunksize=1)
    wanted = {entry: entry * 50 * 128.0 for entry in range(20)}
    assert found == [wanted] * 4
    entries = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(entries) == 20 and all(path.suffix == ".npy" for path in entries)
    assert sorted(np.load(path).mean() for path in entries) == sorted(wanted)
