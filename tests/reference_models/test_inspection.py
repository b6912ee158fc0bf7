"""`rtconform data inspect` says what is in a data set, in words, as JSON and as a picture."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from rtconform.reference_models.data.inspection import inspect, picture
from rtconform.reference_models.data.kinds import READERS
from rtconform.reference_models.errors import ConfigError

from ..harness.conftest import rtconform
from .miniatures import KINDS, cached, copy, miniatures, shared_cache

__all__ = ["cached", "copy", "miniatures", "rtconform", "shared_cache"]

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("kind", READERS)
def test_an_account_is_one_json_value(kind, miniatures):
    """Counts, spreads and points of every kind, and it survives JSON."""
    report = inspect(miniatures / KINDS[kind], kind)
    assert json.loads(json.dumps(report)) == report
    assert (report["kind"], report["trains"], report["stops"]) == (kind, list(READERS[kind]), None)
    assert len(report["points"]) == report["items"] >= 6
    seconds, labels = report["seconds"], report["labels"]
    assert 0 < seconds["least"] <= seconds["median"] <= seconds["greatest"] <= seconds["sum"]
    for spread in labels.values():
        assert -1 <= spread["least"] <= spread["mean"] <= spread["greatest"] <= 1
    assert sum(report["causes"].values()) == len(report["left_out"])


def test_own_splits_are_counted(miniatures):
    """Those of MAESTRO and Groove MIDI; the others have none."""
    splits = {kind: inspect(miniatures / KINDS[kind], kind)["splits"] for kind in READERS}
    assert splits.pop("maestro") == {"training": 4, "validation": 1, "test": 1, "none": 0}
    assert splits.pop("groove-midi") == {"training": 6, "validation": 2, "test": 1, "none": 0}
    assert set(splits.values()) == {None}


def test_a_picture_has_a_dot_for_each_item_and_bars_for_their_lengths(miniatures):
    """It is XML, and the highest bar is as high as can be."""
    report = inspect(miniatures / "pmemo")
    root = ET.fromstring(picture(report))  # noqa: S314, the XML is ours
    groups = {group.get("id"): group for group in root.iter(f"{SVG}g")}
    dots = list(groups["labels"].iter(f"{SVG}circle"))
    assert len(dots) == 6
    for dot, (_, valence, arousal) in zip(dots, report["points"], strict=True):
        assert float(dot.get("cx")) == pytest.approx(140 + 140 * valence, abs=0.06)
        assert float(dot.get("cy")) == pytest.approx(140 - 140 * arousal, abs=0.06)
    heights = [float(bar.get("height")) for bar in groups["durations"].iter(f"{SVG}rect")]
    assert len(heights) == 24 and max(heights) == 270.0


def test_a_picture_of_nothing_is_a_picture(tmp_path):
    """Where no item is usable, axes are left."""
    (tmp_path / "labels.csv").write_text("file,valence,arousal\nnone.wav,0,0\n")
    report = inspect(tmp_path)
    assert "none that can be used" in report["stops"]
    root = ET.fromstring(picture(report))  # noqa: S314, the XML is ours
    assert root.find(f".//{SVG}circle") is None


def test_an_account_says_when_there_is_one_composition_only(copy):
    """It can't be split, so the training would stop."""
    folder = copy("audio-folder")
    lines = (folder / "labels.csv").read_text().splitlines()
    (folder / "labels.csv").write_text("\n".join([lines[0], *(f"{line.rpartition(',')[0]},one" for line in lines[1:])]))
    assert "at least two compositions" in inspect(folder)["stops"]


@pytest.mark.parametrize(("folder", "kind", "words"), [("gone", None, "found none"), (".", "demo", "known are audio-")])
def test_what_is_no_data_set_is_refused(folder, kind, words, tmp_path):
    """A missing folder and an unknown kind."""
    with pytest.raises(ConfigError, match=words):
        inspect(tmp_path / folder, kind)


def test_the_command_tells_people(rtconform, copy):
    """Items, durations, labels, split, and each item that is left out under its cause."""
    folder = copy("groove-midi")
    done = rtconform("data", "inspect", str(folder))
    assert done.returncode == 0, done.stderr
    words = done.stdout.split("\n")
    assert words[0] == f"{folder}: groove-midi, trains GroovePredictor"
    assert words[1].startswith("items      9 usable")
    assert "split      training 6, validation 2, test 1" in words
    assert "left out   1" in words and "         1  nothing for this model in it" in words
    assert "a fill, not a beat" in done.stdout


def test_the_command_tells_programs(rtconform, copy, tmp_path):
    """The same value as in process, and a picture beside it."""
    folder = copy("pmemo")
    done = rtconform("data", "inspect", str(folder), "--json", "--picture", "new/labels.svg")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == inspect(folder)
    assert (tmp_path / "new" / "labels.svg").read_text(encoding="utf-8") == picture(inspect(folder))


def test_the_command_ends_with_1_where_a_training_would_stop(rtconform, copy):
    """And says why, after the account."""
    folder = copy("pmemo")
    table = folder / "annotations" / "static_annotations.csv"
    table.write_text(table.read_text().replace("0.", "7."))
    done = rtconform("data", "inspect", str(folder))
    assert done.returncode == 1
    assert "a training with this data stops" in done.stderr and "from 0 to 1" in done.stderr
    assert "a value outside its scale" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone"], "expected the folder of a data set"),
        (["."], "give its --kind"),
        ([".", "--kind", "daem"], "known are audio-folder, deam"),
        ([".", "--picture", "file/x.svg"], "which is a file"),
        (["bundled:groove", "--picture", "x" * 300 + "/x.svg"], "expected a file that can be written"),
        (["x" * 300], "File name too long"),
        (["~nobody-of-this-name/x"], "home directory"),
    ],
)
def test_the_command_ends_with_2_for_what_it_cant_look_into(arguments, words, rtconform, tmp_path):
    """One sentence, and nothing is written."""
    (tmp_path / "file").write_text("")
    done = rtconform("data", "inspect", *arguments)
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "rtconform.toml"]


def test_without_the_libraries_of_training_the_command_ends_with_3(miniatures):
    """`pip install rtconform` is the judge alone; the message says what to install."""
    program = "import sys; sys.modules['mido'] = None; from rtconform.harness.cli import main; main()"
    arguments = [sys.executable, "-c", program, "data", "inspect", str(miniatures / "maestro")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "NOT AVAILABLE" in done.stderr and "mido" in done.stderr and "rtconform[train]" in done.stderr


def test_a_bundled_data_set_is_found_by_its_name(rtconform):
    """As in a config, wherever the package is installed; another name is refused with those that there are."""
    done = rtconform("data", "inspect", "bundled:groove")
    assert done.returncode == 0 and "groove-midi, trains GroovePredictor\nitems      160 usable" in done.stdout
    done = rtconform("data", "inspect", "bundled:drums")
    assert done.returncode == 2 and "the bundled ones are audio, chords, groove, midi" in done.stderr


def test_a_long_account_is_cut_for_people_only(rtconform, copy):
    """Twenty are shown, and how many more there are."""
    folder = copy("audio-folder")
    sound = next(folder.glob("*.ogg"))
    for number in range(30):
        shutil.copy(sound, folder / f"more-{number}.ogg")
    done = rtconform("data", "inspect", str(folder))
    assert done.stdout.count("it has no entry in") == 20
    assert "… and 10 more, all of them with --json" in done.stdout
