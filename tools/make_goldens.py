"""Adds a golden to fixtures/golden for every stored model that has none yet.

    python tools/make_goldens.py

Goldens that exist are never touched: `rtconform golden regenerate` replaces them, one by one and with its reasons.
"""

from rtconform.harness import golden
from rtconform.harness.paths import FIXTURES


def main() -> None:
    folder = FIXTURES / "models"
    models = [path for path in (*folder.glob("small/*.json"), *folder.glob("*.json")) if path.name != "specs.json"]
    for path in sorted(models):
        if golden.find(path) is None:
            golden.add(path, golden.STORED)
            print(f"added {path.relative_to(folder)}")


if __name__ == "__main__":
    main()
