"""What a run leaves for people: the history, its plot, the model card, and where all of it came from."""

import csv
import hashlib
import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from rtconform.reference_models.specs import load_specs
from rtconform.reference_models.training import card, provenance, trainer
from rtconform.reference_models.training.history import COLUMNS, plot, table
from rtconform.reference_models.training.loop import Epoch
from rtconform.reference_models.training.trainer import train

from .training_scene import fake_data, groove, one_thread, silent

__all__ = ["fake_data", "one_thread"]

SVG = "{http://www.w3.org/2000/svg}"
HISTORIES = {"A<B": [Epoch(1, 0.5, 0.4, 0.1, 2.0), Epoch(2, 0.25, 0.3, 0.05, 1.5)], "C": [Epoch(1, 1.0, 2.0, 0.1, 1.0)]}


@pytest.fixture
def left(fake_data, tmp_path):
    """The folder and the metrics of a run over two models."""
    config = {**groove(), "models": {"GroovePredictor": {"epochs": 3}, "DynamicsEngine": {}}}
    return tmp_path, train(config, tmp_path, silent)


def test_the_history_is_a_table_of_all_epochs(left):
    """Every epoch of every model, with the numbers of metrics.json, the learning rate and the time it took."""
    folder, metrics = left
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    for name, found in metrics["models"].items():
        own = [row for row in rows if row["model"] == name]
        assert [int(row["epoch"]) for row in own] == [epoch["epoch"] for epoch in found["history"]]
        for row, epoch in zip(own, found["history"], strict=True):
            assert all(float(row[key]) == epoch[key] for key in ("loss", "validation_loss", "learning_rate"))
            assert float(row["seconds"]) >= 0


def test_the_plot_shows_what_the_table_says():
    """A panel per model with three lines, the constant's flat; lower losses lie lower; names are escaped."""
    root = ET.fromstring(plot(HISTORIES, {"A<B": 0.6, "C": 0.5}))  # noqa: S314 (ours)
    assert [text.text for text in root.iter(f"{SVG}text") if text.get("font-weight")] == ["A<B", "C"]
    lines = [
        [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        for line in root.iter(f"{SVG}polyline")
    ]
    training, validation, constant, *_ = lines
    assert len(lines) == 6 and len(training) == len(validation) == 2
    assert constant[0][1] == constant[1][1] < training[0][1] < training[1][1]
    assert validation[0][1] > training[0][1] and validation[1][1] < training[1][1]
    assert table(HISTORIES).splitlines()[1] == "A<B,1,0.5,0.4,0.1,2.0"


def test_the_card_says_what_the_metrics_say(left):
    """Beside each export: sizes, data, every measure beside both baselines, limits, hashes, config."""
    folder, metrics = left
    for name, found in metrics["models"].items():
        spec, text = load_specs().models[name], (folder / f"{name.lower()}.card.md").read_text()
        assert text.startswith(f"# {name}\n") and f"{spec.parameters_torch:,} parameters" in text
        for heading in ("Training data", "Quality", "Limits", "Provenance"):
            assert f"\n## {heading}\n" in text
        for measure, entry in found["evaluation"]["metrics"].items():
            (row,) = [line for line in text.splitlines() if line.startswith(f"| {measure}")]
            assert all(f"{entry[who]['value']:.3g} [" in row for who in ("model", "constant", "linear"))
        exported = hashlib.sha256((folder / f"{name.lower()}.json").read_bytes()).hexdigest()
        assert exported == found["export_sha256"]
        assert all(f"`{sha}`" in text for sha in (exported, found["weights_sha256"], metrics["config_sha256"]))
        assert f'"{name}"' in text and "64 recordings to train on and 16 held out" in text


def test_what_is_not_clearly_better_is_said(fake_data, tmp_path):
    """Of a model that learnt nothing, the card says so."""
    fake_data["shuffled"] = True
    train(groove(epochs=1), tmp_path, silent)
    text = (tmp_path / "groovepredictor.card.md").read_text()
    assert "In velocity_mae it isn't clearly better than the best constant." in text


def test_a_measure_without_a_number_is_a_dash(left):
    """As JSON has null for it; and such a model isn't called better than anything."""
    _, metrics = left
    measures = metrics["models"]["GroovePredictor"]["evaluation"]["metrics"]
    for entry in measures.values():
        entry |= {who: dict.fromkeys(found) for who, found in entry.items() if isinstance(found, dict)}
    text = card.render(metrics, "GroovePredictor")
    assert "| timing_mae (of a sixteenth) | – [–, –] |" in text
    assert "In timing_mae it isn't clearly better than the linear baseline." in text


def test_evaluation_can_be_switched_off(fake_data, tmp_path):
    """Then metrics have none, and the card says that."""
    found = train({**groove(epochs=1), "evaluation": {"enabled": False}}, tmp_path, silent)
    assert "evaluation" not in found["models"]["GroovePredictor"]
    assert "No further evaluation was made." in (tmp_path / "groovepredictor.card.md").read_text()


def test_metrics_say_where_a_result_came_from(left):
    """The whole config with its hash, but not whether the run was resumed; versions; each item's content."""
    _, metrics = left
    canonical = json.dumps(metrics["config"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == metrics["config_sha256"]
    assert metrics["config"]["training"]["batch_size"] == 16 and "resume" not in metrics["config"]
    assert {"python", "torch", "numpy", "rtconform"} <= set(metrics["versions"])
    for found in metrics["models"].values():
        assert {side: len(hashes) for side, hashes in found["content_sha256"].items()} == {
            side: len(ids) for side, ids in found["items"].items()
        }


def test_the_commit_is_that_of_the_repository_that_the_code_belongs_to(tmp_path):
    """With a word on whether files differ from it; none where the file is in no repository, or only lies within one."""
    git, file = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"], tmp_path / "file"
    file.write_text("one")
    assert provenance.git(file) is None
    subprocess.run([*git, "init", "-q"], check=True)
    assert provenance.git(file) is None
    subprocess.run([*git, "add", "file"], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    found = provenance.git(file)
    assert len(found["commit"]) == 40 and found["changed"] is False
    file.write_text("two")
    assert provenance.git(file) == {"commit": found["commit"], "changed": True}
    (tmp_path / "installed").write_text("one")
    assert provenance.git(tmp_path / "installed") is None


def test_the_commit_is_not_that_of_the_working_folder(fake_data, tmp_path, monkeypatch):
    """A training started in somebody's repository tells of the trainer's own."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-qm", "one", "--allow-empty"], check=True)
    monkeypatch.chdir(tmp_path)
    found = train(groove(epochs=1), tmp_path / "out", silent)["git"]
    assert found == provenance.git(Path(trainer.__file__))


def test_the_card_counts_varied_copies_apart_and_shows_the_settings_of_the_data(left):
    """They are no recordings; how they are varied stands in the config, and no other model's data does."""
    _, metrics = left
    items, data = metrics["models"]["GroovePredictor"]["items"], metrics["config"]["datasets"]
    items["training"] += [f"{item}#{copy}" for item in items["training"] for copy in (1, 2)]
    items["training"].append("a name with #1")
    data["grooves"]["augment"] = {"copies": 2, "stretch": 0.125}
    text = card.render(metrics, "GroovePredictor")
    assert "65 recordings to train on, 128 varied copies of them and 16 held out" in text
    shown = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert shown["datasets"] == {"grooves": data["grooves"]}
