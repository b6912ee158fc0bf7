"""How often the timed and watched classes come to which verdict, idle and under load: the counts behind their limits.

    python -m tests.benchmarks.tries_of_lanes [--role loader] [--class latency] [--runs 30] [--load] [--out FOLDER]

Each run is `rtconform run` with another seed, on the loaders or pipelines of the settings, and a slow one beside them,
which must never pass the latency class. `--load` keeps all cores busy meanwhile, by stress-ng. Idle means that nothing
else runs on the machine. Prints the counts after each run, and how long it took.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rtconform.harness import config, records
from rtconform.harness.faulty import matrix

SLOW = {"loader": "native:lat-spike", "pipeline": "native-pipeline:pip-slow"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--role", choices=SLOW, default="loader")
    parser.add_argument("--class", dest="conformance_class", default="latency")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/tries-of-lanes"))
    given = parser.parse_args()
    tried = [*config.load().implementations()[given.role], matrix.resolved(SLOW[given.role])]
    options = [f"--{given.role}={connection}" for connection in tried] + ["--class", given.conformance_class]
    counts: dict[tuple[str, str], collections.Counter[str]] = {}
    with busy() if given.load else contextlib.nullcontext():
        for seed in range(given.first_seed, given.first_seed + given.runs):
            started = time.monotonic()
            out = given.out / f"{'load' if given.load else 'idle'}-{seed}"
            code = run(options, seed, out)
            for result in records.read(out).results:
                key = (result["requirement"], result["implementation"])
                counts.setdefault(key, collections.Counter())[result["verdict"]] += 1
            print(f"seed {seed}: exit code {code}, {time.monotonic() - started:.0f} s", flush=True)
            for (requirement, implementation), verdicts in sorted(counts.items()):
                said = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
                print(f"  {requirement:<24} {implementation:<20} {said}", flush=True)
    return 0


def run(options: list[str], seed: int, out: Path) -> int:
    """The exit code of one run; what it prints goes into a file of its folder."""
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "rtconform", "run", *options, "--seed", str(seed), f"--out={out}"]
    with (out / "output.txt").open("w", encoding="utf-8") as file:
        return subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """All cores busy, each with one process that does nothing but calculate."""
    load = subprocess.Popen(["stress-ng", "--cpu", str(os.cpu_count()), "--quiet"])
    try:
        yield
    finally:
        load.terminate()
        load.wait()


if __name__ == "__main__":
    sys.exit(main())
