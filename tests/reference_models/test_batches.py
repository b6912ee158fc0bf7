"""What is trained together, in what order, with whose state, and by whom."""

import json
import subprocess
import sys

import pytest
import torch

from rtconform.reference_models.models import build
from rtconform.reference_models.training.batches import Batch, Feed, in_order, share, shuffled
from rtconform.reference_models.training.config import plan
from rtconform.reference_models.training.loop import Lanes, Training, evaluate, predict
from rtconform.reference_models.training.trainer import train

from .training_scene import CPU, fake_data, groove, one_thread, quick_processes, sequences, silent

__all__ = ["fake_data", "one_thread", "quick_processes"]

LENGTHS = (3, 1, 4, 1, 5, 2)
ITEM_OF = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS))
PROCESSES_BOUND = 1e-5
"""How far, relatively, the losses of two processes may be from those of one: sums in another order, amplified."""


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shuffled_sequences_are_all_there_once():
    """In an order that the generator decides, each from zero state."""
    batches = shuffled(20, 8, seeded())
    assert [len(batch.rows) for batch in batches] == [8, 8, 4]
    assert sorted(torch.cat([batch.rows for batch in batches]).tolist()) == list(range(20))
    assert all(bool(batch.begins.all()) for batch in batches)
    assert shuffled(20, 8, seeded(1))[0].rows.tolist() != batches[0].rows.tolist()


@pytest.mark.parametrize("size", [1, 2, 4, 64])
def test_a_lane_goes_through_recordings_in_order_of_time(size):
    """Each sequence once; whatever follows in a lane is the recording's next sequence, or begins another."""
    batches = in_order(ITEM_OF, size, seeded())
    assert sorted(torch.cat([batch.rows for batch in batches]).tolist()) == list(range(len(ITEM_OF)))
    firsts = {int((item == ITEM_OF).nonzero()[0]) for item in range(len(LENGTHS))}
    last = {}
    for batch in batches:
        assert len(set(batch.lanes.tolist())) == len(batch.lanes) <= size
        for row, lane, begins in zip(batch.rows.tolist(), batch.lanes.tolist(), batch.begins.tolist(), strict=True):
            assert begins == (row in firsts)
            assert begins or last[lane] == row - 1
            last[lane] = row


def test_state_goes_on_in_its_lane():
    """What a lane ended with is what it starts from, zero where a recording begins, in pieces as in one go."""
    module = build("EmotionRecognizer").eval()
    data = sequences("EmotionRecognizer", 5, pieces=4)
    whole = predict(module, data, CPU, carry_state=True)
    with torch.no_grad():
        for item in range(5):
            rows = data.item_of == item
            at_once, _ = module(data.inputs[rows].reshape(1, 64, -1))
            torch.testing.assert_close(whole[rows].reshape(1, 64, -1), at_once, rtol=1e-5, atol=1e-6)
    apart = predict(module, data, CPU, carry_state=False)
    torch.testing.assert_close(apart[::4], whole[::4], rtol=1e-5, atol=1e-6)
    assert float((apart - whole).abs().max()) > 1e-3


def test_a_lane_that_begins_another_recording_starts_from_zero():
    """While the lane beside it goes on from where it was."""
    batches = in_order(torch.tensor([0, 0, 0, 1, 2]), 2)
    assert [batch.begins.tolist() for batch in batches] == [[True, True], [False, True], [False]]
    lanes = Lanes(batches)
    lanes.after(batches[0], ((torch.ones(1, 2, 3), 2 * torch.ones(1, 2, 3)),))
    ((hidden, cell),) = lanes.before(batches[1])
    assert hidden[0].tolist() == [[1.0] * 3, [0.0] * 3] and cell[0].tolist() == [[2.0] * 3, [0.0] * 3]


def test_no_gradient_reaches_back_to_the_sequence_before():
    """Truncated: the state is cut off where it is kept."""
    batches = in_order(torch.tensor([0, 0]), 1)
    lanes = Lanes(batches)
    state = torch.ones(1, 1, 3, requires_grad=True)
    lanes.after(batches[0], ((state * 2, state),))
    ((hidden, cell),) = lanes.before(batches[1])
    assert not hidden.requires_grad and not cell.requires_grad
    assert hidden.tolist() == [[[2.0, 2.0, 2.0]]]


