"""What a reload costs the step beside it: windows with and without reloads take turns in one process.

    python -m tests.benchmarks.reload_steps [--windows 60] [--loader checked]

Frames come every 2 ms through AsyncInference on the stored models. In every other window one model after the other is
reloaded without a pause. Prints p50, p99 and p99.9 of the step (worker's time) and of submit to result, with and
without, and their ratios with a 95 % interval from resampled windows.
"""

from __future__ import annotations

import argparse
import itertools
import threading
import time

import numpy as np

from rtconform.harness import expected
from rtconform.reference_models import loaders
from rtconform.reference_models._plugin_core import AsyncInference, MultiModelProcessor
from rtconform.reference_models.specs import FIXTURES, load_specs

PERIOD_SECONDS = 0.002
WINDOW_SECONDS = 1.5
RESAMPLES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--loader", default="checked", choices=loaders.LOADERS)
    given = parser.parse_args()
    library = (str(loaders.library(given.loader)), f"rtneural-{given.loader}")
    processor = MultiModelProcessor(*library, [str(FIXTURES / "models")])
    inference = AsyncInference(processor, capacity=16)
    inference.start()
    print(f"worker: {inference.worker_priority}")

    with_reloads = threading.Event()
    is_over = threading.Event()
    reloads = threading.Thread(target=reload_all, args=(processor, with_reloads, is_over))
    reloads.start()
    windows: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for window in range(given.windows):
        reloading = window % 2 == 1
        (with_reloads.set if reloading else with_reloads.clear)()
        time.sleep(0.3)  # the reload of before ends
        windows[reloading].append(measured(inference))
    is_over.set()
    with_reloads.set()
    reloads.join()
    versions = {name: status["version"] for name, status in processor.status().items()}
    print(f"versions at the end: {versions}; {inference.counters()}")
    for column, what in enumerate(("step", "submit to result")):
        report(what, *([window[:, column] for window in windows[kind]] for kind in (False, True)))


def reload_all(processor: MultiModelProcessor, allowed: threading.Event, is_over: threading.Event) -> None:
    """One model after the other, as long as it is allowed."""
    for name in itertools.cycle(load_specs().models):
        allowed.wait()
        if is_over.is_set():
            return
        processor.reload([name])


def measured(inference: AsyncInference) -> np.ndarray:
    """Milliseconds of each step, and from submit to result, over one window `[frames, 2]`."""
    audio = expected.recording()
    times = []
    begin = time.monotonic()
    for number in range(int(WINDOW_SECONDS / PERIOD_SECONDS)):
        time.sleep(max(0.0, begin + number * PERIOD_SECONDS - time.monotonic()))
        inference.submit(number, audio[number % len(audio)])
        times += [(result["took_ns"] - result["waited_ns"], result["took_ns"]) for result in inference.poll()]
    time.sleep(0.05)
    times += [(result["took_ns"] - result["waited_ns"], result["took_ns"]) for result in inference.poll()]
    return np.array(times) / 1e6


def report(what: str, without: list[np.ndarray], with_reloads: list[np.ndarray]) -> None:
    random = np.random.default_rng(1)
    for quantile in (50, 99, 99.9):
        plain, beside = (np.percentile(np.concatenate(part), quantile) for part in (without, with_reloads))
        ratios = [
            np.percentile(np.concatenate(resampled(with_reloads, random)), quantile)
            / np.percentile(np.concatenate(resampled(without, random)), quantile)
            for _ in range(RESAMPLES)
        ]
        low, high = np.percentile(ratios, [2.5, 97.5])
        print(
            f"{what}: p{quantile:g} {plain:.3f} ms without, {beside:.3f} ms beside a reload, "
            f"ratio {beside / plain:.2f} ({low:.2f} to {high:.2f}), {sum(map(len, with_reloads))} steps each"
        )


def resampled(windows: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
    return [windows[i] for i in random.integers(len(windows), size=len(windows))]


if __name__ == "__main__":
    main()
