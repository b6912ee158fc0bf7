"""The code in the README is code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rtconform.harness.implementations import Refused, connect

from .fences import blocks

ROOT = Path(__file__).resolve().parents[2]
# The part of the snippet that is the user's: an engine for models of one input, whose output is the sum so far.
ENGINE = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct rtc_model { float sum; };
static rtc_model *engine_open(const char *path) {
    FILE *file = fopen(path, "r");
    return file && fclose(file) == 0 ? calloc(1, sizeof(rtc_model)) : NULL;
}
static void engine_close(rtc_model *model) { free(model); }
static uint32_t engine_input_size(const rtc_model *model) { return model ? 1 : 0; }
static uint32_t engine_output_size(const rtc_model *model) { return model ? 1 : 0; }
static void engine_reset(rtc_model *model) { model->sum = 0; }
static void engine_process(rtc_model *model, const float *in, float *out, uint32_t frames) {
    for (uint32_t i = 0; i < frames; ++i) out[i] = model->sum += in[i];
}
"""


def test_the_lines_of_c_in_the_readme_are_a_loader(tmp_path):
    """They compile as C99 without a warning that matters, load, process with state, reset, and refuse."""
    compiler = shutil.which("cc") or pytest.skip("no C compiler here")
    (snippet,) = [block for block in blocks(ROOT / "README.md") if block.language == "c"]
    (tmp_path / "mine.c").write_text(snippet.text)
    (tmp_path / "engine.h").write_text(ENGINE)
    include = ROOT / "harness" / "native" / "include"
    flags = ["-std=c99", "-Wall", "-Werror", "-shared", "-fPIC", "-I", str(include)]
    library = tmp_path / "libmine.so"
    subprocess.run([compiler, *flags, str(tmp_path / "mine.c"), "-o", str(library)], check=True)
    with connect(f"abi:{library}", "loader").open() as session:
        model = session.load(tmp_path / "mine.c")
        assert model.process([[1.0], [2.0]]).tolist() == [[1.0], [3.0]]
        model.reset()
        assert model.process([[5.0]]).tolist() == [[5.0]]
        with pytest.raises(Refused):
            session.load(tmp_path / "missing.json")
