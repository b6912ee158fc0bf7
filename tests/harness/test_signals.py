"""The test signals are what their names say."""

import numpy as np
import pytest

from rtconform.harness import signals

EVERY = {
    "noise": lambda frames, channels: signals.noise(frames, channels, seed=3),
    "impulses": lambda frames, channels: signals.impulses(frames, channels, spacing=3),
    "burst_then_silence": lambda frames, channels: signals.burst_then_silence(frames, channels, burst=5, seed=3),
    "ramp": signals.ramp,
    "alternating": lambda frames, channels: signals.alternating(frames, channels, period=4, seed=3),
    "grid": lambda frames, channels: signals.grid(-12.0, 12.0, frames=frames, channels=channels),
}


@pytest.mark.parametrize("name", EVERY)
def test_shape_type_and_repeatability(name):
    """Every signal is float32 [frames, channels], finite, and the same each time."""
    one, other = EVERY[name](20, 3), EVERY[name](20, 3)
    assert one.shape == (20, 3)
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
    assert np.array_equal(one, other)


def test_noise_depends_on_its_seed_and_stays_in_its_amplitude():
    """Two seeds share no value; the values fill ±amplitude and don't leave it."""
    one, other = signals.noise(500, 4, seed=1, amplitude=2.0), signals.noise(500, 4, seed=2, amplitude=2.0)
    assert not np.intersect1d(one, other).size
    assert 1.9 < np.abs(one).max() <= 2.0


def test_longer_noise_begins_like_shorter_noise():
    """A run over more frames repeats the first ones."""
    assert np.array_equal(signals.noise(10, 3, seed=1), signals.noise(100, 3, seed=1)[:10])


def test_impulses_differ_by_channel():
    """Each channel has its own frame and its own height, so that none can stand for another."""
    signal = signals.impulses(9, 3, spacing=4)
    assert {tuple(place): signal[tuple(place)] for place in np.argwhere(signal)} == {(0, 0): 1, (4, 1): 2, (8, 2): 3}


def test_burst_falls_silent():
    """Zeros, exactly, from the frame that is given."""
    signal = signals.burst_then_silence(20, 2, burst=5, seed=1)
    assert signal[:5].all()
    assert not signal[5:].any()


def test_ramps_run_both_ways():
    """Neighbouring channels run against each other, from end to end."""
    signal = signals.ramp(5, 2, low=-2.0, high=2.0)
    assert signal[:, 0].tolist() == [-2, -1, 0, 1, 2]
    assert signal[:, 1].tolist() == [2, 1, 0, -1, -2]


def test_alternating_blocks_turn_their_sign():
    """Constant inside a block, of the other sign in the next."""
    signal = signals.alternating(10, 2, period=4, seed=1)
    assert np.array_equal(signal[0:4], np.repeat(signal[:1], 4, axis=0))
    assert (np.sign(signal[0]) == -np.sign(signal[4])).all()


def test_grid_reaches_both_ends_in_every_channel():
    """Each channel holds the whole grid; no frame has one value in all channels."""
    signal = signals.grid(-12.0, 12.0, frames=1501, channels=3)
    assert (signal.min(axis=0) == -12).all()
    assert (signal.max(axis=0) == 12).all()
    assert (np.ptp(signal, axis=1) > 1).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: signals.noise(-1, 3),
        lambda: signals.noise(4, 0),
        lambda: signals.impulses(4, 3, spacing=2),
        lambda: signals.alternating(4, 2, period=0),
    ],
)
def test_impossible_signals_are_refused(call):
    """A signal that can't be is an error that names the numbers."""
    with pytest.raises(ValueError, match=r"\d"):
        call()


def test_frames_that_are_not_finite():
    """First infinities of both signs, one to a frame and in every channel, then frames of NaN; the others are noise."""
    signal = signals.nonfinite(32, 3, seed=1)
    first, second = signal[:16], signal[16:]
    assert {tuple(place): first[tuple(place)] for place in np.argwhere(~np.isfinite(first))} == {
        (0, 0): np.inf,
        (4, 1): -np.inf,
        (8, 2): np.inf,
        (12, 0): -np.inf,
    }
    assert np.isnan(second[::4]).all()
    assert np.isfinite(np.delete(second, np.s_[::4], axis=0)).all()
