"""What stands between the record stream and the reports: readings, pictures, and text that is safe to show."""

import math

import pytest

from rtconform.harness.records import read
from rtconform.harness.report import measured, pictures, reading, terminal, timings
from rtconform.harness.report.text import digits, memory, one_line, shown, visible
from rtconform.harness.verdicts import Verdict

from .sample_run import LOADERS, build, result


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with every verdict and every kind of measurement."""
    return read(build(tmp_path_factory.mktemp("run")))


class TestReadings:
    """What the records come to."""

    @pytest.mark.parametrize(
        ("verdicts", "word"),
        [
            (["PASS"], "PASSED"),
            (["PASS", "XFAIL"], "AS EXPECTED"),
            (["SKIP"], "NOT JUDGED"),
            (["PASS", "NOT AVAILABLE"], "NOT AVAILABLE"),
            (["PASS", "INCONCLUSIVE"], "INCONCLUSIVE"),
            (["PASS", "NOT AVAILABLE", "FAIL"], "FAILED"),
            (["XPASS"], "FAILED"),
        ],
    )
    def test_the_verdict_of_a_run_follows_its_exit_code(self, tmp_path, verdicts, word):
        """One word; all skipped is no pass."""
        results = [result("RUN-RESET", "mine", f"case{n}", verdict) for n, verdict in enumerate(verdicts)]
        assert reading.verdict_line(read(build(tmp_path, results)))[0] == word

    def test_what_was_not_judged_is_told_with_its_reasons(self, tmp_path):
        """In the terminal, a line per reason; the report has them all."""
        results = [result("RUN-RESET", "mine", f"case{n}", "SKIP") for n in range(3)]
        for n, made in enumerate(results):
            made["found"] = "not declared: gru" if n else "it has no golden: rtconform golden add m.json"
        said = terminal.render(read(build(tmp_path, [result("RUN-RESET", "mine", "good", "PASS"), *results])), "r.html")
        assert "SKIP mine (1 case): it has no golden: rtconform golden add m.json" in said
        assert "SKIP mine (2 cases): not declared: gru" in said

    def test_the_worst_case_speaks_for_a_requirement(self, tmp_path):
        """Whatever came first."""
        results = [
            result("RUN-RESET", "mine", verdict, verdict) for verdict in ("PASS", "SKIP", "FAIL", "CRASH", "XFAIL")
        ]
        (group,) = reading.groups(read(build(tmp_path, results)))
        assert group.worst is Verdict.CRASH
        assert reading.in_words(group.counts) == "1 crash, 1 failure, 1 known failure, 1 pass, 1 skip"

    def test_nan_is_the_worst_error(self, run):
        """An output that is no number is infinitely far off, whatever the other cases were; its model comes first."""
        figures = {(figure.model, figure.implementation): figure for figure in measured.errors(run)}
        assert figures["groovepredictor", "mine"].worst == figures["groovepredictor", "mine"].largest_error == math.inf
        assert figures["groovepredictor", "rtneural-stl"].holds
        models = list(dict.fromkeys(figure.model for figure in measured.errors(run)))
        assert models[:3] == ["melodytransformer", "groovepredictor", "emotionrecognizer"]
        assert models[-5:] == ["dense", "lstm", "gru", "conv1d", "prelu"]

    def test_times_are_in_milliseconds(self, run):
        """One late step in 5000 shows in the largest, not at p99.9."""
        mine = next(figure for figure in timings.steps(run) if figure.implementation == "mine")
        assert mine.wall.max == pytest.approx(12.4)
        assert mine.holds
        assert mine.wall.p50 < mine.wall.p99 < mine.wall.p99_9 < 2
        assert (mine.judgement.misses, mine.judgement.excused, mine.judgement.steps) == (1, 1, 4992)

    def test_headroom_is_that_of_the_bound_on_the_percentile(self, run):
        """The largest of so few samples, and the buffer that lasts for longer: 256 samples are 5.3 ms, 1024 are 21."""
        good, mine = (next(f for f in timings.steps(run) if f.implementation == name) for name in LOADERS[1:])
        assert good.bound == good.wall.max
        assert good.headroom == pytest.approx(10 / good.wall.max)
        assert good.buffer / 48 >= good.bound > good.buffer / 2 / 48
        assert (mine.bound, mine.buffer) == (pytest.approx(12.4), 1024)

    def test_two_processes_of_one_loader_are_told_apart_by_little(self, run):
        """Samples drawn from one distribution: the interval holds 1."""
        figures = timings.steps(run)
        assert len(figures) == 6
        assert all(0.98 < figure.again.lower <= 1 <= figure.again.upper < 1.02 for figure in figures)

    def test_what_rounding_costs_is_held_against_its_limit(self, run):
        """Figure by figure."""
        figures = [figure for figure in measured.roundings(run) if figure.implementation != "rtneural-stl"]
        assert [(figure.of, figure.lost, figure.holds) for figure in figures] == [
            *(("chords", 0.005, True), ("notes", 0.0125, True), ("emotion", 0.005, True)),
            *(("chords", 0.05, False), ("notes", 0.125, False), ("emotion", 0.05, False)),
        ]

    def test_memory_is_what_is_held_after_processing(self, run):
        """Where that is more than after loading."""
        assert [figure.holds for figure in measured.memories(run)] == [False, False, True]
        assert measured.memories(run)[2].held == 2_480_000 + 2048


class TestPictures:
    """Where marks go."""

    def test_the_budget_divides_good_from_bad(self, run):
        """On the axis of errors."""
        figures = measured.errors(run)
        axis = pictures.error_axis(figures)
        for figure in figures:
            assert (axis.at(figure.worst) <= axis.at(1)) == figure.holds

    def test_axes_hold_their_values(self):
        """Whole decades around them, or round steps from zero."""
        axis = pictures.decades([0.0, 3e-3, 250, math.inf], (0.01, 10))
        assert (axis.low, axis.high) == (pytest.approx(1e-3), pytest.approx(1e3))
        assert axis.at(1) == 50
        assert [axis.at(value) for value in (0.0, math.inf)] == [0, 100]
        assert axis.outside(math.inf)
        assert pictures.linear([5.6, 11.3], 4).ticks == (0, 3, 6, 9, 12)

    def test_one_late_step_can_be_seen(self):
        """A single sample among 10,000 has a bin of its own, a hundredth as high."""
        bins = pictures.histogram([1.0] * 10_000 + [90.0], pictures.decades([1, 90], (0.1, 100)))
        assert [height for _, _, height in bins] == [100, 1]

    def test_losses_are_compared_with_the_constant_on_the_same_labels(self, run):
        """Shuffled with shuffled; a model without state has no third bar."""
        emotion, _, harmony, _ = measured.trainings(run)
        assert [round(ratio, 3) for _, _, ratio in pictures.training_bars(emotion)] == [0.253, 1.059, 0.373]
        assert len(pictures.training_bars(harmony)) == 2


class TestText:
    """Text and numbers for people."""

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("plain ä 漢 \n\t", "plain ä 漢 \n\t"),
            ("\x1b[31m\r\x00", "\\x1b[31m\\r\\x00"),
            ("\u202e\u200b\ufeff", "\\u202e\\u200b\\ufeff"),
            ("\ud800\uffff", "\\ud800\\uffff"),
            ("a\u2028b\xa0c", "a\\u2028b\xa0c"),
        ],
    )
    def test_controls_are_escapes(self, text, said):
        """Whatever does not show by itself."""
        assert visible(text) == said

    def test_long_evidence_is_cut_and_says_so(self):
        """With the number of characters that are missing."""
        assert shown("x" * 5000).endswith("(1000 characters more in the record stream)")
        assert shown({"a": [1, "ä"]}) == '{"a": [1, "ä"]}'

    def test_one_line_of_many(self):
        """The first that says something."""
        assert one_line("\n  first\nsecond") == "first …"
        assert one_line("only\n") == "only"

    def test_numbers_are_short(self):
        """Three digits, no exponent where people would write none."""
        assert [digits(value) for value in (0.12345, 12345.6, 1e-9, 7, math.inf, "nan", None)] == [
            "0.123", "12346", "1e-09", "7", "inf", "nan", "None",
        ]  # fmt: skip
        assert [memory(size) for size in (4 * 2**20, 4096, 100, 500_000, 0)] == [
            "4.00 MiB",
            "4.00 KiB",
            "100 B",
            "0.48 MiB",
            "0 B",
        ]
