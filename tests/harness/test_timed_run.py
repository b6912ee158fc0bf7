"""Timed runs: which frames are given to a loader, what is checked of its outputs, and what blocks cost."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest

from rtconform.harness.implementations import Latency
from rtconform.harness.implementations.client import Client
from rtconform.harness.implementations.errors import ProtocolViolation
from rtconform.harness.implementations.host import SAMPLES, Blocks, MeasuringSession
from rtconform.harness.judging import RequirementFailed
from rtconform.harness.measure import block_costs, first_steps, machine, timed_run
from rtconform.harness.measure.step import step_of
from rtconform.harness.measure.timed_run import CHUNK, WARM, TimedRun, cold
from rtconform.harness.rtneural_json import evaluate
from rtconform.harness.selection import SMALL, ModelCase

CASE = ModelCase("dense", SMALL / "dense.json")
STEP = step_of([CASE])
CHUNKS = 9


class Session:
    """A loader's process that computes as the oracle does, and adds what `fault` says for a timed request's number."""

    def __init__(self, fault=lambda number: 0.0):
        self.fault, self.asked = fault, []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def load(self, path, max_frames):
        size = CASE.model.input_size
        return SimpleNamespace(process=self.right, reset=lambda: None, close=lambda: None, input_size=size)

    def right(self, frames):
        return evaluate(CASE.model, frames).astype(np.float32)

    def measure_latency(self, models, flow, audio, **how):
        outputs = self.right(audio) + np.float32(self.fault(len(self.asked)))
        self.asked.append((audio, how))
        steps = np.full(len(audio) - how.get("warmup", 0), 1000)
        return Latency(*[steps] * len(SAMPLES), "ordinary", {CASE.name: outputs})

    def measure_blocks(self, model, frames, block):
        self.blocks = frames
        return Blocks(np.array([5000.0, 2000.0]), np.array([4000.0, 1500.0]), np.array([1, 0]), self.right(frames))


def timed(fault=lambda number: 0.0, conditions=WARM, deadline_ms=10.0):
    """(a run of some chunks, its processes): the first of them is wrong as `fault` says."""
    processes = [Session(fault), Session(), Session()]
    opened = itertools.chain(processes, iter(Session, None))
    loader = SimpleNamespace(open=opened.__next__, declaration=SimpleNamespace(numeric_class="f32"))
    with ExitStack() as stack:
        run = TimedRun(stack, loader, STEP, conditions, deadline_ms, seed=3)
    run.take(CHUNKS * 2 * CHUNK)
    return run, processes


def test_no_process_is_given_a_frame_twice():
    """Not even by the steps in a row behind the verdict, silence excepted; both that take turns are given the same."""
    run, processes = timed()
    run.check_outputs()
    run.in_a_row()
    first, second = ([audio for audio, _ in process.asked] for process in processes[:2])
    assert len(run) == CHUNKS * 2 * CHUNK == len(run.samples()["wall_ns"])
    frames = np.concatenate(first)
    frames = frames[frames.any(axis=1)]
    assert len(np.unique(frames, axis=0)) == len(frames)
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=False))


def test_one_chunk_in_eight_is_silence_and_denormals():
    """In the middle of noise, so that there is state before it; the steps in a row have none."""
    run, processes = timed()
    run.in_a_row()
    tiny = np.finfo(np.float32).tiny
    quiet = [(np.abs(audio) < tiny).all() for audio, _ in processes[0].asked]
    assert quiet == [number - 1 == timed_run.QUIET for number in range(CHUNKS + 2)]
    frames = processes[0].asked[1 + timed_run.QUIET][0]
    silent = ~frames.any(axis=1)
    assert silent[:33].all() and not silent[33:].any()


def test_state_goes_on_from_chunk_to_chunk():
    """And is reset with every eighth, before its first frame only."""
    chunks = timed()[1][0].asked[1:]
    assert [how.get("reset_every", 0) for _, how in chunks] == [len(chunks[0][0]), *[0] * 7, len(chunks[0][0])]


@pytest.mark.parametrize(("deadline_ms", "length"), [(10.0, 1000), (0.001, 500), (1e-9, 1)])
def test_a_step_of_nothing_is_as_long_as_a_step_and_half_a_deadline_at_most(deadline_ms, length):
    """The steps here take 1000 ns; something is drawn out whatever the deadline."""
    assert {how["control_ns"] for _, how in timed(deadline_ms=deadline_ms)[1][0].asked[1:]} == {length}


def test_cold_steps_have_others_between_them():
    """Another set of the models, and memory as large as a core's caches, in every fourth chunk as the largest."""
    _, *asked = [how for _, how in timed(conditions=cold())[1][0].asked]
    core, largest = machine.core_cache_bytes(), machine.largest_cache_bytes()
    assert {len(how["others"]) for how in asked} == {len(STEP.models)}
    assert [how["cache_bytes"] for how in asked] == [core, core, core, largest] * 2 + [core]


