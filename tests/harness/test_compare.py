"""`rtconform compare`, from two connection strings to an exit code; on times that are made up where a time matters."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import jsonschema_rs
import numpy as np
import pytest

from rtconform.harness import comparison, selection
from rtconform.harness.commands import compare as compare_command
from rtconform.harness.comparison import Comparison, Limits, OutputDifference
from rtconform.harness.implementations import Declaration, connect
from rtconform.harness.measure import side_by_side
from rtconform.harness.measure.side_by_side import DUET, INTERLEAVED, WHOLE_STEP, Row
from rtconform.harness.measure.step import step_of
from rtconform.harness.report import compared
from rtconform.harness.verdicts import ExitCode

from .raw_host import FAULTY, needs_host

SCHEMA = json.loads(Path(comparison.__file__).with_name("compare-1.schema.json").read_text(encoding="utf-8"))
GOOD = f"abi:{FAULTY}#good-native"
NO_FLOOR_CAN_BE_REACHED = "--floor-us=1e6"


@pytest.fixture
def compare(tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]):
    """A function that runs the command on a small model, and gives its exit code and all that it wrote."""

    def run(*arguments: str) -> SimpleNamespace:
        out = tmp_path / "out"
        fixed = ["--models", str(path), "--out", str(out), "--no-instructions"]
        with pytest.raises(SystemExit) as ended:
            compare_command.command("compare", "").main([*fixed, *arguments])
        files = {file.name: file.read_text(encoding="utf-8") for file in out.glob("*") if file.is_file()}
        return SimpleNamespace(code=ended.value.code, files=files, **capsys.readouterr()._asdict())

    return run


EVERY_THIRD = 1e5 * (np.arange(6 * 8).reshape(6, 8) % 3 == 0)
"""What 100 µs more in every third call come to, in ns, over six passes of eight frames."""


def made_up(ratios: dict[str, float], noise: float = 0.005, rounds: int = 8, at_times=0.0, **fields) -> Comparison:
    """A comparison of rows whose true ratios are given, with noise between rounds; a step of A takes 50 µs.

    `at_times` is what B takes longer in ns, by pass and frame.
    """
    random = np.random.default_rng(0)
    rows = [
        Row(name, SimpleNamespace(models=dict.fromkeys([name] if name != WHOLE_STEP else ratios)), None, 4, ({}, {}))
        for name in ratios
    ]
    taken = [
        {
            way: [
                tuple(
                    np.full((6, 8), 5e4 * factor * np.exp(random.normal(0, noise))) + added
                    for factor, added in ((1.0, 0.0), (ratio, at_times))
                )
                for ratio in ratios.values()
            ]
            for way in (INTERLEAVED, DUET)
        }
        for _ in range(rounds)
    ]
    loader = SimpleNamespace(declaration=Declaration("made-up", "1.0", "loader"), connection="abi:lib.so")
    defaults = {
        "loaders": (loader, loader),
        "rows": rows,
        "limits": Limits(),
        "most_rounds": 24,
        "seed": 0,
        "gates_instructions": False,
        "outputs": [OutputDifference(same_bits=True) for _ in rows],
        "left_out": {},
        "rounds": taken,
    }
    return Comparison(**(defaults | fields))


@needs_host
class TestCommand:
    def test_a_build_that_is_not_slower_passes(self, compare) -> None:
        """By both ways, with all samples in the data."""
        done = compare(GOOD, GOOD, NO_FLOOR_CAN_BE_REACHED, "--seed", "3")
        assert done.code == ExitCode.OK
        assert "NO REGRESSION: B is not slower than A, after 8 rounds" in done.out
        data = json.loads(done.files[compared.DATA])
        jsonschema_rs.Draft202012Validator(SCHEMA).validate(data)
        (row,) = data["rows"]
        assert (data["seed"], data["finding"], row["outputs"]["same_bits"]) == (3, "no slower", True)
        for way in row["samples_ns"].values():
            samples = np.array(way)
            assert samples.shape[:2] == (8, 2)
            assert samples.min() > 0
        assert len(row["samples_ns"]) == 2 - len(data["left_out"])
        assert "## rtconform compare: NO REGRESSION" in done.files[compared.SUMMARY]

    def test_a_build_that_is_slower_fails(self, compare, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(side_by_side, "measure", lambda *_: iter(made_up({"model": 1.08}).rounds))
        done = compare(GOOD, GOOD)
        assert done.code == ExitCode.UNEXPECTED
        assert "REGRESSION: B is slower than A, after 8 rounds: model +8" in done.out
        assert json.loads(done.files[compared.DATA])["finding"] == "slower"

    def test_a_build_that_is_faster_passes_and_is_said_to_be(self, compare, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(side_by_side, "measure", lambda *_: iter(made_up({"model": 0.1}).rounds))
        done = compare(GOOD, GOOD)
        assert done.code == ExitCode.OK
        assert "; faster: model -9" in done.out

    def test_a_build_that_is_slower_at_times_fails(self, compare, monkeypatch: pytest.MonkeyPatch) -> None:
        """In every third call, which is never the same frame's: the shortest times are equal, and it is said."""
        taken = made_up({"model": 1.0}, at_times=EVERY_THIRD).rounds
        monkeypatch.setattr(side_by_side, "measure", lambda *_: iter(taken))
        done = compare(GOOD, GOOD)
        assert done.code == ExitCode.UNEXPECTED
        assert "REGRESSION: B is slower than A, after 8 rounds: model +6" in done.out
        assert "The shortest times of model don't show what B costs more at times: +6" in done.out
        assert "costs more at times" in done.files[compared.SUMMARY]

    def test_an_unknown_numeric_class_is_refused(self, compare, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a mistake, before anything is timed."""
        loader = SimpleNamespace(declaration=Declaration("mine", "1.0", "loader", numeric_class="f99"))
        monkeypatch.setattr(compare_command, "connect", lambda *_: loader)
        done = compare(GOOD, GOOD)
        assert done.code == ExitCode.USAGE
        assert "A: no numeric class is called 'f99'; expected one of f32" in done.err

    def test_noise_is_an_exit_code_of_its_own(self, compare, monkeypatch: pytest.MonkeyPatch) -> None:
        """After as many rounds as allowed, with what can be done."""
        taken = itertools.cycle(made_up({"model": 1.0}, noise=0.3, rounds=30).rounds)
        monkeypatch.setattr(side_by_side, "measure", lambda *_: taken)
        done = compare(GOOD, GOOD, "--most-rounds", "10")
        assert done.code == ExitCode.INCONCLUSIVE
        assert "CAN'T TELL: after 10 rounds the noise hides whether B is slower in: model." in done.out
        assert json.loads(done.files[compared.DATA])["rounds"] == 10

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            ((GOOD, "nobody"), 2, "B: cannot connect 'nobody'"),
            (("abi:nowhere.so", GOOD), 2, "A: cannot connect 'abi:nowhere.so'"),
            (
                (GOOD, "py:tests.harness.strangers.numpy_loader:NumpyLoader"),
                2,
                "B: expected a loader that can be timed",
            ),
            ((GOOD, GOOD, "--models", "nowhere.json"), 2, "--models nowhere.json: Expected a model file"),
            ((GOOD, GOOD, "--floor-percent", "0"), 2, "--floor-percent has to be above zero"),
            ((GOOD, GOOD, "--floor-us", "inf"), 2, "found 3 and inf"),
            ((GOOD, GOOD, "--out", __file__), 2, "expected a folder"),
        ],
    )
    def test_mistakes_and_failures_are_told(self, compare, arguments, code: int, message: str) -> None:
        """Which of the two it was, and nothing is written."""
        done = compare(*arguments)
        assert (done.code, done.files) == (code, {})
        assert message in done.err

    def test_a_refused_model_is_told(self, compare, tmp_path: Path) -> None:
        """The file is valid, the loader knows no such layer; the summary for a pull request says it too."""
        file = selection.SMALL / "gru.json"
        (tmp_path / "out").mkdir()
        for name in (compared.DATA, compared.SUMMARY):
            (tmp_path / "out" / name).write_text("of an earlier comparison")
        done = compare(GOOD, GOOD, "--models", str(file))
        assert done.code == ExitCode.UNEXPECTED
        said = f"A, good-native, with {file}, refused in load (validate) at $.layers[0]"
        assert said in done.err
        assert list(done.files) == [compared.SUMMARY]
        assert "## rtconform compare: FAILED" in done.files[compared.SUMMARY]
        assert said in done.files[compared.SUMMARY]

    def test_a_crash_is_told(self, compare, path: Path) -> None:
        done = compare(GOOD, f"abi:{FAULTY}#ldr-crashes")
        said = f"B, ldr-crashes, with {path}, crashed in load: SIGSEGV"
        assert done.code == ExitCode.UNEXPECTED
        assert said in done.err
        assert said in done.files[compared.SUMMARY]

    @pytest.mark.parametrize("name", [compared.DATA, compared.SUMMARY])
    def test_a_place_that_can_not_be_written_is_no_verdict(self, compare, tmp_path: Path, monkeypatch, name) -> None:
        """Neither before anything is timed, nor after it, when the table has been shown."""
        in_the_way = tmp_path / "out" / name
        said = f"expected to write {in_the_way}, found: Is a directory"
        measured = comparison.compare

        def compared_meanwhile(*arguments: object, **options: object) -> Comparison:
            in_the_way.mkdir()
            return measured(*arguments, **options)

        monkeypatch.setattr(side_by_side, "measure", lambda *_: iter(made_up({"model": 1.08}).rounds))
        monkeypatch.setattr(comparison, "compare", compared_meanwhile)
        late, early = compare(GOOD, GOOD), compare(GOOD, GOOD)
        assert late.code == early.code == ExitCode.USAGE
        assert said in late.err
        assert said in early.err
        assert "REGRESSION: B is slower" in late.out
        assert early.out == ""

    def test_one_core_leaves_the_duet_out(self, compare, monkeypatch: pytest.MonkeyPatch) -> None:
        only = side_by_side.cores()[:1]
        monkeypatch.setattr(side_by_side, "cores", lambda: only)
        done = compare(GOOD, GOOD, NO_FLOOR_CAN_BE_REACHED)
        assert done.code == ExitCode.OK
        assert "duet NOT AVAILABLE: it needs two cores, and this process can be kept on 1." in done.out
        assert list(json.loads(done.files[compared.DATA])["rows"][0]["intervals"]) == [INTERLEAVED]


class TestReading:
    @pytest.mark.parametrize(
        ("ratios", "fields", "code"),
        [
            ({"a": 1.0, "b": 1.0}, {}, ExitCode.OK),
            ({"a": 1.0, "b": 0.9}, {}, ExitCode.OK),
            ({"a": 1.0}, {"at_times": EVERY_THIRD}, ExitCode.UNEXPECTED),
            ({"a": 1.0}, {"at_times": 0.3 * EVERY_THIRD[::-1]}, ExitCode.UNEXPECTED),
            ({"a": 1.0}, {"at_times": 0.01 * EVERY_THIRD}, ExitCode.OK),
            ({"a": 1.0, "b": 1.08}, {}, ExitCode.UNEXPECTED),
            ({"a": 1.0, "b": 1.08}, {"limits": Limits(relative=0.1)}, ExitCode.OK),
            ({"a": 1.0, "b": 1.08}, {"limits": Limits(absolute_us=5.0)}, ExitCode.OK),
            ({"a": 1.0, "b": 1.0}, {"counts": ({"a": 100, "b": 100}, {"a": 100, "b": 102})}, ExitCode.OK),
            (
                {"a": 1.0, "b": 1.0},
                {"counts": ({"a": 100, "b": 100}, {"a": 100, "b": 102}), "gates_instructions": True},
                ExitCode.UNEXPECTED,
            ),
            (
                {"a": 1.0, "b": 1.0},
                {"counts": ({"a": 100, "b": 100}, {"a": 100, "b": 100.5}), "gates_instructions": True},
                ExitCode.OK,
            ),
            ({"a": 1.0, "b": 1.0}, {"gates_instructions": True}, ExitCode.NOT_AVAILABLE),
        ],
    )
    def test_exit_codes(self, ratios, fields, code: ExitCode) -> None:
        """Time gates; instructions do if they are asked to."""
        measured = made_up(ratios, **fields)
        assert comparison.exit_code(measured, measured.lines()) is code

    def test_the_table_fits_and_says_it_without_colour(self) -> None:
        """80 columns; a colour is never more than a colour."""
        ratios = {WHOLE_STEP: 1.05, "a-model-with-a-long-name": 4.5, "other\x1b[31m": 0.88}
        counts = tuple(dict.fromkeys(ratios, count) for count in (1000.0, 1021.0))
        measured = made_up(ratios, noise=0.02, counts=counts)
        plain = compared.render_terminal(measured, measured.lines(), colour=False)
        coloured = compared.render_terminal(measured, measured.lines(), colour=True)
        assert "\x1b" not in plain
        assert coloured != plain
        table = plain.split("\n\n")[1].splitlines()
        assert max(map(len, table)) <= 80
        assert "a-model-with-a-l…" in table[3] and table[3].endswith("  slower")
        assert "+2.10" in table[3]
        assert "WARNING: B executes more instructions than A: all models +2.10 %" in plain

    def test_the_summary_for_a_pull_request_holds_the_same(self) -> None:
        """A model's name can't break out of its cell."""
        measured = made_up({"a|b": 1.2, "c": 1.0})
        text = compared.render_markdown(measured, measured.lines())
        assert text.startswith("## rtconform compare: REGRESSION\n\nB is slower than A, after 8 rounds: a\\|b \\+")
        assert "| a\\|b | 50" in text and text.count("**slower**") == 1

    def test_who_was_timed_out_of_an_emptied_cache_is_named(self) -> None:
        """A step of it takes longer than out of a full one, which the reader may know."""
        measured = made_up({"large": 1.0, "small": 1.0})
        said = "which may not hold all that a step needs: large."
        assert said not in compared.render_terminal(measured, measured.lines(), colour=False)
        measured.rows[0] = dataclasses.replace(measured.rows[0], cache_bytes=1 << 22)
        assert said in compared.render_terminal(measured, measured.lines(), colour=False)
        document = comparison.document(measured, measured.lines())
        assert [row["cache_bytes"] for row in document["rows"]] == [1 << 22, 0]

    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"counts": ({"a": 100}, {"a": 110}), "gates_instructions": True}, "REGRESSION: B executes more"),
            ({"gates_instructions": True}, "NOT AVAILABLE: instructions can't be counted"),
        ],
    )
    def test_the_last_word_is_that_of_the_exit_code(self, fields: dict, word: str) -> None:
        """Also where no time is to blame."""
        measured = made_up({"a": 1.0}, **fields)
        assert compared.render_terminal(measured, measured.lines(), colour=False).splitlines()[-1].startswith(word)

    @pytest.mark.parametrize(
        ("difference", "said"),
        [
            (OutputDifference(True), "The outputs of A and B are the same, bit by bit."),
            (OutputDifference(False, 1e-7, 0.5, 0.2), "1e-07, of values up to 0.5, as rounding allows (0.2 of it)."),
            (OutputDifference(False, 0.1, 0.5, 300.0), "MORE than rounding allows (300 of it)."),
            (OutputDifference(False, 1e-7, 0.5), "differ by up to 1e-07, of values up to 0.5."),
            (OutputDifference(False, None, None), "DIFFER: where one has numbers, the other has none."),
        ],
    )
    def test_outputs_that_differ_are_told(self, difference: OutputDifference, said: str) -> None:
        """As information: whether they are right is for other requirements to say."""
        measured = made_up({"a": 1.0}, outputs=[difference])
        assert said in compared.render_terminal(measured, measured.lines(), colour=False)
        jsonschema_rs.Draft202012Validator(SCHEMA).validate(comparison.document(measured, measured.lines()))

    @needs_host
    @pytest.mark.parametrize(("loader", "more"), [("good-native", False), ("run-fast-tanh", True)])
    def test_how_far_outputs_are_apart_is_measured_by_rounding(self, path: Path, loader: str, more: bool) -> None:
        """The other loader's tanh is off by a thousand roundings."""
        step = step_of([selection.ModelCase("only", path)])
        (row,) = side_by_side.rehearse(connect(GOOD, "loader"), connect(f"abi:{FAULTY}#{loader}", "loader"), step, 0)
        difference = comparison.output_difference(row, {"f32"})
        assert difference.same_bits is not more
        assert ((difference.budgets or 0.0) > 1.0) is more

    def test_the_schema_is_a_schema(self) -> None:
        jsonschema_rs.meta.validate(SCHEMA)
