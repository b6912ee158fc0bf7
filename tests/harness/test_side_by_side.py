"""Two loaders timed side by side: in turn, at the same moment, and checked."""

from __future__ import annotations

import re
import shlex
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rtconform.harness import selection
from rtconform.harness.implementations import Latency, TimedOut, connect
from rtconform.harness.implementations.host import SAMPLES
from rtconform.harness.measure import side_by_side
from rtconform.harness.measure.hosts import ShiftedLoader
from rtconform.harness.measure.side_by_side import DUET, INTERLEAVED, WHOLE_STEP, Contender, Row, WrongWhenTimed
from rtconform.harness.measure.step import Step, alone, step_of

from .raw_host import FAULTY, needs_host, noise

GOOD = f"abi:{FAULTY}#good-native"
ALL_OF_ONE = {"from": "audio", "begin": 0, "end": 1}


class FakeContender:
    """Notes where and when it is asked for times, and gives the number of the call; it is asked for none twice."""

    def __init__(self, name: str, log: list, meeting: threading.Barrier | None = None) -> None:
        self.name, self.log, self.meeting, self.calls = name, log, meeting, 0
        self.seen: set[float] = set()
        self.read: list[int] = []

    def run_on(self, core: int) -> None:
        self.log.append((self.name, core))

    def times(self, step, audio, cache_bytes) -> np.ndarray:
        assert not self.seen & {*audio.ravel()}
        self.seen |= {*audio.ravel()}
        self.read.append(cache_bytes)
        if self.meeting:
            self.meeting.wait(timeout=30)
        else:
            self.log.append(self.name)
        self.calls += 1
        return np.full(5, float(self.calls))


