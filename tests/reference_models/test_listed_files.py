"""What tables name that is no file, and sounds that were cut off: each costs its item and says why."""

import csv
import json
import os
import struct

import numpy as np
import pytest
import soundfile

from rtconform.reference_models.data.inspection import inspect
from rtconform.reference_models.data.listing import MISSING, UNREADABLE, Unusable, check_named
from rtconform.reference_models.data.sound import is_sound
from rtconform.reference_models.data.tables import read_csv
from rtconform.reference_models.data.wav import check_whole
from rtconform.reference_models.errors import DataError

from .miniatures import cached, copy, miniatures, shared_cache

__all__ = ["cached", "copy", "miniatures", "shared_cache"]

# Kind → its table and the column with the names of files; that of a midi-folder is an object by name.
NAMES = {
    "audio-folder": ("labels.csv", "file"),
    "groove-midi": ("info.csv", "midi_filename"),
    "maestro": ("maestro-v3.0.0.csv", "midi_filename"),
    "midi-folder": ("labels.json", None),
}


def rename_first(kind, folder, name):
    """Gives the first row of a table another name of a file."""
    table, column = folder / NAMES[kind][0], NAMES[kind][1]
    if column is None:
        entries = json.loads(table.read_text())
        first = next(iter(entries))
        table.write_text(json.dumps({name if key == first else key: entry for key, entry in entries.items()}))
        return
    with open(table, newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    rows[1][rows[0].index(column)] = name
    with open(table, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(("name", "words"), [("", "an empty one"), ("../x.wav", "without '..'"), (".", "a folder")])
def test_a_row_without_a_file_of_the_folder_is_left_out(kind, name, words, copy):
    """Under a name that tells which row it was."""
    folder = copy(kind)
    before = inspect(folder, kind)
    rename_first(kind, folder, name)
    after = inspect(folder, kind)
    assert after["stops"] is None and after["items"] == before["items"] - 1
    assert after["causes"][MISSING] == before["causes"].get(MISSING, 0) + 1
    ((item, _),) = [(item, reason) for item, reason in after["left_out"] if words in reason]
    assert item == name or (not name and ("line 2" in item or "without a name" in item))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/etc/passwd", "below"),
        ("folder", "found a folder"),
        ("pipe", "found no regular file"),
        ("loop", "symbolic links"),
        ("dangling", "doesn't exist"),
        ("gone/file", "doesn't exist"),
        ("file/below", "doesn't exist"),
        ("x" * 300, "too long"),
        ("a\0b", "null byte"),
    ],
)
def test_what_is_no_file_is_called_what_it_is(name, words, tmp_path):
    """A link to a file is one."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for link, target in (("loop", "loop"), ("dangling", "gone"), ("link", "file")):
        (tmp_path / link).symlink_to(target)
    check_named(tmp_path, "link", "table, line 1")
    with pytest.raises(Unusable, match=words) as error:
        check_named(tmp_path, name, "table, line 1")
    assert str(error.value).startswith("table, line 1") and error.value.cause == MISSING


def test_two_columns_of_one_name_stop(tmp_path):
    """Which of them would count? Empty headings, as spreadsheets leave them, are no columns."""
    table = tmp_path / "table.csv"
    table.write_text("file,valence,valence,arousal\na,1,0,1\n")
    with pytest.raises(DataError, match=r"table\.csv: expected each column once, found valence twice"):
        read_csv(table, required=("file",))
    table.write_text("file,valence,,\na,1,,\n")
    assert read_csv(table, required=("file",)) == [(2, {"file": "a", "valence": "1"})]


@pytest.fixture
def whole(tmp_path):
    """A WAV file of a second, and where in its bytes the length of its data stands."""
    path = tmp_path / "whole.wav"
    soundfile.write(path, np.zeros(22_050), 22_050, subtype="PCM_16")
    return path, path.read_bytes().index(b"data") + 4


@pytest.mark.parametrize("missing", [1, 20_000, 44_100])
def test_a_wav_that_was_cut_off_is_no_whole_one(whole, missing):
    """Whatever is missing; with other chunks before the sound as well."""
    path, at = whole
    content = path.read_bytes()
    check_whole(path)
    for chunks in (b"", b"LIST\x03\0\0\0abc\0"):
        longer = content[: at - 4] + chunks + content[at - 4 :]
        path.write_bytes(longer)
        check_whole(path)
        path.write_bytes(longer[:-missing])
        with pytest.raises(DataError, match=f"expected 44100 bytes of sound.* found {44_100 - missing}: it was cut"):
            check_whole(path)


@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_stream_that_states_no_length_is_whole(whole, length):
    """As programs write it to a pipe."""
    path, at = whole
    content = path.read_bytes()
    path.write_bytes(content[:at] + struct.pack("<I", length) + content[at + 4 :])
    check_whole(path)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt ", b"fLaC" + b"\0" * 50])
def test_what_is_no_wav_is_left_to_libsndfile(content, tmp_path):
    """Which knows what it is."""
    (tmp_path / "a.wav").write_bytes(content)
    check_whole(tmp_path / "a.wav")


def test_a_wav_that_was_cut_off_costs_its_item(copy):
    """Under any name, since libsndfile looks at the content."""
    folder = copy("audio-folder")
    before = inspect(folder)
    path = next(path for path in sorted(folder.iterdir()) if is_sound(path))
    with path.open("wb") as stream:
        soundfile.write(stream, np.full(44_100, 0.1), 22_050, format="WAV")
    path.write_bytes(path.read_bytes()[:-20_000])
    after = inspect(folder)
    assert after["items"] == before["items"] - 1 and after["causes"][UNREADABLE] == 1
    assert any("cut off" in reason for _, reason in after["left_out"])
