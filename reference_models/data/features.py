"""The log-mel front end: audio of any rate and channel count to the 128 features of one frame per hop.

The definition is the one of the reference models: mono mix, 22,050 Hz, `n_fft` 2048, hop 512, periodic Hann window, no
centring (so no lookahead), spectrum divided by the window's sum, power, 128 mel bands (Slaney scale and Slaney area
normalisation, 0 to 11,025 Hz), and `x = clip(10 log10(max(p, 1e-10)) / 40 + 1, -1, 1)`.

Dividing by the window's sum makes a full-scale sine a line of height 1/4 (-6 dB) in the power spectrum; the Slaney
filters, whose area and not whose height is 1, take off another 14 dB below 1 kHz and more above. So a full-scale sine
at 1 kHz reads about 0.5, music lies mostly between -0.8 and 0.4, and digital silence is exactly -1.
"""

from __future__ import annotations

from functools import cache
from math import gcd
from pathlib import Path

import numpy as np

from ..errors import DataError

RATE = 22_050
N_FFT = 2_048
HOP = 512
BANDS = 128
MIN_RATE, MAX_RATE = 1_000, 768_000
LOUDEST = 1_000.0  # 60 dB above full scale: more is no audio but integers that nobody scaled, or damage

# Everything the features depend on; a cached feature file is keyed by these values.
PARAMETERS = {
    "version": 1,
    "rate": RATE,
    "n_fft": N_FFT,
    "hop": HOP,
    "bands": BANDS,
    "window": "hann-periodic",
    "mel": "slaney",
    "fmax": RATE / 2,
    "floor": 1e-10,
    "resampler": "scipy.signal.resample_poly kaiser 5.0",
}


def frame_count(samples: int) -> int:
    """How many whole analysis frames lie in `samples` samples at 22,050 Hz."""
    return 0 if samples < N_FFT else 1 + (samples - N_FFT) // HOP


def frame_ends(frames: int) -> np.ndarray:
    """The time in seconds at which each frame's last sample has been heard, float64 `[frames]`."""
    return (np.arange(frames) * HOP + N_FFT) / RATE


def log_mel(samples: np.ndarray, rate: int) -> np.ndarray:
    """The features of a recording, float32 `[frames, 128]` in [-1, 1].

    `samples` is `[n]` or `[n, channels]`, full scale ±1, at `rate` Hz. Raises `DataError` for another shape, no
    samples, less than one frame (92.9 ms), values that are not finite or beyond ±1000, or a rate outside 1 to 768 kHz.
    """
    import librosa

    mono = resample(mix_to_mono(samples), rate)
    if frame_count(len(mono)) == 0:
        raise DataError(
            f"the audio is too short: expected at least {N_FFT} samples at {RATE} Hz (one analysis frame, "
            f"{1000 * N_FFT / RATE:.1f} ms), found {len(mono)}; use a longer recording"
        )
    spectrum = librosa.stft(mono, n_fft=N_FFT, hop_length=HOP, window="hann", center=False, dtype=np.complex128)
    power = np.abs(spectrum / (N_FFT / 2)) ** 2  # the sum of a periodic Hann window is exactly n_fft / 2
    decibels = 10.0 * np.log10(np.maximum(power.T @ mel_filters().T, 1e-10))
    return np.clip(decibels / 40.0 + 1.0, -1.0, 1.0).astype(np.float32)


@cache
def mel_filters() -> np.ndarray:
    """The mel filter bank, float64 `[128, 1025]`; each filter has area 1 in Hz (Slaney)."""
    import librosa

    return librosa.filters.mel(
        sr=RATE, n_fft=N_FFT, n_mels=BANDS, fmin=0.0, fmax=RATE / 2, htk=False, norm="slaney", dtype=np.float64
    )


def mix_to_mono(samples: np.ndarray) -> np.ndarray:
    """The mean over channels of `[n]` or `[n, channels]`, float64 `[n]`; `DataError` if that is no audio."""
    samples = np.asarray(samples, np.float64)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise DataError(
            f"audio must be [samples] or [samples, channels] and not empty, found shape {list(samples.shape)}"
        )
    if not np.abs(samples).max() <= LOUDEST:  # NaN fails every comparison
        peaks = np.abs(samples.reshape(len(samples), -1)).max(axis=1)
        bad = np.flatnonzero(~(peaks <= LOUDEST))
        raise DataError(
            f"audio must be finite and have full scale ±1, found {peaks[bad[0]]:g} at sample {bad[0]} and as much in "
            f"{len(bad)} of {len(samples)}; divide integers by their full scale, repair or leave out this recording"
        )
    return samples if samples.ndim == 1 else samples.mean(axis=1)


def resample(mono: np.ndarray, rate: int) -> np.ndarray:
    """`mono` at 22,050 Hz by `scipy.signal.resample_poly` (linear phase, Kaiser window with beta 5, no added delay)."""
    if int(rate) != rate or not MIN_RATE <= rate <= MAX_RATE:
        raise DataError(f"the sample rate must be a whole number from {MIN_RATE} to {MAX_RATE} Hz, found {rate}")
    if rate == RATE:
        return mono
    from scipy.signal import resample_poly

    divisor = gcd(RATE, int(rate))
    return resample_poly(mono, RATE // divisor, int(rate) // divisor)


def read_audio(path: str | Path) -> tuple[np.ndarray, int]:
    """A sound file's samples, float64 `[n, channels]` with full scale ±1, and its rate in Hz.

    Reads what libsndfile reads (WAV, FLAC, OGG, MP3, AIFF, …). Raises `DataError`, naming the file, if it is
    missing, not audio, cut off or empty.
    """
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: expected a sound file, found none; check the path")
    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(
            f"{path}: expected audio that libsndfile can read (WAV, FLAC, OGG, MP3, …), found {_reason(error)}; "
            "convert it or leave it out"
        ) from error
    if len(samples) == 0:
        raise DataError(f"{path}: expected audio, found a file with no samples; leave it out")
    return samples, rate


def _reason(error: Exception) -> str:
    """libsndfile's own words without the path that they repeat."""
    return str(getattr(error, "error_string", error)).rstrip(".")
