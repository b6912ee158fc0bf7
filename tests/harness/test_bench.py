"""`rtconform bench`, from connection strings to tables, data and picture; on made-up times where a time matters."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import jsonschema_rs
import numpy as np
import pytest

from rtconform.harness import bench as package
from rtconform.harness.bench import rows as bench_rows
from rtconform.harness.bench.benchmark import LOAD, Benchmark
from rtconform.harness.bench.rows import COLD_STEP, LAYERS, SIZES, WHOLE_STEP, five_rows, layer_rows
from rtconform.harness.commands import bench as bench_command
from rtconform.harness.implementations import Declaration, Memory
from rtconform.harness.report import benched
from rtconform.harness.rtneural_json import read
from rtconform.harness.verdicts import ExitCode

from .raw_host import FAULTY, needs_host

SCHEMA = json.loads(Path(package.__file__).parents[1].joinpath("bench-1.schema.json").read_text(encoding="utf-8"))
GOOD, LATE = (f"abi:{FAULTY}#{name}" for name in ("good-native", "run-one-frame-late"))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A function that runs the command in the fewest rounds, and gives its exit code and all that it wrote."""

    def run(*arguments: str) -> SimpleNamespace:
        out = tmp_path / "out"
        with pytest.raises(SystemExit) as ended:
            bench_command.command("bench", "").main(["--out", str(out), "--rounds", "4", *arguments])
        files = {file.name: file.read_text(encoding="utf-8") for file in out.glob("*")}
        return SimpleNamespace(code=ended.value.code, files=files, **capsys.readouterr()._asdict())

    return run


def made_up(times: dict[str, list[float]], **fields) -> Benchmark:
    """A benchmark of the five models whose step takes so many µs in each round; a model takes a fifth of it."""
    rows = list(five_rows())
    rounds = [
        {
            name: {LOAD: 1e8, **{row.name: 1e3 * taken[number] / (1 if row.kind == "step" else 5) for row in rows}}
            for name, taken in times.items()
        }
        for number in range(len(next(iter(times.values()))))
    ]
    loaders = {
        name: SimpleNamespace(declaration=Declaration(name, "1.0", "loader"), connection=f"abi:{name}.so")
        for name in times
    }
    return Benchmark(loaders, rows, next(iter(times)), 0, {}, rounds, **fields)


@needs_host
def _command_of(process: str) -> str:
    """Its command line; empty for one that is gone, or that only its parent has to be told of."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


class TestCommand:
    def test_loaders_are_timed_side_by_side(self, bench) -> None:
        """One in C++ and one in Python, each with all rows; the machine's limit beside them."""
        mine = os.sched_getaffinity(0)
        done = bench("--only", "--no-layers", GOOD, "numpy-runtime")
        assert done.code == ExitCode.OK
        data = json.loads(done.files[benched.DATA])
        jsonschema_rs.Draft202012Validator(SCHEMA).validate(data)
        assert (data["base"], set(data["loaders"])) == ("good-native", {"good-native", "numpy-runtime"})
        assert [row["name"] for row in data["rows"][:3]] == [LOAD, WHOLE_STEP, COLD_STEP]
        assert len(data["rows"]) == 3 + 5
        for row in data["rows"]:
            assert {len(times) for times in row["times_ns"].values()} == {4}, row["name"]
        assert {len(times) for times in data["limits_ns"].values()} == {4}
        native, python = data["loaders"]["good-native"], data["loaders"]["numpy-runtime"]
        assert native["peak_bytes"] > native["live_bytes"] > 4 * 2**20
        assert python["live_bytes"] is None
        assert os.sched_getaffinity(0) == mine

    def test_a_wrong_loader_has_no_times(self, bench) -> None:
        """It says so where it was named, and nobody is compared with it."""
        done = bench("--only", "--no-layers", LATE, GOOD)
        assert done.code == ExitCode.UNEXPECTED
        assert "found none for run-one-frame-late" in done.err.replace("\n", " ")
        data = json.loads(done.files[benched.DATA])
        (step,) = (row for row in data["rows"] if row["name"] == WHOLE_STEP)
        assert step["unfit"] == {"run-one-frame-late": "its outputs are wrong"}
        assert step["times_ns"]["run-one-frame-late"] == []
        assert len(step["times_ns"]["good-native"]) == 4
        assert data["base"] == "good-native"
        assert "run-one-frame-late has no EmotionRecognizer" in done.out.replace("\n", " ")
        assert "Single layers" not in done.files[benched.SUMMARY]

    def test_terminated_it_leaves_no_process_and_no_file(self, tmp_path: Path) -> None:
        """While a loader hangs."""
        hanging, out = f"abi:{FAULTY}#ldr-hangs", tmp_path / "out"
        command = [sys.executable, "-m", "rtconform", "bench", "--only", hanging, "--out", out]
        quiet = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
        with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, **quiet) as running:
            children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
            while "rtc-host" not in "".join(_command_of(child) for child in children.read_text().split()):
                time.sleep(0.01)
            (host,) = children.read_text().split()
            running.terminate()
            assert running.wait(30) == 128 + signal.SIGTERM
        end = time.monotonic() + 30
        while _command_of(host) and time.monotonic() < end:
            time.sleep(0.01)
        assert _command_of(host) == ""
        assert list(tmp_path.iterdir()) == []

    def test_a_loader_without_a_layer_type_has_no_times_of_it(self, bench, monkeypatch: pytest.MonkeyPatch) -> None:
        kinds = {kind: LAYERS[kind] for kind in ("dense", "gru")}
        monkeypatch.setattr(bench_rows, "LAYERS", kinds)
        data = json.loads(bench("--only", GOOD).files[benched.DATA])
        layers = {row["name"]: row for row in data["rows"] if row["size"]}
        assert set(layers) == {f"{kind}-{size}" for kind in kinds for size in SIZES}
        for name, row in layers.items():
            assert row["unfit"] == ({"good-native": "it declares no gru"} if "gru" in name else {})

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (["--only"], 2, "expected loaders to time, found none"),
            (["--only", "abi:nowhere.so"], 2, "cannot connect 'abi:nowhere.so'"),
            (["--only", f"abi:{FAULTY}#imp-unknown-class"], ExitCode.NOT_AVAILABLE, "no numeric class is called 'f31'"),
            (["--only", GOOD, "--base", "best"], 2, "--base best: expected one of good-native"),
            (["--rounds", "3"], 2, "greater than or equal to 4"),
        ],
    )
    def test_what_cannot_be_done_is_said(self, bench, arguments, code, said) -> None:
        """Before anything is measured or written."""
        done = bench(*arguments)
        assert done.code == code
        assert said in done.err.replace("\n", " ")
        assert done.files == {}


