"""docs/ML_ARCHITECTURE.md and docs/ML_TRAINING_GUIDE.md say what specs.json, config.json and the code say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rtconform.harness.commands.specs import layer_parameters
from rtconform.reference_models.data.loading import READERS
from rtconform.reference_models.errors import ConfigError, DataError
from rtconform.reference_models.training.config import DEFAULTS_FILE
from rtconform.reference_models.training.trainer import train

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs" / "ML_ARCHITECTURE.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "ML_TRAINING_GUIDE.md").read_text(encoding="utf-8")
SPECS = json.loads((ROOT / "fixtures" / "models" / "specs.json").read_text(encoding="utf-8"))


def rows(heading: str, text: str = ARCHITECTURE) -> list[list[str]]:
    """The cells of the rows of all tables under a heading, without their emphasis."""
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip().strip("*") for cell in line.strip("|").split("|")] for line in lines]


def span(entry: Mapping[str, int], first: str, last: str) -> str:
    return f"{entry[first]} → {entry[last]}"


def test_the_layers_are_those_of_the_specs():
    """One row per layer in order: type, sizes, activation, parameters; the model's name in its first row only."""
    expected = []
    for name, model in SPECS["models"].items():
        for number, layer in enumerate(model["layers"]):
            sizes, count = span(layer, "input", "output"), f"{layer_parameters(layer):,}"
            expected.append(["" if number else name, layer["type"], sizes, layer["activation"], count])
    assert [row for row in rows("Layers") if row[1] in ("dense", "lstm")] == expected


def test_the_counts_are_those_of_the_specs():
    """Sizes, parameters in PyTorch and in RTNeural, bytes, and the sums."""
    counted = [*SPECS["models"].items(), ("all five", {**SPECS["totals"], "input_size": None})]
    expected = []
    for name, model in counted:
        sizes = "" if model["input_size"] is None else span(model, "input_size", "output_size")
        torch, rtneural = model["parameters_torch"], model["parameters_rtneural"]
        expected.append([name, sizes, f"{torch:,}", f"{rtneural:,}", f"{4 * rtneural:,}"])
    names = [name for name, _ in counted]
    assert [row for row in rows("Layers") if row[0] in names and row[1] not in ("dense", "lstm")] == expected


def test_the_flow_is_that_of_the_specs():
    """Each edge of the diagram carries what specs.json takes from its origin, and there is no other edge."""
    diagram = re.search(r"```mermaid\n(.*?)```", ARCHITECTURE, re.DOTALL)[1]
    names = {"A": "audio", **{name[0]: name for name in SPECS["models"]}}
    drawn = {
        (names[origin], names[target]): [tuple(map(int, part.split(":"))) for part in re.findall(r"\d+:\d+", label)]
        for origin, label, target in re.findall(r'^  (\w)\b.*?-->\|"([^"]*)"\| (\w)\b', diagram, re.MULTILINE)
    }
    stated: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for step in SPECS["flow"]:
        for part in step["inputs"]:
            stated.setdefault((part["from"], step["model"]), []).append((part["begin"], part["end"]))
    assert drawn == stated


def test_ranges_and_targets_are_those_of_the_specs():
    """The range of each model's outputs, the limit in bytes and the deadline."""
    shown = {row[0]: row[2] for row in rows("Inputs and outputs") if row[0] in SPECS["models"]}
    assert shown == {n: "{} … {}".format(*m["output_range"]) for n, m in SPECS["models"].items()}
    targets = SPECS["targets"]
    assert f"{targets['live_bytes']:,} bytes" in ARCHITECTURE
    assert f"under {targets['step_p999_ms']} ms" in ARCHITECTURE


def test_every_erratum_is_named():
    """Each total that was published wrongly stands in the table, and the right sum below it."""
    errata = ARCHITECTURE.partition("\n## Errata\n")[2]
    for entry in SPECS["errata"]:
        published = entry["published"]
        number = f"{published:,}" if entry["as"] == "parameters" else f"{published} {entry['as']}"
        assert number in errata, entry
    assert f"**{SPECS['totals']['parameters_torch']:,}**" in errata


