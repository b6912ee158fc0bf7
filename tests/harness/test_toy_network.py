"""The network that the toy trainer trains."""

import numpy as np
import pytest

from rtconform.harness.faulty.toy_network import Adam, Network

LAYERS = [{"input": 3, "output": 5, "activation": "relu"}, {"input": 5, "output": 2, "activation": "sigmoid"}]
INPUTS, TARGETS = np.random.default_rng(1).normal(size=(7, 3)), np.random.default_rng(2).random((7, 2))


def test_gradients_are_the_slopes_of_the_loss():
    """Against central differences, for every weight."""
    network = Network.drawn(LAYERS, np.random.default_rng(3))
    loss, gradients = network.gradients(INPUTS, TARGETS)
    assert loss == network.loss(INPUTS, TARGETS)
    for array, gradient in zip(network.weights, gradients, strict=True):
        for index in np.ndindex(array.shape):
            before = array[index]
            losses = []
            for step in (1e-6, -1e-6):
                array[index] = before + step
                losses.append(network.loss(INPUTS, TARGETS))
            array[index] = before
            assert gradient[index] == pytest.approx((losses[0] - losses[1]) / 2e-6, abs=1e-9)


def test_adam_is_that_of_torch():
    """Ten steps with the same gradients."""
    torch = pytest.importorskip("torch")
    ours, theirs = [np.ones((2, 3))], torch.nn.Parameter(torch.ones(2, 3, dtype=torch.float64))
    adam, optimizer = Adam(0.05), torch.optim.Adam([theirs], lr=0.05)
    for gradient in np.random.default_rng(4).normal(size=(10, 2, 3)):
        adam.step(ours, [gradient])
        theirs.grad = torch.from_numpy(gradient)
        optimizer.step()
    assert ours[0] == pytest.approx(theirs.detach().numpy(), rel=1e-9)