class TestReport:
    def test_the_fastest_stands_first_and_ratios_are_to_the_base(self) -> None:
        measured = made_up({"old": [100, 110, 100, 90], "new": [25, 27.5, 25, 22.5]})
        lines = benched.render_terminal(measured).splitlines()
        assert lines[1].split()[:4] == ["new", "25", "0.25", "(0.25–0.25)"]
        assert lines[2].split()[:4] == ["old", "100", "1.00", "(1.00–1.00)"]

    def test_a_step_is_as_good_as_each_of_its_models(self) -> None:
        measured = made_up({"old": [100] * 4, "new": [10] * 4})
        measured.unfit["new", "HarmonyPredictor"] = "its outputs are wrong"
        assert measured.by_speed() == ["old", "new"]
        assert measured.median_ns("new", "MelodyTransformer") == 2000
        assert measured.median_ns("new", WHOLE_STEP) is None
        assert measured.median_ns("new", LOAD) is None
        assert benched.render_terminal(measured).splitlines()[2].split() == ["new", *["-"] * 6]

    def test_memory_limits_and_who_is_missing(self) -> None:
        memory = Memory(2**20, 3 * 2**20, 0, 2**20, 0.0, 0, 0, 0)
        measured = made_up({"old": [100] * 4}, memory={"old": memory}, limits={32: [5e4, 6e4, 5e4]})
        measured = dataclasses.replace(measured, left_out={"far": "it needs torch"})
        text = benched.render_markdown(measured)
        assert "| old | 100 | 1.00 (1.00–1.00) | 100 | 100 | 1.00 | 3.0 |" in text
        assert "50 µs stored in 32 bits" in text
        assert "far is left out: it needs torch" in text

    def test_the_picture_has_a_dot_a_ring_and_a_line_for_each(self) -> None:
        """And the machine's limits; a loader without times is named all the same."""
        measured = made_up({"old": [100] * 4, "<b>": [10] * 4, "none": [1] * 4}, limits={32: [5e4], 8: [1e4]})
        measured.unfit["none", "GroovePredictor"] = "it crashed"
        picture = ET.fromstring(benched.bench_picture.render(measured))  # noqa: S314, the XML is ours
        circles = picture.findall(f"{SVG}circle")
        assert len(circles) == 4
        places = {circle.get("cx") for circle in circles}
        assert len(places) == 2
        texts = [text.text for text in picture.findall(f"{SVG}text")]
        assert {"old", "<b>", "none", "32 bit", "8 bit"} <= set(texts)


class TestRows:
    def test_layers_of_each_type_and_size(self, tmp_path: Path) -> None:
        """All types of the format that are layers of their own by name; valid files, no two passes on the same bits."""
        rows = list(layer_rows(tmp_path, 0))
        assert len(rows) == len(LAYERS) * len(SIZES)
        for row in rows:
            ((_, case),) = row.step.models.items()
            model = read(case.path)
            assert (model.input_size, model.output_size) == (row.size, row.size)
        kinds = {read(next(iter(row.step.models.values())).path).layer_types[0] for row in rows}
        assert kinds == {"dense", "lstm", "gru", "conv1d", "conv2d", "prelu", "batchnorm", "activation"}
        assert len({rows[0].inputs(number).tobytes() for number in range(rows[0].passes)}) == rows[0].passes

    def test_models_alone_get_what_the_step_gives_them(self) -> None:
        step, _, *alone = five_rows()
        assert [row.name for row in alone] == [stage["model"] for stage in step.step.flow]
        assert all(np.isfinite(row.audio).all() and row.audio.std() > 0 for row in alone)
