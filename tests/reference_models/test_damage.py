"""Each layout, damaged in each way: the run goes on without the item, or stops, as the training guide says."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
import soundfile

from rtconform.reference_models.data import load_dataset
from rtconform.reference_models.data.inspection import inspect
from rtconform.reference_models.data.kinds import READERS
from rtconform.reference_models.data.listing import MISSING, SENSELESS, TWICE, UNLABELLED, UNREADABLE, read
from rtconform.reference_models.errors import DataError

from .listings import everything
from .miniatures import cached, copy, miniatures, shared_cache
from .test_midi import write_midi

__all__ = ["cached", "copy", "miniatures", "shared_cache"]

# Kind → its table, a column of it, and a value that no cell of that column can have.
TABLES = {
    "audio-folder": ("labels.csv", "arousal", "1.01"),
    "deam": ("**/static_annotations_averaged_songs_1_2000.csv", "valence_mean", "0.9"),
    "deam-dynamic": ("**/valence.csv", "sample_15500ms", "5.5"),
    "pmemo": ("annotations/static_annotations.csv", "Valence(mean)", "-0.1"),
    "maestro": ("*.csv", "split", "dev"),
    "groove-midi": ("info.csv", "bpm", "0"),
}
SOUNDS = ("audio-folder", "deam", "deam-dynamic", "pmemo")
SONGS = ("midi-folder", "lakh-midi", "maestro", "groove-midi")
FILES = (*SOUNDS, *SONGS)
# The entries of a JSON file in place of a table's rows.
ENTRIES = ("midi-folder", "lakh-midi", "chord-json")


@pytest.fixture
def damaged(copy):
    """`damaged(kind)`: a copy of a miniature; Lakh's gets labels, so that it has a table as well."""

    def of(kind):
        folder = copy(kind)
        if kind == "lakh-midi":
            names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.mid"))]
            pairs = {name: {"valence": 0.1 * number, "arousal": -0.1} for number, name in enumerate(names)}
            (folder / "labels.json").write_text(json.dumps(pairs))
        return folder

    return of


def table_of(kind, folder):
    (table,) = folder.glob(TABLES[kind][0])
    return table


def read_table(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream, skipinitialspace=True))


def write_table(path, rows, **dialect):
    with open(path, "w", newline="", encoding=dialect.pop("encoding", "utf-8")) as stream:
        csv.writer(stream, **dialect).writerows(rows)


def first_item(kind, folder):
    """The file of the item that stands first in the table."""
    return folder / everything(next(iter(READERS[kind].values()))(folder))[0][0].id


def set_labels(kind, folder, count):
    """Puts a value outside its scale into the first rows or entries, all of them if `count` is None."""
    if kind in ENTRIES:
        path = folder / ("progressions.json" if kind == "chord-json" else "labels.json")
        document = json.loads(path.read_text())
        entries = document["progressions"] if kind == "chord-json" else list(document.values())
        for entry in entries[:count]:
            entry.get("emotion", entry)["valence"] = 6.2
        path.write_text(json.dumps(document))
        return
    table, (_, column, value) = table_of(kind, folder), TABLES[kind]
    rows = read_table(table)
    for row in rows[1:] if count is None else rows[1 : 1 + count]:
        row[rows[0].index(column)] = value
    write_table(table, rows)


def goes_on(kind, folder, cause, *, before, count=1):
    """Without `count` items, for this cause alone, which the account and the training say alike."""
    report = inspect(folder, kind)
    assert report["stops"] is None
    assert report["causes"].get(cause, 0) == before["causes"].get(cause, 0) + count, report
    splits = load(kind, folder)
    held_back = {item for item, reason in splits.left_out if "held back" in reason}
    assert sorted(item for item, _ in splits.left_out if item not in held_back) == sorted(
        item for item, _ in report["left_out"]
    )
    return report


def load(kind, folder):
    config = {"kind": kind, "path": str(folder)}
    return load_dataset(config, next(iter(READERS[kind])), seed=3, validation_fraction=0.3, sequence_length=16)


def stops(kind, folder, words):
    """The account says it in the words that end the training."""
    report = inspect(folder, kind)
    assert words in report["stops"]
    with pytest.raises(DataError) as error:
        load(kind, folder)
    assert str(error.value) == report["stops"]
    return report


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("content", [b"", b"RIFF or MThd, but no more\0\1\2"], ids=["empty", "corrupt"])
def test_a_damaged_file_costs_its_item(kind, content, damaged):
    """Whatever the libraries stumble over."""
    folder = damaged(kind)
    before = inspect(folder, kind)
    first_item(kind, folder).write_bytes(content)
    after = goes_on(kind, folder, UNREADABLE, before=before)
    assert after["items"] == before["items"] - 1


