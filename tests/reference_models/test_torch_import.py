"""The importer: the file's numbers in torch modules that compute what the file says, and that export to it again."""

import copy

import numpy as np
import pytest
import torch

from rtconform.harness import signals
from rtconform.harness.rtneural_json import oracle, read
from rtconform.harness.selection import stored_cases
from rtconform.reference_models.export import render
from rtconform.reference_models.numpy_runtime import BadModelFile
from rtconform.reference_models.torch_import import import_model

CASES = {case.name: case.path for case in stored_cases("stored")}

each_stored_model = pytest.mark.parametrize("path", CASES.values(), ids=CASES)


def frames_for(path, count=40):
    return signals.noise(count, read(path).input_size, seed=4)


@each_stored_model
def test_an_imported_model_computes_what_the_file_says(path):
    """In float64, over frames at once, against the oracle."""
    frames = frames_for(path)
    expected = oracle.evaluate(read(path), frames)
    with torch.no_grad():
        found = import_model(path).double()(torch.from_numpy(frames).double()[None])[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * max(1.0, np.abs(expected).max()))


@each_stored_model
def test_state_is_carried_from_call_to_call(path):
    """Blocks of 1, 7 and the rest give what one call gives."""
    module = import_model(path).double()
    frames = torch.from_numpy(frames_for(path)).double()[None]
    state, parts = None, []
    with torch.no_grad():
        for block in frames.split((1, 7, 32), dim=1):
            outputs, state = module.step(block, state)
            parts.append(outputs)
        expected = module(frames)
    torch.testing.assert_close(torch.cat(parts, dim=1), expected, rtol=0, atol=1e-10)


@each_stored_model
def test_what_is_imported_exports_to_the_same_bytes(tmp_path, path):
    """export → import → export, and the numbers of the first file bit for bit."""
    first = tmp_path / "first.json"
    first.write_bytes(render(import_model(path)))
    assert render(import_model(first)) == first.read_bytes()
    ours, theirs = ([a.tobytes() for layer in read(p).layers for a in layer.arrays.values()] for p in (first, path))
    assert ours == theirs


def test_the_five_models_come_back_as_they_were():
    """They were made by the exporter, so that import and export change no byte of the file."""
    for case in stored_cases("five"):
        assert render(import_model(case.path)) == case.path.read_bytes()


def test_an_imported_model_can_be_trained_further():
    """Every parameter gets a gradient, and a step changes what is exported."""
    module = import_model(CASES["lstm-dense"]).train()
    before = render(copy.deepcopy(module))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    module(torch.randn(2, 16, module.input_size)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())
    optimizer.step()
    assert render(module) != before


def test_importing_draws_no_random_numbers():
    """Whoever seeded the generator finds it as it was."""
    torch.manual_seed(3)
    expected = torch.get_rng_state()
    import_model(CASES["lstm"])
    assert torch.equal(torch.get_rng_state(), expected)


def test_a_broken_file_is_refused_with_its_place(tmp_path):
    """By the reader, before any module is made."""
    path = tmp_path / "broken.json"
    path.write_bytes(CASES["dense"].read_bytes().replace(b'"dense"', b'"Dense"', 1))
    with pytest.raises(BadModelFile, match=r"\$\.layers\[0\]\.type: expected one of dense"):
        import_model(path)
