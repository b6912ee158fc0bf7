"""A loader of rtconform/loader.h called as C calls it, in the process of the tests."""

from __future__ import annotations

import ctypes
import itertools
import os
from pathlib import Path

import numpy as np

READ, PARSE, VALIDATE = 1, 2, 3
MODEL = ctypes.c_void_p


class Error(ctypes.Structure):
    """rtc_error of rtconform/loader.h."""

    _fields_ = [("phase", ctypes.c_int32), ("json_path", ctypes.c_char * 256), ("message", ctypes.c_char * 764)]


class BuildInfo(ctypes.Structure):
    """rtc_build_info of rtconform/loader.h."""

    _fields_ = [(name, ctypes.c_char_p) for name in ("compiler", "flags", "source_hash")]


class Table(ctypes.Structure):
    """rtc_loader of rtconform/loader.h."""

    _fields_ = [
        ("abi_version", ctypes.c_uint32),
        ("name", ctypes.c_char_p),
        ("version", ctypes.c_char_p),
        ("numeric_class", ctypes.c_char_p),
        ("layer_types", ctypes.POINTER(ctypes.c_char_p)),
        ("load", ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p, ctypes.POINTER(MODEL), ctypes.POINTER(Error))),
        ("prepare", ctypes.CFUNCTYPE(ctypes.c_int32, MODEL, ctypes.c_uint32, ctypes.POINTER(Error))),
        ("unload", ctypes.CFUNCTYPE(None, MODEL)),
        ("input_size", ctypes.CFUNCTYPE(ctypes.c_uint32, MODEL)),
        ("output_size", ctypes.CFUNCTYPE(ctypes.c_uint32, MODEL)),
        ("reset", ctypes.CFUNCTYPE(None, MODEL)),
        ("process", ctypes.CFUNCTYPE(None, MODEL, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)),
        ("extension", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)),
    ]

    def refusal(self, path: Path) -> tuple[int, str]:
        """The phase and the message of a load that has to fail."""
        model, error = MODEL(1), Error()
        assert self.load(os.fsencode(path), ctypes.byref(model), ctypes.byref(error)) != 0
        assert model.value is None
        return error.phase, error.message.decode("ascii")

    def open(self, path: Path) -> MODEL:
        """A model, loaded and prepared for 64 frames."""
        model, error = MODEL(), Error()
        assert self.load(os.fsencode(path), ctypes.byref(model), ctypes.byref(error)) == 0, error.message
        assert self.prepare(model, 64, ctypes.byref(error)) == 0, error.message
        return model

    def run(self, model: MODEL, frames: np.ndarray) -> np.ndarray:
        """Outputs [T, out] for frames [T, in]; the input starts one float behind a multiple of 16 bytes."""
        count, width = frames.shape
        memory = np.empty(count * width + 8, np.float32)
        skew = (-memory.ctypes.data // 4) % 4 + 1
        shifted = memory[skew : skew + count * width].reshape(count, width)
        shifted[:] = frames
        outputs = np.full((count, self.output_size(model)), np.nan, np.float32)
        self.process(model, shifted.ctypes.data, outputs.ctypes.data, count)
        return outputs


def open_table(connection: str) -> Table:
    """The loader that a connection string `abi:<absolute path>#<name>` names."""
    path, _, name = connection.removeprefix("abi:").partition("#")
    assert Path(path).is_absolute()
    entry = ctypes.CDLL(path).rtc_entry
    entry.restype, entry.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_uint32]
    assert entry(b"something.else/1", 0) is None
    places = itertools.takewhile(bool, (entry(b"rtconform.loader/1", index) for index in itertools.count()))
    tables = [ctypes.cast(place, ctypes.POINTER(Table)).contents for place in places]
    (table,) = [table for table in tables if table.name.decode() == name]
    return table