@pytest.mark.parametrize("kind", SOUNDS)
@pytest.mark.parametrize("fault", ["cut off", "one sample", "no samples", "NaN"])
def test_a_sound_that_is_none_costs_its_item(kind, fault, damaged):
    """Too short for a frame or a sequence, without samples, or not finite."""
    folder = damaged(kind)
    before = inspect(folder, kind)
    path = first_item(kind, folder)
    samples = {"cut off": 2100, "one sample": 1, "no samples": 0, "NaN": 400_000}[fault]
    sound = np.full(samples, np.nan if fault == "NaN" else 0.1, np.float32)
    with open(path, "wb") as stream:  # WAV under any name: libsndfile looks at the content
        soundfile.write(stream, sound, 22_050, format="WAV", subtype="FLOAT")
    goes_on(kind, folder, UNREADABLE, before=before)


@pytest.mark.parametrize("kind", SONGS)
def test_a_song_without_notes_costs_its_item(kind, damaged):
    """A valid file with tempo and metre and nothing to play."""
    folder = damaged(kind)
    before = inspect(folder, kind)
    write_midi(first_item(kind, folder), [])
    assert "found none" in str(goes_on(kind, folder, UNREADABLE, before=before)["left_out"])


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_vanishes_while_others_are_read_costs_its_item(kind, damaged):
    """Or that the user may not read: the system's own words, and no traceback."""
    folder = damaged(kind)
    listing = next(iter(READERS[kind].values()))(folder)
    candidate = listing.candidates[0]
    (folder / candidate.id).unlink()
    found = read(candidate)
    assert (found.item, found.cause) == (candidate.id, UNREADABLE)
    assert "No such file" in found.reason


@pytest.mark.parametrize("kind", FILES)
def test_a_label_without_a_file_is_named(kind, damaged):
    """A file that was lost is one item less."""
    folder = damaged(kind)
    before = inspect(folder, kind)
    first_item(kind, folder).unlink()
    assert goes_on(kind, folder, MISSING, before=before)["items"] == before["items"] - 1


@pytest.mark.parametrize("kind", FILES)
def test_a_file_without_a_label_is_named(kind, damaged):
    """A file that is in no table is used for nothing."""
    folder = damaged(kind)
    before = inspect(folder, kind)
    path = first_item(kind, folder)
    shutil.copy(path, path.with_name(f"9999{path.suffix}"))
    after = goes_on(kind, folder, UNLABELLED, before=before)
    assert after["items"] == before["items"]
    assert any(item.endswith(f"9999{path.suffix}") for item, _ in after["left_out"])


@pytest.mark.parametrize("kind", READERS)
def test_a_value_outside_its_scale_costs_its_item(kind, damaged):
    """One slip in a table is left out with the place and the scale."""
    folder = damaged(kind)
    before = inspect(folder, kind)
    set_labels(kind, folder, 1)
    after = goes_on(kind, folder, SENSELESS, before=before)
    assert after["items"] == before["items"] - 1
    assert any("expected" in reason and "found" in reason for _, reason in after["left_out"])


@pytest.mark.parametrize("kind", READERS)
def test_a_wrong_scale_stops(kind, damaged):
    """When all rows are outside, the rows aren't at fault; the account still has each of them."""
    folder = damaged(kind)
    if kind == "deam":  # in both tables
        other = folder.glob("**/static_annotations_averaged_songs_2000_2058.csv")
        next(other).unlink()
    set_labels(kind, folder, None)
    assert stops(kind, folder, "rows are like that")["causes"][SENSELESS] >= 4


@pytest.mark.parametrize("kind", TABLES)
def test_a_missing_column_stops(kind, damaged):
    """It is named beside those found. Of moments there is no column that must be there but the song's."""
    folder = damaged(kind)
    table = table_of(kind, folder)
    rows = read_table(table)
    column = "song_id" if kind == "deam-dynamic" else TABLES[kind][1]
    place = rows[0].index(column)
    write_table(table, [[*row[:place], *row[place + 1 :]] for row in rows])
    stops(kind, folder, f"add {column}")


@pytest.mark.parametrize("kind", [kind for kind in READERS if kind != "lakh-midi"])
def test_a_missing_table_stops(kind, damaged):
    """Without labels there is nothing to learn; the message names the file and the folder."""
    folder = damaged(kind)
    for path in [*folder.rglob("*.csv"), *folder.rglob("*.json")]:
        path.unlink()
    stops(kind, folder, str(folder))


@pytest.mark.parametrize("kind", ["deam", "deam-dynamic", "pmemo"])
def test_a_missing_folder_of_sounds_stops(kind, damaged):
    """All items would be left out, for one reason."""
    folder = damaged(kind)
    shutil.rmtree(first_item(kind, folder).parent)
    stops(kind, folder, "expected the sound files in")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to root")
@pytest.mark.parametrize("kind", ["deam", "pmemo"])
def test_a_folder_of_sounds_that_may_not_be_read_stops(kind, damaged):
    """In the system's words."""
    folder = damaged(kind)
    sounds = first_item(kind, folder).parent
    sounds.chmod(0o000)
    try:
        stops(kind, folder, "Permission denied")
    finally:
        sounds.chmod(0o755)


@pytest.mark.parametrize("kind", TABLES)
def test_a_row_that_stands_twice_is_used_once(kind, damaged):
    """The first one is, and the other is accounted for."""
    folder = damaged(kind)
    before = inspect(folder, kind)
    table = table_of(kind, folder)
    header, first, *rows = read_table(table)
    write_table(table, [header, first, *rows, first])
    assert goes_on(kind, folder, TWICE, before=before)["items"] == before["items"]


