"""Sound files as they are found: whatever comes in, features come out or a clear refusal, and never NaN."""

import numpy as np
import pytest
import soundfile

from rtconform.reference_models.data.features import BANDS, RATE, log_mel, read_audio
from rtconform.reference_models.errors import DataError

FORMATS = {
    "WAV 8 bit": ("wav", "PCM_U8"),
    "WAV 16 bit": ("wav", "PCM_16"),
    "WAV 24 bit": ("wav", "PCM_24"),
    "WAV 32 bit": ("wav", "PCM_32"),
    "WAV float": ("wav", "FLOAT"),
    "WAV double": ("wav", "DOUBLE"),
    "FLAC 16 bit": ("flac", "PCM_16"),
    "FLAC 24 bit": ("flac", "PCM_24"),
    "OGG Vorbis": ("ogg", "VORBIS"),
}
RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)
SECONDS = 0.5
# The first frames of what has been resampled and encoded ring; the tolerance is that of 8 bits and of Vorbis.
INNER, TOLERANCE = slice(3, 14), 0.02


def tone(rate, channels=1, amplitude=0.5):
    """A chord in the range of every rate here, the same in every channel, float64 `[n, channels]`."""
    time = np.arange(round(SECONDS * rate)) / rate
    chord = sum(np.sin(2 * np.pi * f * time) for f in (330.0, 554.4, 1318.5)) / 3
    return np.repeat(amplitude * chord[:, None], channels, axis=1)


def features_through(path, samples, rate, subtype):
    """The features of samples that went through a file."""
    soundfile.write(path, samples, rate, subtype=subtype)
    features = log_mel(*read_audio(path))
    assert features.dtype == np.float32 and features.shape[1] == BANDS
    assert np.isfinite(features).all()
    assert -1.0 <= features.min() <= features.max() <= 1.0
    return features


def sounds_alike(found, wanted, tolerance=TOLERANCE):
    loud = wanted[INNER] > -0.3
    assert loud.any()
    np.testing.assert_allclose(found[INNER][loud], wanted[INNER][loud], atol=tolerance)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_a_tone_is_the_same_tone_in_every_file(form, channels, rate, tmp_path):
    """Format, number of channels and rate change what loud bands read by no more than their rounding."""
    suffix, subtype = FORMATS[form]
    found = features_through(tmp_path / f"tone.{suffix}", tone(rate, channels), rate, subtype)
    # The sixth channel of Vorbis is one for the bass: a sixth less of the sum is 1.6 dB, or 0.04.
    bass = suffix == "ogg" and channels == 6
    sounds_alike(found, log_mel(tone(RATE), RATE), 0.045 if bass else TOLERANCE)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", range(1, 7))
def test_every_rate_and_number_of_channels_is_heard(rate, channels, tmp_path):
    """From a telephone's 8 kHz to 192 kHz, from mono to 5.1."""
    found = features_through(tmp_path / "tone.wav", tone(rate, channels), rate, "PCM_16")
    sounds_alike(found, log_mel(tone(RATE), RATE))


@pytest.mark.parametrize("form", FORMATS)
def test_silence_is_silent_in_every_file(form, tmp_path):
    """Digital silence has no logarithm, and reads -1. 8 bits have no exact zero in libsndfile's files: -48 dB."""
    suffix, subtype = FORMATS[form]
    found = features_through(tmp_path / f"silence.{suffix}", np.zeros((11_025, 2)), RATE, subtype)
    assert found.max() <= (-0.5 if subtype == "PCM_U8" else -0.99)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("amplitude", [1.0, 8.0])
def test_clipped_sound_is_heard(form, amplitude, tmp_path):
    """At full scale and far above: integers stop there, floats go on, and features stay in [-1, 1]."""
    suffix, subtype = FORMATS[form]
    samples = tone(RATE, 2, amplitude)
    if suffix == "ogg":  # libvorbis is not made for more than full scale
        samples = samples.clip(-1, 1)
    assert features_through(tmp_path / f"loud.{suffix}", samples, RATE, subtype).max() > 0.0


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("samples", [0, 1, 2047])
def test_less_than_a_frame_is_refused_in_every_file(form, samples, tmp_path):
    """No samples, one, and one too few for a frame."""
    suffix, subtype = FORMATS[form]
    path = tmp_path / f"short.{suffix}"
    soundfile.write(path, np.full((samples, 1), 0.1), RATE, subtype=subtype)
    with pytest.raises(DataError, match=r"no samples|too short|libsndfile"):
        log_mel(*read_audio(path))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("place", [0, 5000, -1])
def test_one_bad_sample_is_refused(value, subtype, place, tmp_path):
    """In one channel of two, wherever it stands; the message says where."""
    samples = tone(RATE, 2)
    samples[place, 1] = value
    soundfile.write(tmp_path / "bad.wav", samples, RATE, subtype=subtype)
    with pytest.raises(DataError, match=f"at sample {place % len(samples)} and as much in 1 of"):
        log_mel(*read_audio(tmp_path / "bad.wav"))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.7])
def test_a_file_that_was_cut_off_gives_what_is_left_or_a_refusal(form, kept, tmp_path):
    """Never a traceback of the library, never NaN."""
    suffix, subtype = FORMATS[form]
    path = tmp_path / f"cut.{suffix}"
    soundfile.write(path, tone(RATE, 2), RATE, subtype=subtype)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    try:
        features = log_mel(*read_audio(path))
    except DataError:
        return
    assert np.isfinite(features).all()


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_whose_middle_was_overwritten_gives_features_or_a_refusal(form, tmp_path):
    """Random bytes where there was sound: in float files some of them are NaN."""
    suffix, subtype = FORMATS[form]
    for seed in range(5):
        path = tmp_path / f"{seed}.{suffix}"
        soundfile.write(path, tone(RATE, 2), RATE, subtype=subtype)
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 400] = np.random.default_rng(seed).bytes(400)
        path.write_bytes(content)
        try:
            features = log_mel(*read_audio(path))
        except DataError:
            continue
        assert np.isfinite(features).all() and np.abs(features).max() <= 1.0