class TestSideBySide:
    ROWS = tuple(
        Row(name, None, noise(8, 3, seed=seed), passes, ({}, {}), cache_bytes)
        for seed, (name, passes, cache_bytes) in enumerate([("one", 4, 0), ("other", 2, 1 << 20)])
    )

    def test_in_turn_each_begins_as_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """ABBA, on one core; a row that needs fewer passes gets fewer."""
        monkeypatch.setattr(side_by_side, "cores", lambda: [4, 6])
        log: list = []
        taken = side_by_side.interleaved((FakeContender("A", log), FakeContender("B", log)), self.ROWS, number=1)
        assert log[:2] == [("A", 6), ("B", 6)]
        assert "".join(log[2:]) == "BABA" + "ABAB" + "BA" + "AB"
        assert [times.shape for row in taken for times in row] == [(4, 5), (4, 5), (2, 5), (2, 5)]

    def test_in_a_duet_both_are_at_it_at_the_same_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither ends a pass before the other has begun it; cores are swapped from pass to pass."""
        monkeypatch.setattr(side_by_side, "cores", lambda: [4, 6])
        log: list = []
        meeting = threading.Barrier(2)
        pair = FakeContender("A", log, meeting), FakeContender("B", log, meeting)
        taken = side_by_side.duet(pair, self.ROWS, number=0)
        assert log == [("A", 4), ("B", 6), ("A", 6), ("B", 4)] * 2
        assert [times[:, 0].tolist() for times in taken[0]] == [[1, 3, 5, 6]] * 2

    def test_in_a_duet_each_is_asked_first_as_often_on_either_core(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Over four passes, in the second of which cores are swapped."""
        asked = []

        class Noting(ThreadPoolExecutor):
            def submit(self, take, side, *given):
                asked.append(side)
                return super().submit(take, side, *given)

        monkeypatch.setattr(side_by_side, "ThreadPoolExecutor", Noting)
        taken = side_by_side.duet((FakeContender("A", []), FakeContender("B", [])), self.ROWS[:1], number=0)
        assert asked == [0, 1, 0, 1, 1, 0, 1, 0]
        assert [times[:, 0].tolist() for times in taken[0]] == [[1, 2, 3, 4]] * 2

    def test_no_frame_is_given_twice(self) -> None:
        """By the one way and by the other: a remembered answer would look like a fast one."""
        pair = FakeContender("A", []), FakeContender("B", [])
        for way in (side_by_side.interleaved, side_by_side.duet):
            way(pair, self.ROWS, number=0)
        assert len(pair[0].seen) == 2 * (4 + 2) * 8 * 3

    def test_the_cache_is_emptied_between_the_steps_of_who_may_not_stay_there(self) -> None:
        """By both ways."""
        pair = FakeContender("A", []), FakeContender("B", [])
        for way in (side_by_side.interleaved, side_by_side.duet):
            way(pair, self.ROWS, number=0)
        assert pair[0].read == pair[1].read == [0, 1 << 20, 0, 1 << 20, 0, 0] * 2

    def test_what_is_read_is_asked_for_with_the_step(self, path: Path) -> None:
        """Of the host, for the models of the step alone."""
        asked = []

        def measure_latency(models, *_, cache_bytes, **__):
            asked.append((models, cache_bytes))
            return Latency(*[np.ones(3)] * len(SAMPLES), "ordinary", {})

        loaded = iter(("first of all", "second of all"))
        session = SimpleNamespace(load=lambda path, max_frames: next(loaded), measure_latency=measure_latency)
        cases = {name: SimpleNamespace(path=path) for name in ("first", "second")}
        contender = Contender("A", session, Step(cases, (), 1))
        contender.times(Step({"second": cases["second"]}, (), 1), noise(3, 1), 64)
        assert asked == [({"second": "second of all"}, 64)]

    @pytest.mark.parametrize("changes", [False, True])
    def test_outputs_that_change_when_timed_are_an_error(self, path: Path, changes: bool) -> None:
        """Bit by bit, whatever was fast, and in the process that was timed: in another they may have other bits."""
        frames, timed = noise(3, 1), noise(3, 1, seed=1)
        untimed = -timed if changes else timed
        session = SimpleNamespace(
            load=lambda path, max_frames: SimpleNamespace(who="cheat"),
            measure_latency=lambda *_, **__: Latency(*[np.ones(3)] * len(SAMPLES), "ordinary", {"only": timed}),
            process_together=lambda parts, **_: SimpleNamespace(outputs=[untimed]),
        )
        step = Step({"only": SimpleNamespace(path=path)}, ({"model": "only", "inputs": [ALL_OF_ONE]},), 1)
        contender = Contender("B", session, step)
        assert contender.times(step, frames).tolist() == [1.0, 1.0, 1.0]
        with (
            pytest.raises(WrongWhenTimed, match="B, cheat, gives other outputs of only when it is timed")
            if changes
            else nullcontext()
        ):
            contender.check(number=4)

    @needs_host
    @pytest.mark.parametrize("ask", [Contender.times, Contender.outputs])
    def test_a_pass_that_hangs_is_an_error_soon(self, path: Path, ask, monkeypatch: pytest.MonkeyPatch) -> None:
        """Named as what it is: which of the two, and at which model."""
        monkeypatch.setattr(side_by_side, "PASS_TIMEOUT", 0.05)
        case = selection.ModelCase("only", path)
        step = alone("only", case)
        with connect(f"abi:{FAULTY}#lat-sleeps-12ms", "loader").open() as session:
            contender = Contender("B", session, step)
            with pytest.raises(TimedOut, match=r"^B, lat-sleeps-12ms, with only, .*0\.05 s"):
                ask(contender, step, noise(50, case.model.input_size))

    def test_both_are_checked_in_each_round(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In the processes of that round; other passes in each."""
        checked = []
        pair = tuple(SimpleNamespace(letter=letter) for letter in "AB")
        monkeypatch.setattr(side_by_side, "_pair", lambda *_: pair)
        monkeypatch.setattr(side_by_side, "ways", lambda *_: ({}, {}))
        monkeypatch.setattr(Contender, "check", lambda self, number: checked.append((self.letter, number)))
        rounds = side_by_side.measure(None, None, None, (), 0)
        for count in (1, 2):
            next(rounds)
            assert sorted(checked) == [(letter, number) for letter in "AB" for number in range(count)]

    @needs_host
    def test_memory_lies_elsewhere_in_each_process(self) -> None:
        """By one seed always alike, and not the same for both builds."""

        def command_lines(seed: str) -> list[str]:
            loader = ShiftedLoader(connect(GOOD, "loader"), seed)
            lines = []
            for _ in range(3):
                with loader.open() as session:
                    lines.append(Path(f"/proc/{session.pid}/cmdline").read_text(encoding="utf-8"))
            return lines

        lines = command_lines("0 A")
        assert len({*lines, *command_lines("0 B")}) == 6
        assert lines == command_lines("0 A")
        assert all(re.search(r"\0--padding\0\d+\0$", line) for line in lines)

    @needs_host
    def test_each_model_is_timed_on_what_the_step_gives_it(self, path: Path) -> None:
        """All of them together, and each alone; the second takes what the first puts out."""
        cases = {name: selection.ModelCase(name, path) for name in ("first", "second")}
        width = cases["first"].model.input_size
        sources = [("audio", 0, width), ("first", 0, width - 1), ("audio", 0, 1)]
        slices = [dict(zip(("from", "begin", "end"), source, strict=True)) for source in sources]
        step = Step(cases, ({"model": "first", "inputs": slices[:1]}, {"model": "second", "inputs": slices[1:]}), width)
        good = connect(GOOD, "loader")
        rows = side_by_side.rehearse(good, good, step, seed=0)
        assert [(row.name, list(row.step.models)) for row in rows] == [
            (WHOLE_STEP, ["first", "second"]),
            ("first", ["first"]),
            ("second", ["second"]),
        ]
        frames = min(len(row.audio) for row in rows)
        whole, first, second = rows
        assert np.array_equal(second.audio[:frames, :-1], first.outputs[0]["first"][:frames, : width - 1])
        assert np.array_equal(second.audio[:frames, -1:], first.audio[:frames, :1])
        assert not np.array_equal(whole.audio[:frames], first.audio[:frames])

    @needs_host
    @pytest.mark.parametrize(
        ("known_bad", "stay"), [("good-native", [True, True, True]), ("mem-keeps-6mb", [False, False, False])]
    )
    def test_who_may_not_stay_in_the_cache_is_timed_out_of_an_emptied_one(
        self, path: Path, known_bad: str, stay: list[bool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By what the loader that holds more holds of it, whatever its weights are; half of the cache is sure."""
        twice_the_cache = 4 << 20
        monkeypatch.setattr(side_by_side.machine, "core_cache_bytes", lambda: twice_the_cache)
        cases = [selection.ModelCase(name, path) for name in ("first", "second")]
        loaders = connect(GOOD, "loader"), connect(f"abi:{FAULTY}#{known_bad}", "loader")
        rows = side_by_side.rehearse(*loaders, step_of(cases), seed=0)
        assert [row.cache_bytes for row in rows] == [0 if stays else twice_the_cache for stays in stay]

    @needs_host
    def test_all_models_together_may_not_stay_where_each_does(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Half of this cache has room for one of them."""
        good = connect(GOOD, "loader")
        with good.open() as session:
            one = session.measure_memory([path], cycles=0)
        monkeypatch.setattr(side_by_side.machine, "core_cache_bytes", lambda: 6 * (one.live_bytes - one.static_bytes))
        cases = [selection.ModelCase(name, path) for name in ("first", "second")]
        rows = side_by_side.rehearse(good, good, step_of(cases), seed=0)
        assert [row.cache_bytes > 0 for row in rows] == [True, False, False]

    @needs_host
    def test_who_processes_in_a_program_is_not_known(self) -> None:
        """Nor can it be kept on a core: it may be a thread, or a process that a script has started."""
        good = connect(GOOD, "loader")
        program = connect('cmd:sh -c \'exec "$0" "$@"\' ' + shlex.join(good.command), "loader")
        known, left_out = side_by_side.ways(good, program)
        assert list(known) == [INTERLEAVED]
        assert left_out == {DUET: "only abi: loaders can be kept on a core of their own"}