@pytest.mark.parametrize("table", ["valence.csv", "arousal.csv"])
def test_a_song_that_only_one_table_of_moments_has_is_left_out_once(table, damaged):
    """Whichever of the two it is; and a row that stands twice in either is used once."""
    folder = damaged("deam-dynamic")
    (path,) = folder.rglob(table)
    header, first, second, *rows = read_table(path)
    write_table(path, [header, second, *rows, second])
    report = inspect(folder, "deam-dynamic")
    assert (report["items"], report["causes"]) == (5, {UNLABELLED: 1, TWICE: 1})
    assert {item for item, _ in report["left_out"]} == {f"audio/{first[0]}.wav", f"audio/{second[0]}.mp3"}


def test_a_progression_that_stands_twice_is_used_once(damaged):
    """By its name."""
    folder = damaged("chord-json")
    before = inspect(folder)
    path = folder / "progressions.json"
    items = json.loads(path.read_text())["progressions"]
    path.write_text(json.dumps([*items, items[0]]))
    assert goes_on("chord-json", folder, TWICE, before=before)["items"] == before["items"]


def test_a_chord_that_is_none_costs_its_progression(damaged):
    """H is B to Germans and nothing to a parser."""
    folder = damaged("chord-json")
    before = inspect(folder)
    path = folder / "progressions.json"
    document = json.loads(path.read_text())
    document["progressions"][0]["chords"][0] = "H7"
    path.write_text(json.dumps(document))
    goes_on("chord-json", folder, UNREADABLE, before=before)


def test_a_progression_that_is_no_object_costs_itself(damaged):
    """It has no name, so the account has its number."""
    folder = damaged("chord-json")
    before = inspect(folder)
    path = folder / "progressions.json"
    document = json.loads(path.read_text())
    document["progressions"].insert(1, 5)
    path.write_text(json.dumps(document))
    after = goes_on("chord-json", folder, UNREADABLE, before=before)
    assert after["items"] == before["items"]
    assert ["progression-00001", "expected an object with chords, found 5"] in [
        [item, reason.partition(": ")[2].partition(";")[0]] for item, reason in after["left_out"]
    ]


@pytest.mark.parametrize("kind", ["midi-folder", "lakh-midi"])
@pytest.mark.parametrize(
    ("text", "words"),
    [('{"a": 1,', "expected JSON"), ("[]", "expected an object"), ('{"a": {}, "a": {}}', "'a' twice")],
)
def test_labels_that_are_no_object_of_files_stop(kind, text, words, damaged):
    """Cut off, a list, or a key that stands twice, of which a reader would take the last in silence."""
    folder = damaged(kind)
    (folder / "labels.json").write_text(text)
    stops(kind, folder, words)


def comma(text):
    """A number as a table with semicolons has it."""
    return text.replace(".", ",") if text.replace(".", "").replace("-", "").isdigit() else text


DIALECTS = {
    "byte order mark": lambda path, rows: write_table(path, rows, encoding="utf-8-sig"),
    "CRLF": lambda path, rows: write_table(path, rows, lineterminator="\r\n"),
    "quotes": lambda path, rows: write_table(path, rows, quoting=csv.QUOTE_ALL),
    "semicolons": lambda path, rows: write_table(path, rows, delimiter=";"),
    "semicolons and decimal commas": lambda path, rows: write_table(
        path, [[comma(cell) for cell in row] for row in rows], delimiter=";"
    ),
    "tabs": lambda path, rows: write_table(path, rows, delimiter="\t"),
    "empty lines": lambda path, rows: write_table(path, [rows[0], [], *rows[1:], []]),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_table_in_another_dialect_is_the_same_table(kind, dialect, damaged):
    """As spreadsheets and other systems save it."""
    folder = damaged(kind)
    before = inspect(folder, kind)
    table = table_of(kind, folder)
    DIALECTS[dialect](table, read_table(table))
    after = inspect(folder, kind)
    del before["left_out"], after["left_out"]  # reasons name lines
    assert after == before


def test_all_damages_at_once_are_counted(damaged):
    """Each cause has its own count, and the rest trains."""
    folder = damaged("audio-folder")
    rows = read_table(folder / "labels.csv")
    names = [row[0] for row in rows[1:]]
    (folder / names[0]).write_bytes(b"")
    (folder / names[1]).unlink()
    rows[3][1] = "7"
    shutil.copy(folder / names[3], folder / "unlisted.ogg")
    write_table(folder / "labels.csv", [*rows, rows[4]])
    report = inspect(folder)
    assert report["causes"] == {UNREADABLE: 1, MISSING: 1, SENSELESS: 1, UNLABELLED: 1, TWICE: 1}
    assert (report["items"], report["stops"]) == (3, None)


def test_the_damages_would_be_seen(damaged):
    """An undamaged copy has none of them: what the tests above count is what they did."""
    for kind in READERS:
        causes = inspect(damaged(kind), kind)["causes"]
        assert not {MISSING, UNLABELLED, UNREADABLE, SENSELESS, TWICE} & set(causes), kind
