"""Writes fixtures/audio/features.safetensors: the log-mel features of the recordings, one after the other.

The judge reads the features and not the sound, so that loaders can be tried on real recordings without audio
libraries; a test compares them with what the front end makes of the sound.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from rtconform.reference_models.data.features import log_mel, read_audio

AUDIO = Path(__file__).resolve().parents[1] / "fixtures" / "audio"


def recordings() -> list[Path]:
    """Speech first, then music, by name."""
    return [*sorted((AUDIO / "spoken").glob("*.flac")), *sorted((AUDIO / "music").glob("*.ogg"))]


def features() -> np.ndarray:
    """The features `[T, 128]` of all recordings."""
    return np.concatenate([log_mel(*read_audio(path)) for path in recordings()])


if __name__ == "__main__":
    values = features()
    save_file({"audio": values}, AUDIO / "features.safetensors")
    print(f"{len(values)} frames, {len(values) * 512 / 22050:.1f} s, from {len(recordings())} recordings")