def test_carried_state_teaches_what_single_sequences_cannot():
    """Targets that were told in the sequence before are learnt if the state is carried, and not from zero state."""
    torch.manual_seed(0)
    level = torch.rand(32, 1, 1) * 1.6 - 0.8
    inputs = torch.zeros(32, 2, 16, 128)
    inputs[:, 0] = level * torch.ones(32, 16, 128)
    targets = level[:, None].expand(32, 2, 16, 64)
    item_of = torch.repeat_interleave(torch.arange(32), 2)
    data = type(sequences("EmotionRecognizer", 1))(inputs.flatten(0, 1), targets.flatten(0, 1).clone(), item_of)
    losses = {}
    for carry in (True, False):
        options = {"epochs": 15, "batch_size": 8, "carry_state": carry}
        (model,) = plan({"models": {"EmotionRecognizer": {}}, "training": options}).models
        torch.manual_seed(1)
        training = Training(build("EmotionRecognizer"), model, data, data, seed=1, device=CPU)
        training.run(lambda training: None)
        losses[carry] = evaluate(training.module, "mse", data, CPU, carry_state=True)
    assert losses[True] < 0.3 * losses[False]


def test_shares_make_up_the_batch():
    """Each lane is one process's, always the same; weights make the mean of means the mean of all."""
    for batch in (*shuffled(11, 4, seeded()), *in_order(ITEM_OF, 3, seeded())):
        values = torch.rand(len(batch.rows), generator=seeded(2))
        where = dict(zip(batch.rows.tolist(), values.tolist(), strict=True))
        parts = [share(batch, rank, 3) for rank in range(3)]
        for rank, part in enumerate(parts):
            assert not part.weight or set((part.lanes % 3).tolist()) == {rank}
            assert len(part.rows) > 0
        mean = sum(part.weight * sum(where[row] for row in part.rows.tolist()) / len(part.rows) for part in parts) / 3
        assert mean == pytest.approx(float(values.mean()))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_feed_fetches_what_it_is_asked_for(workers):
    """In that order, again and again, and without the caller's random numbers."""
    data = sequences("DynamicsEngine", 9)
    before = torch.get_rng_state()
    feed = Feed(data, workers)
    for batches in (shuffled(9, 4, seeded()), shuffled(9, 2, seeded(1))):
        fetched = list(feed.fetch(batches))
        assert [batch.rows.tolist() for batch, _, _ in fetched] == [batch.rows.tolist() for batch in batches]
        for batch, inputs, targets in fetched:
            assert isinstance(batch, Batch)
            assert torch.equal(inputs, data.inputs[batch.rows]) and torch.equal(targets, data.targets[batch.rows])
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_change_nothing(fake_data, tmp_path):
    """The same weights without workers, with one and with two, of two models at once."""
    models = {"GroovePredictor": {}, "DynamicsEngine": {}}
    found = []
    for workers in (0, 1, 2):
        config = {**groove(epochs=2, workers=workers), "models": models}
        metrics = train(config, tmp_path / f"{workers}", silent)["models"]
        found.append({name: (entry["weights_sha256"], entry["history"]) for name, entry in metrics.items()})
    assert found[0] == found[1] == found[2]


def test_two_processes_train_as_one_does(tmp_path):
    """The losses of both sides of the split, epoch by epoch, within the bound; one of them writes and speaks."""
    config = {"models": {"DynamicsEngine": {}}, "training": {"epochs": 3, "batch_size": 64}}
    alone = train(config, tmp_path / "one", silent)["models"]["DynamicsEngine"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = ["-m", "rtconform", "train", "--config", "config.json", "--out", "two", "--progress", "json"]
    done = subprocess.run([*torchrun, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "two" / "metrics.json").read_text())
    together = metrics["models"]["DynamicsEngine"]
    assert metrics["processes"] == 2 and len(done.stdout.splitlines()) == 3
    for key in ("loss", "validation_loss"):
        losses = [[epoch[key] for epoch in found["history"]] for found in (alone, together)]
        assert losses[1] == pytest.approx(losses[0], rel=PROCESSES_BOUND)
    assert (tmp_path / "two" / "golden" / "manifest.json").is_file()