@pytest.mark.parametrize("wrong", [1, 5, CHUNKS])
def test_wrong_outputs_of_any_chunk_are_a_failure(wrong):
    """The first request is the calibration, which is not judged."""
    run, _ = timed(lambda number: 0.01 * (number == wrong))
    with pytest.raises(RequirementFailed, match="dense gave wrong outputs when they are timed"):
        run.check_outputs()


@pytest.mark.parametrize("wrong", [0, 700, 2047])
def test_wrong_outputs_among_many_steps_in_a_row_are_a_failure(wrong):
    """Where the pauses between chunks would have kept a loader honest; one step is enough."""
    in_a_row = 0.01 * (np.arange(2048)[:, np.newaxis] == wrong)
    run, _ = timed(lambda number: in_a_row if number == CHUNKS + 1 else 0.0)
    run.check_outputs()
    steps = wrong // CHUNK * CHUNK
    with pytest.raises(RequirementFailed, match=f"dense gave wrong outputs after {steps} timed steps in a row"):
        run.in_a_row()


def test_steps_in_a_row_have_the_control_of_those_before_and_a_reset_before_each_chunk():
    """A single request without a pause, from which a verdict can be had as from any other."""
    run, processes = timed()
    samples = run.in_a_row()
    audio, how = processes[0].asked[-1]
    assert set(samples) == set(SAMPLES)
    assert "control_ns" not in how and how["reset_every"] == CHUNK and len(audio) > 2000
    assert set(samples["control_ns"]) == {1000}


def test_other_bits_within_the_budget_are_no_failure():
    """Another process may sum in another order."""
    run, _ = timed(lambda number: 1e-8)
    run.check_outputs()


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(first_steps, "PAUSES", dict.fromkeys(first_steps.PAUSES, 0.0))


@pytest.mark.parametrize(
    ("wrong", "event"),
    [
        (0, "after load"),
        (1, "after reset, after pause, after long pause"),
        (2, "after reset, after pause, after long pause"),
        (3, "after reset, after pause, after long pause"),
        (4, "after reload"),
    ],
)
def test_wrong_outputs_of_a_first_step_are_a_failure(no_pauses, wrong, event):
    """Whichever it is."""
    declared = SimpleNamespace(numeric_class="f32")
    bad = SimpleNamespace(open=lambda: Session(lambda number: 0.01 * (number == wrong)), declaration=declared)
    with pytest.raises(RequirementFailed, match=f"dense gave wrong outputs {event}"):
        first_steps.first_steps(bad, STEP, seed=1)


def test_first_steps_of_three_processes_stand_side_by_side(no_pauses):
    """The models are reset once, which is timed, and loaded twice; no frame is given twice to a process."""
    processes = [Session() for _ in range(first_steps.PROCESSES)]
    opened = itertools.chain(processes, iter(Session, None))
    loader = SimpleNamespace(open=opened.__next__, declaration=SimpleNamespace(numeric_class="f32"))
    taken = first_steps.first_steps(loader, STEP, seed=1)
    assert list(taken) == list(first_steps.EVENTS)
    assert all(len(times[name]) == len(processes) for times in taken.values() for name in first_steps.TIMES)
    asked = processes[0].asked
    assert [how["reset_every"] for _, how in asked] == [0, first_steps.FRAMES, 0, 0, 0]
    assert all(how["recall_resident"] for _, how in asked)
    assert len(asked[0][0]) == first_steps.PLAYED
    frames = np.concatenate([*(audio for audio, _ in asked), processes[0].blocks])
    assert len(np.unique(frames, axis=0)) == len(frames)


