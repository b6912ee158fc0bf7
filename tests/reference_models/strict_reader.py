"""The strict C++ reader under AddressSanitizer and UBSan, beside the judge's validator, over many mutated files.

python -m tests.reference_models.strict_reader [files] [seed]
"""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from typing_extensions import Self

from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import Model, grammar, validate_bytes
from rtconform.harness.rtneural_json.mutated_files import mutated_files

from .plugin_builds import FORMAT_SOURCES, compiled


class StrictReader:
    """The reader in a child process, with everything that the sanitizers know switched on."""

    def __init__(self, program: Path) -> None:
        self._child = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stdin.close()
        assert self._child.wait(timeout=60) == 0, "a sanitizer stopped the reader: its report is on stderr"

    def read(self, content: bytes) -> bytes | list[tuple[str, str, str]]:
        """Everything that the model holds, or its faults as (phase, JSON path, message)."""
        self._child.stdin.write(struct.pack("<I", len(content)) + content)
        self._child.stdin.flush()
        header = self._child.stdout.read(4)
        assert len(header) == 4, "a sanitizer stopped the reader: its report is on stderr"
        said = self._child.stdout.read(struct.unpack("<I", header)[0])
        if said.startswith(b"M"):
            return said[1:]
        return [tuple(line.split("\t", 2)) for line in said[1:].decode("utf-8").split("\n")]


def build() -> Path:
    """The program with sanitizers; raises CalledProcessError with the compiler's words."""
    flags = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    return compiled("read_many.cpp", *flags, more=FORMAT_SOURCES)


def held(model: Model) -> bytes:
    """What the program prints of a model, of the judge's reading of it."""
    return f" {model.input_size}\n".encode() + b"".join(_layer(layer) for layer in model.layers)


def _layer(layer: grammar.Layer) -> bytes:
    name = {"time-distributed-dense": "dense", "batchnorm2d": "batchnorm"}.get(layer.type, layer.type)
    fields = [layer.input_size, layer.output_size]
    if hasattr(layer, "activation"):
        fields.append(("", *grammar.ACTIVATIONS).index(layer.activation))
    if isinstance(layer, grammar.Conv1d):
        fields += [layer.kernel_size, layer.dilation, layer.groups]
    elif isinstance(layer, grammar.Conv2d):
        fields += [*layer.kernel.shape, layer.features_in, layer.dilation, layer.stride, int(layer.padding == "same")]
    elif isinstance(layer, grammar.BatchNorm):
        fields += [layer.input_size, 1, 0]
    elif isinstance(layer, grammar.BatchNorm2d):
        fields += [layer.filters, layer.features, 1]
    numbers = [np.ascontiguousarray(array) for array in layer.arrays.values()]
    numbers += [layer.epsilon] if hasattr(layer, "epsilon") else []
    return f"{name}{''.join(f' {field}' for field in fields)}\n".encode() + b"".join(n.tobytes() for n in numbers)


def compare(reader: StrictReader, content: bytes) -> str:
    """What became of a file in both: "accepted", or the phase; raises AssertionError where they don't agree."""
    report, said = validate_bytes(content), reader.read(content)
    if report.model is not None:
        assert said == held(report.model), f"valid, but the reader says {said!r}: {content!r}"
        return "accepted"
    assert isinstance(said, list), f"accepted, but invalid: {report.faults[0]}: {content!r}"
    phases = {fault.phase for fault in report.faults}
    assert {phase for phase, _, _ in said} <= phases, f"{said}, but the phase is {phases}: {content!r}"
    return said[0][0]


def compare_mutated(reader: StrictReader, count: int, seed: int) -> Counter:
    """How many of so many mutated files were accepted by both, and refused in which phase; raises at the first that
    they don't agree on.
    """
    bases = sorted((FIXTURES / "models" / "small").glob("*.json"))
    outcomes: Counter = Counter()
    said_at = time.monotonic()
    for number, content in enumerate(mutated_files(bases, random.Random(seed), count), 1):
        outcomes[compare(reader, content)] += 1
        if time.monotonic() - said_at > 10:
            said_at = time.monotonic()
            print(f"{number:,} of {count:,} files: {dict(outcomes)}", flush=True)
    return outcomes


if __name__ == "__main__":
    files, seed = (int(text) for text in (*sys.argv[1:], "1000000", "0")[:2])
    with StrictReader(build()) as strict:
        print(f"{files:,} files, seed {seed}: {dict(compare_mutated(strict, files, seed))}")
