"""Streams of frames with reloads meanwhile: which file stood behind which version, and what is driven how."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtconform.harness import five_models
from rtconform.harness.implementations import LiveRun, Reload
from rtconform.harness.judging import RequirementFailed
from rtconform.harness.measure import pipeline as driving, result_times
from rtconform.harness.measure.stream import NAMES, Bad, Move, Stream, moves
from rtconform.harness.rtneural_json import InvalidModel, read

EMOTION, MELODY, HARMONY, DYNAMICS, GROOVE = NAMES


def live_run(ids: Iterable[int], version: np.ndarray, reloads: Iterable[Reload] = (), **more: Any) -> LiveRun:
    """A run of which nothing else is known."""
    ids = np.array(list(ids))
    none = np.zeros(len(ids), np.int64)
    plain = dict.fromkeys(("submit_at_ns", "submit_wall_ns", "submit_cpu_ns", "submit_waits", "poll_cpu_ns"), none)
    plain |= {"accepted": none + 1, "result_at_ns": none + 7, "fallback": none, "polls": 0, "poll_waits": 0}
    plain |= {"poll_wall_max_ns": 0, "priority": "ordinary", "memory": {}, "counters": {}, "unseen": {}}
    digests = np.zeros((len(ids), len(NAMES)), np.uint64)
    values = {"offences": (), "digests": digests, "reloads": tuple(reloads), **plain, **more}
    return LiveRun(ids=ids, version=version, **values)


def reload(*version: int, accepted: bool = True) -> Reload:
    return Reload(0, 0, 0, accepted, version)


class TestStream:
    def test_versions_follow_the_good_files(self):
        """One model, all with one file gone, another with what stands there already, and one that is bad."""
        a, b = Path("a"), Path("b")
        whole = Stream()
        whole.begin({name: {"version": 1} for name in NAMES})
        done = [
            Move(MELODY, {MELODY: a}),
            Move(None, {EMOTION: b, DYNAMICS: Bad(None)}),
            Move(DYNAMICS, {}),
            Move(HARMONY, {HARMONY: Bad(a, 7)}),
        ]
        reported = [(1, 2, 1, 1, 1), (2, 3, 2, 1, 2), (2, 3, 2, 1, 2), (2, 3, 2, 2, 2)]
        answers = [True, False, False, True]
        reloads = [reload(*of, accepted=said) for of, said in zip(reported, answers, strict=True)]
        whole.add(live_run([], np.empty((0, 5), np.int64), reloads), done)
        assert whole.expected == [(1,) * 5, (1, 2, 1, 1, 1), (2, 3, 2, 1, 2), (2, 3, 2, 1, 2), (2, 3, 2, 1, 2)]
        assert whole.reported[-1] != whole.expected[-1] and whole.reported[:-1] == whole.expected[:-1]
        assert whole.answers == [(True, True), (False, False), (False, False), (False, True)]
        assert whole.sources[MELODY, 2] == whole.sources[MELODY, 3] == a
        assert whole.sources[EMOTION, 2] == b and (DYNAMICS, 2) not in whole.sources

    def test_parts_lie_between_swaps(self):
        """Of one model or of several."""
        whole = Stream()
        whole.begin({name: {"version": 1} for name in NAMES})
        versions = np.array([[1] * 5] * 3 + [[2] * 5, [2, 3, 2, 2, 2]])
        whole.add(live_run(range(5), versions), [])
        assert whole.parts() == [(0, 3), (3, 4), (4, 5)]
        assert whole.ids == whole.accepted == [0, 1, 2, 3, 4] and whole.busy_ns == 7

    def test_each_way_to_be_bad_is_among_the_moves(self, tmp_path: Path):
        """The good files are valid and differ from the stored ones; the bad ones are what they are for."""
        todo = moves(tmp_path)
        files = {name: file for move in todo for name, file in move.puts.items() if isinstance(file, Path)}
        assert files.keys() == set(NAMES) and {move.model for move in todo} >= {None, EMOTION, MELODY}
        for name in NAMES:
            other = read(driving.altered(name, tmp_path))
            stored = read(five_models.FOLDER / five_models.specs()[name]["file"])
            assert (other.layers[-1].bias != stored.layers[-1].bias).any()
            assert (other.layers[-1].kernel == stored.layers[-1].kernel).all()
        bad = [file for move in todo for file in move.puts.values() if isinstance(file, Bad)]
        assert [file.source is None for file in bad].count(True) == 1
        assert [file.bytes for file in bad if file.bytes] and len(bad) == 4
        garbage = next(file.source for file in bad if file.source and file.source.name == "garbage.json")
        with pytest.raises(InvalidModel):
            read(garbage)


class Slow:
    """A session with room for three, and a result for every third poll."""

    capacity = 3

    def __init__(self, lost: Iterable[int] = ()) -> None:
        self.waiting: deque[int] = deque()
        self.lost = set(lost)
        self.most = self.polls = 0

    def submit(self, frame_id: int, audio: np.ndarray) -> bool:
        if len(self.waiting) == self.capacity:
            return False
        self.waiting.append(frame_id)
        self.most = max(self.most, len(self.waiting))
        return True

    def poll(self) -> list[dict[str, Any]]:
        self.polls += 1
        if self.polls % 3 or not self.waiting:
            return []
        frame_id = self.waiting.popleft()
        return [] if frame_id in self.lost else [{"id": frame_id}]


class TestDriving:
    def test_no_more_are_pending_than_there_is_room_for(self):
        """All of it is used, and each frame has its result."""
        session = Slow()
        results = driving.drive(session, np.zeros((9, 128), np.float32), first_id=5)
        driving.check_ids(results, range(5, 14))
        assert session.most == 3

    def test_what_is_lost_ends_it(self, monkeypatch: pytest.MonkeyPatch):
        """As soon as lost results fill the room that a pipeline has."""
        monkeypatch.setattr(driving, "PATIENCE_SECONDS", 0.05)
        results = driving.drive(Slow(lost=[1, 2, 3]), np.zeros((40, 128), np.float32))
        with pytest.raises(RequirementFailed, match="the first difference is at result 1"):
            driving.check_ids(results, range(40))

    def test_a_refusal_with_room_is_a_failure(self):
        """The message says how many were pending."""
        session = Slow()
        session.waiting.extend([0, 1, 2])
        with pytest.raises(RequirementFailed, match="frame 0 was refused although 0 were pending"):
            driving.drive(session, np.zeros((1, 128), np.float32))

    def test_outputs_of_another_size_are_a_failure(self):
        """Not a fault of the suite: also where there are none."""
        for outputs in ({}, {GROOVE: np.zeros(31)}):
            with pytest.raises(RequirementFailed, match=r"result 0 has outputs of shape \[\d+\] for GroovePredictor"):
                driving.outputs_of([{"outputs": outputs}], GROOVE)


class TestResultTimes:
    def test_times_are_from_submit_to_poll(self):
        """By frame; a result that never came has the longest time."""
        at = np.array([10, 20, 30, 40])
        run = live_run([7, 8, 9], np.ones((3, 5)), accepted=np.ones(4), submit_at_ns=at, result_at_ns=at[:3] + 5)
        assert result_times._times(run).tolist() == [5, 5, 5, result_times.WAIT_NS]

    def test_results_out_of_order_are_a_failure(self):
        """And so is a frame that was refused."""
        at = np.array([10, 20])
        with pytest.raises(RequirementFailed, match="out of order"):
            result_times._times(live_run([8, 7], np.ones((2, 5)), submit_at_ns=at))
        with pytest.raises(RequirementFailed, match="refused"):
            result_times._times(live_run([7, 8], np.ones((2, 5)), submit_at_ns=at, accepted=np.array([1, 0])))
