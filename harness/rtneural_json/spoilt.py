"""Wrong files made of any right one, for what a loader does beside refusing them."""

import json
from pathlib import Path

UNKNOWN_LAYER = {"type": "rtconform-unknown", "activation": "", "shape": [None, 1], "weights": []}


def spoilt(path: Path, folder: Path) -> list[Path]:
    """One for each stage of a load at which it may end, written into the folder.

    None where the path leads, two thirds of the text, and a layer that the format doesn't have behind all the others.
    """
    text = path.read_bytes()
    document = json.loads(text)
    document["layers"].append(UNKNOWN_LAYER)
    half, longer = folder / f"{path.stem}-half.json", folder / f"{path.stem}-longer.json"
    half.write_bytes(text[: len(text) * 2 // 3])
    longer.write_text(json.dumps(document), encoding="utf-8")
    return [folder / f"{path.stem}-missing.json", half, longer]
