"""Readers that others keep find in our miniatures what ours finds: the layouts are not ours alone."""

import csv
import json

import numpy as np
import pytest

from rtconform.reference_models.data.groove_midi import read_grooves
from rtconform.reference_models.data.midi import read_midi
from rtconform.reference_models.data.midi_collections import read_maestro_melodies

from .listings import everything
from .miniatures import cached, copy, miniatures, shared_cache

__all__ = ["cached", "copy", "miniatures", "shared_cache"]

mirdata = pytest.importorskip("mirdata")


def dataset(name, folder, files):
    """mirdata's loader of a folder; its list of files, which it would download, is that of the miniature."""
    found = mirdata.initialize(name, data_home=str(folder))
    found._index = {"tracks": {track: {"midi": [path, ""], "audio": [None, None]} for track, path in files.items()}}
    return found


def same_notes(pretty, song):
    """pretty_midi's notes in our order, against ours."""
    notes = sorted((n.start, n.pitch, n.end, n.velocity) for instrument in pretty.instruments for n in instrument.notes)
    ours = sorted(zip(song.start, song.pitch, song.end, song.velocity, strict=True))
    np.testing.assert_allclose(notes, ours, atol=1e-6)


def test_mirdata_reads_the_miniature_of_groove_midi(miniatures):
    """The same beats with the same styles, tempos, splits and notes."""
    folder = miniatures / "groove-midi"
    with open(folder / "info.csv", newline="") as stream:
        rows = {row["midi_filename"]: row for row in csv.DictReader(stream)}
    loader = dataset("groove_midi", folder, {row["id"]: name for name, row in rows.items()})
    recordings, left_out = everything(read_grooves(folder))
    assert len(recordings) + len(left_out) == len(loader.track_ids) == 10
    splits = {"training": "train", "validation": "validation", "test": "test"}
    for recording in recordings:
        track = loader.track(rows[recording.id]["id"])
        assert (track.beat_type, track.time_signature) == ("beat", "4-4")
        assert track.split == splits[recording.split]
        assert len(track.drum_events.events) == len(read_midi(folder / recording.id).pitch)
        same_notes(track.midi, read_midi(folder / recording.id))
    assert [loader.track(rows[entry.item]["id"]).beat_type for entry in left_out] == ["fill"]


def test_mirdata_reads_the_miniature_of_maestro(copy):
    """mirdata knows version 2 of MAESTRO, whose table is a list: the same performances, splits and notes."""
    folder = copy("maestro")
    columns = json.loads((folder / "maestro-v3.0.0.json").read_text())
    rows = [{name: column[str(number)] for name, column in columns.items()} for number in range(6)]
    for path in folder.glob("maestro-v3*"):
        path.unlink()
    (folder / "maestro-v2.0.0.json").write_text(json.dumps(rows))
    files = {row["midi_filename"].split(".")[0]: row["midi_filename"] for row in rows}
    loader = dataset("maestro", folder, files)
    recordings, left_out = everything(read_maestro_melodies(folder))
    assert not left_out and len(recordings) == len(loader.track_ids) == 6
    splits = {"training": "train", "validation": "validation", "test": "test"}
    for recording in recordings:
        track = loader.track(recording.id.split(".")[0])
        assert track.split == splits[recording.split]
        assert recording.group == f"{track.canonical_composer}: {track.canonical_title}"
        same_notes(track.midi, read_midi(folder / recording.id))