def test_a_first_block_is_timed_against_twice_the_next(no_pauses):
    """By both clocks, in ns; here it waited."""
    loader = SimpleNamespace(open=Session, declaration=SimpleNamespace(numeric_class="f32"))
    block = first_steps.first_steps(loader, STEP, seed=1)["first_block"]
    assert {name: times[0] for name, times in block.items()} == {
        "wall_ns": 1000,
        "cpu_ns": 1000,
        "waits": 1,
        "control_ns": 0,
    }


class BlockSession:
    """Costs so many ns per frame in blocks of some size, waiting if it `waits`; each measurement is counted."""

    def __init__(self, cost, outputs=lambda frames, block: frames, waits=False):
        self.cost, self.outputs, self.waits = cost, outputs, waits
        self.measured, self.frames = [], []

    def measure_blocks(self, model, frames, block):
        self.measured.append(block)
        self.frames.append(frames)
        lengths = np.diff([*range(0, len(frames), block), len(frames)])
        times = np.array([float(self.cost(block, len(self.measured)) * length) for length in lengths])
        waits = np.full(len(times), self.waits and block > 1)
        return Blocks(times, np.full(len(times), 1.0) if self.waits else times, waits, self.outputs(frames, block))


SIZES = block_costs.sizes(seed=0)


def costs_of(session):
    model = SimpleNamespace(input_size=1, output_size=1, reset=lambda: None)
    return block_costs.block_costs(session, model, seed=0)


def test_the_sizes_are_those_of_hosts_and_some_that_the_seed_draws():
    """Those up to 1024; all in order."""
    drawn = [set(block_costs.sizes(seed)) - set(block_costs.BLOCKS) for seed in range(20)]
    assert all(set(block_costs.BLOCKS) < set(block_costs.sizes(seed)) for seed in range(20))
    assert len(set().union(*drawn)) > 40 and max(map(max, drawn)) < 1024
    assert sorted(SIZES) == SIZES == block_costs.sizes(seed=0)


def test_blocks_that_cost_no_more_are_measured_once():
    """Single frames are what they are measured by, in every round."""
    session = BlockSession(lambda block, number: 100)
    assert {cost.ratio for cost in costs_of(session)} == {1.0}
    assert session.measured == SIZES


def test_a_block_that_was_disturbed_once_is_measured_again():
    """Over other frames; it is judged by its cheapest round."""
    session = BlockSession(lambda block, number: 900 if number == 4 else 100)
    assert max(cost.ratio for cost in costs_of(session)) == 1.0
    assert session.measured == [*SIZES, 1, SIZES[3]]
    assert not np.isin(session.frames[-1], session.frames[3]).any()


def test_a_block_that_is_always_dear_stays_so():
    """After as many rounds as there may be, of which the cheapest counts; the cost is per frame."""
    last = len(SIZES)
    session = BlockSession(lambda block, number: 100 if block < 4096 else 300 if number == last else 500)
    costs = {cost.block: cost for cost in costs_of(session)}
    assert session.measured.count(4096) == block_costs.ROUNDS
    assert (costs[4096].ratio, costs[4096].cpu_ns, costs[1024].ratio) == (3.0, 300.0, 1.0)


def test_what_some_blocks_cost_is_not_lost_among_the_others():
    """But one slow frame is no measure for all."""

    class EveryFourth(BlockSession):
        def measure_blocks(self, model, frames, block):
            timed = super().measure_blocks(model, frames, block)
            timed.cpu_ns[:: 4 if block > 1 else 64] *= 10
            return timed

    ratios = {cost.block: cost.ratio for cost in costs_of(EveryFourth(lambda block, number: 100))}
    assert (ratios[1], ratios[2]) == (1.0, 3.25)