def defaults(values: Mapping, path: str = "") -> Iterator[tuple[str, object]]:
    """(dotted key, value) of each entry of a config, sections resolved."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from defaults(value, f"{path}{key}.")
        else:
            yield path + key, value


def test_every_key_of_the_config_is_explained_with_its_default():
    """Each key that config.json gives a default stands in the guide's table, with that default."""
    config = json.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))
    shown = {row[0].strip("`"): row[1].strip("`") for row in rows("The config", GUIDE)}
    for key, value in defaults({key: value for key, value in config.items() if key not in ("models", "datasets")}):
        assert shown.get(key) == json.dumps(value), key
    for name in config["models"]["GroovePredictor"]:
        assert re.search(rf"`(models\.<Name>)?\.{name}`", GUIDE), name


def test_every_kind_of_data_set_is_described():
    """Each kind stands in the table with the models that it trains."""
    shown = {row[0].strip("`"): row[1].split(", ") for row in rows("Data", GUIDE)}
    assert {kind: shown.get(kind) for kind in READERS} == {kind: list(models) for kind, models in READERS.items()}


AUDIO = {"kind": "audio-folder", "path": "."}
# What stands in the row of the guide that explains a mistake → the mistake.
CONFIGS = {
    "'epochs'": {"training": {"epoch": 3}},
    "found -1": {"training": {"learning_rate": -1}},
    "found 8": {"training": {"sequence_length": 8}},
    "$.models.Groove": {"models": {"Groove": {}}},
    "chord-json": {"models": {"GroovePredictor": {"dataset": "chords"}}},
    "kl_div": {"models": {"EmotionRecognizer": {"loss": "kl_div"}}},
    "audio-folder": {"models": {"EmotionRecognizer": {}}, "datasets": {"audio": {**AUDIO, "path": "nowhere"}}},
    "no such file": {"models": {"EmotionRecognizer": {}}, "datasets": {"audio": AUDIO}},
}
TABLES = {
    "6.2": ("labels.csv", "file,valence,arousal\na.ogg,6.2,4.0\n"),
    "none that can be used": ("labels.csv", "file,valence,arousal\na.ogg,0.2,0.4\n"),
    "H7": ("progressions.json", '[{"chords": ["H7"], "emotion": {"valence": 0, "arousal": 0}}]'),
}


def refused(config: Mapping, out: Path) -> str:
    """The message with which the trainer refuses."""
    with pytest.raises((ConfigError, DataError)) as raised:
        train(config, out)
    return str(raised.value)


def explained(row: str, message: str) -> bool:
    """Whether the row of the guide's troubleshooting that holds `row` is part of a message."""
    return any(row in cells[0] and cells[0].strip("`") in message for cells in rows("Troubleshooting", GUIDE))


@pytest.mark.parametrize("row", CONFIGS)
def test_the_guide_explains_what_is_wrong_with_a_config(row, tmp_path, monkeypatch):
    """The message that a mistake provokes stands in the guide."""
    monkeypatch.chdir(tmp_path)
    message = refused(CONFIGS[row], tmp_path / "out")
    assert explained(row, message), message


@pytest.mark.parametrize("row", TABLES)
def test_the_guide_explains_what_is_wrong_with_data(row, tmp_path):
    """The message that a wrong table or label provokes stands in the guide."""
    name, text = TABLES[row]
    (tmp_path / name).write_text(text, encoding="utf-8")
    kind, model = ("audio-folder", "EmotionRecognizer") if row != "H7" else ("chord-json", "HarmonyPredictor")
    config = {"models": {model: {"dataset": "mine"}}, "datasets": {"mine": {"kind": kind, "path": str(tmp_path)}}}
    message = refused(config, tmp_path / "out")
    assert explained(row, message), message
