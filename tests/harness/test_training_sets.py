"""Copies of the stored data sets with one thing changed, and everything else as it was."""

import pytest

from rtconform.harness.measure import training_sets
from rtconform.harness.measure.training_sets import LAYOUTS, read_entries
from rtconform.harness.paths import FIXTURES

FOLDERS = {"audio-folder": "audio", "midi-folder": "midi", "chord-json": "chords", "groove-midi": "groove"}
COUNTS = {"audio-folder": 120, "midi-folder": 120, "chord-json": 120, "groove-midi": 160}
kinds = pytest.mark.parametrize("kind", LAYOUTS)


def stored(kind):
    return FIXTURES / "datasets" / FOLDERS[kind]


def names(kind, folder):
    return [entry[LAYOUTS[kind].name] for entry in read_entries(kind, folder)]


@kinds
def test_a_table_is_read_as_it_is_written(kind, tmp_path):
    """All items, the same after a round trip."""
    entries = read_entries(kind, stored(kind))
    training_sets.write_entries(kind, tmp_path, entries)
    written = read_entries(kind, tmp_path)
    assert written == entries and len(entries) == COUNTS[kind]


@kinds
def test_shuffled_labels_have_changed_hands_and_none_is_lost(kind, tmp_path):
    """Most items have the label of another one, all keep their names, and the seed decides."""
    training_sets.shuffle_labels(kind, stored(kind), tmp_path / "a", 3)
    training_sets.shuffle_labels(kind, stored(kind), tmp_path / "b", 3)
    training_sets.shuffle_labels(kind, stored(kind), tmp_path / "c", 4)
    before, after, again, other = (
        [repr({key: entry[key] for key in LAYOUTS[kind].label}) for entry in read_entries(kind, folder)]
        for folder in (stored(kind), tmp_path / "a", tmp_path / "b", tmp_path / "c")
    )
    assert sorted(before) == sorted(after) and after == again != other
    assert sum(one != two for one, two in zip(before, after, strict=True)) > 0.6 * COUNTS[kind]


@kinds
def test_only_the_labels_that_are_asked_for_change(kind, tmp_path):
    """Two items differ, the others don't."""
    chosen = names(kind, stored(kind))[7:9]
    training_sets.change_labels(kind, stored(kind), tmp_path / "copy", chosen)
    pairs = zip(read_entries(kind, stored(kind)), read_entries(kind, tmp_path / "copy"), strict=True)
    assert [one[LAYOUTS[kind].name] for one, two in pairs if one != two] == chosen


@pytest.mark.parametrize("kind", [kind for kind in LAYOUTS if LAYOUTS[kind].renders])
def test_a_twin_has_the_content_and_neither_name_nor_composition(kind, tmp_path):
    """One for each of the twenty compositions."""
    target = tmp_path / "copy"
    twins = training_sets.add_twins(kind, stored(kind), target)
    compositions = training_sets.compositions(kind, target)
    assert len(twins) == 20 and len(compositions) == COUNTS[kind] + 20
    for name, twin in twins.items():
        assert compositions[name] != compositions[twin] and list(compositions.values()).count(compositions[twin]) == 1
        if LAYOUTS[kind].has_files:
            assert (target / name).read_bytes() == (target / twin).read_bytes()


@kinds
@pytest.mark.parametrize("fault", training_sets.FAULTS)
def test_damage_is_done_where_it_is_said(kind, fault, tmp_path):
    """The name is that of an item, or of the folder; the stored set stays whole."""
    if fault == "missing-file" and not LAYOUTS[kind].has_files:
        pytest.skip("its items are no files")
    before = {path: path.read_bytes() for path in stored(kind).rglob("*") if path.is_file()}
    name = training_sets.damage(fault, kind, stored(kind), tmp_path / "copy")
    assert name in ({"copy"} if fault in training_sets.FOLDER_FAULTS else names(kind, stored(kind)))
    assert before == {path: path.read_bytes() for path in stored(kind).rglob("*") if path.is_file()}
    after = {path.relative_to(tmp_path / "copy"): path.read_bytes() for path in (tmp_path / "copy").rglob("*.*")}
    assert after != {path.relative_to(stored(kind)): content for path, content in before.items()}
