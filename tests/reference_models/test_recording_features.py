"""The stored features of the recordings are what the front end makes of them."""

import numpy as np
from safetensors.numpy import load_file

from rtconform.harness.expected import RECORDING
from tools.make_recording_features import features


def test_stored_features_are_those_of_the_recordings():
    """Frame by frame, within what another build of the audio libraries may change."""
    stored = load_file(RECORDING)["audio"]
    made = features()
    assert stored.shape == made.shape
    assert len(stored) * 512 / 22050 >= 30.0
    np.testing.assert_allclose(stored, made, atol=2e-5)