def test_what_is_waited_in_a_block_is_part_of_its_cost():
    """Processor time alone would be next to nothing."""
    ratios = [cost.ratio for cost in costs_of(BlockSession(lambda block, number: 100, waits=True))]
    assert min(ratios[1:]) == 100.0


def test_a_block_with_other_outputs_is_a_failure():
    """At whichever frame."""

    def spoilt(frames, block):
        outputs = frames.copy()
        outputs[1000:] = 0.0 if block == 4096 else outputs[1000:]
        return outputs

    with pytest.raises(RequirementFailed, match=r"blocks of 4096 gave other outputs.*first at frame 1000"):
        costs_of(BlockSession(lambda block, number: 100, spoilt))


@pytest.mark.parametrize(
    ("sizes", "core", "largest"),
    [
        ({"index0": "32K", "index1": "32K", "index2": "1024K", "index3": "24M"}, 2 << 20, 24 << 20),
        ({"index2": "15M", "index3": "24M"}, 24 << 20, 24 << 20),
        ({"index3": "1G"}, 4 << 20, 64 << 20),
        ({"index0": "64K"}, 64 << 10, 64 << 10),
        ({}, 4 << 20, 32 << 20),
    ],
)
def test_the_caches_that_count_are_the_largest_and_the_next(tmp_path, sizes, core, largest):
    """Twice the next, and the largest up to a limit; usual ones where nothing is said."""
    for name, size in sizes.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "size").write_text(f"{size}\n")
    assert machine.core_cache_bytes(tmp_path) == core
    assert machine.largest_cache_bytes(tmp_path) == largest


class TestReplies:
    """What a schema can't say of a reply is checked all the same: a program may declare `measure` and have it wrong."""

    MODEL = SimpleNamespace(model_id=1, output_size=2)
    AUDIO = np.zeros((5, 3), np.float32)

    def session(self, **change):
        steps = {name: [1.0] * 4 for name in SAMPLES}
        reply = {**steps, "priority": "ordinary", "outputs": {"one": np.zeros((5, 2), np.float32)}, **change}
        client = object.__new__(Client)  # without a process
        values = {"request": lambda *_, **__: reply, "array": lambda op, array: array, "_child": SimpleNamespace(pid=1)}
        vars(client).update({"who": "mine", "noise": [], **values})
        return MeasuringSession(client)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"wall_ns": [1.0]}, "expected: 4 of each sample"),
            ({"wake_ns": []}, "expected: times of wake-ups"),
            ({"outputs": {}}, "expected: outputs of shape"),
            ({"outputs": {"one": np.zeros((4, 2), np.float32)}}, "found:    {'one': (4, 2)}"),
        ],
    )
    def test_steps_that_are_not_all_there_break_the_protocol(self, change, message):
        """With what was expected and what was found."""
        how = {"warmup": 1, "control_ns": 1}
        assert len(self.session().measure_latency({"one": self.MODEL}, [], self.AUDIO, **how).wall_ns) == 4
        with pytest.raises(ProtocolViolation) as raised:
            self.session(**change).measure_latency({"one": self.MODEL}, [], self.AUDIO, **how)
        assert message in str(raised.value)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"cpu_ns": [1.0]}, "expected: 3 of each sample"),
            ({"waits": []}, "expected: 3 of each sample"),
            ({"outputs": np.zeros((5, 1), np.float32)}, "expected: outputs of shape (5, 2)"),
        ],
    )
    def test_blocks_that_are_not_all_there_break_the_protocol(self, change, message):
        """Five frames are three blocks of two."""
        good = {"wall_ns": [1.0] * 3, "cpu_ns": [1.0] * 3, "waits": [0] * 3, "outputs": np.zeros((5, 2), np.float32)}
        assert len(self.session(**good).measure_blocks(self.MODEL, self.AUDIO, 2).cpu_ns) == 3
        with pytest.raises(ProtocolViolation) as raised:
            self.session(**{**good, **change}).measure_blocks(self.MODEL, self.AUDIO, 2)
        assert message in str(raised.value)
