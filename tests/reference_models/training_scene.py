"""Small data that can be learnt, in the place of data sets, and quick configs: what tests of the trainer share."""

import hashlib
import multiprocessing

import numpy as np
import pytest
import torch

from rtconform.reference_models.data import Items, Splits
from rtconform.reference_models.specs import load_specs
from rtconform.reference_models.training import run
from rtconform.reference_models.training.batches import Sequences

SPECS = load_specs().models
CPU = torch.device("cpu")


def items(name, count, *, first=0, shuffled=False, pieces=1):
    """Recordings of `pieces` sequences: a hidden level heard through noise, which the targets ask for at each frame.

    One frame tells a little about the level and all frames so far tell more. `shuffled` exchanges the targets.
    """
    spec, generator = SPECS[name], np.random.default_rng(first + 1)
    level = generator.uniform(-1, 1, (count, 1, 1))
    heard = level + generator.normal(0, 0.5, (count, 16 * pieces, 1))
    inputs = (heard * np.resize([0.5, -0.5, 0.25], spec.input_size)).astype(np.float32)
    shown = np.broadcast_to(level[generator.permutation(count)] if shuffled else level, heard.shape)
    if spec.loss == "kl_div":
        targets = np.eye(spec.output_size)[(shown[..., 0] > 0).astype(int)]
    else:
        targets = np.repeat(0.9 * shown if spec.output_range[0] else 0.5 + 0.4 * shown, spec.output_size, axis=2)
    ids = tuple(f"{name}-{first + i}" for i in range(count))
    hashes = tuple(hashlib.sha256(array.tobytes()).hexdigest() for array in inputs)
    cut = (array.astype(np.float32).reshape(count * pieces, 16, -1) for array in (inputs, targets))
    return Items(ids, *cut, np.repeat(np.arange(count), pieces), hashes)


def sequences(name, count, **options):
    """Synthetic sequences as tensors."""
    made = items(name, count, **options)
    return Sequences(*map(torch.from_numpy, (made.inputs, made.targets, made.item_of)))


@pytest.fixture(autouse=True)
def one_thread():
    """Small models on several threads spend their time waiting, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def quick_processes():
    """What takes a new process longest is to import torch, and what torch imports on an optimizer's first step."""
    multiprocessing.set_forkserver_preload(["rtconform.reference_models.training.trainer", "torch._dynamo"])


@pytest.fixture
def fake_data(monkeypatch):
    """Replaces the data sets by small synthetic ones; the returned mapping changes them."""
    options = {"shuffled": False, "leak": False, "broken": False, "pieces": 1}

    def load(config, name, *, seed, validation_fraction, sequence_length):
        made = {"shuffled": options["shuffled"], "pieces": options["pieces"]}
        training = items(name, 64, **made)
        if options["broken"]:
            training.inputs[3, 4, 5] = np.nan
        return Splits(training, training if options["leak"] else items(name, 16, first=1000, **made))

    monkeypatch.setattr(run, "load_dataset", load)
    return options


def groove(**training):
    """A quick config for GroovePredictor."""
    return {"models": {"GroovePredictor": {}}, "training": {"epochs": 4, "batch_size": 16, **training}}


def silent(state):
    """No progress."""
