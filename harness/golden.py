"""Goldens: inputs and the outputs that PyTorch produced for them in float64, stored beside a manifest.

A folder holds `manifest.json` and one safetensors file per golden: `inputs` [T, in] float32 and `outputs` [T, out]
float64. The manifest names the model file (relative to the folder), and the sha256 of that file and of both tensors.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import paths, signals
from .rtneural_json import InvalidModel, evaluate, read

STORED = paths.FIXTURES / "golden"
MANIFEST = "manifest.json"
REQUIREMENT = "NUM-GOLDEN"
FRAMES = 64
_KEYS = ("model", "file", "frames", "signal", "model_sha256", "inputs_sha256", "outputs_sha256", "made_with")

# Two float64 PyTorch builds differ by some 3e-16; a difference below this part of the outputs' scale changes nothing.
SAME = 1e-12
# The oracle sums in another order than PyTorch, and recurrent models amplify the difference.
ORACLE = 1e-9


class GoldenError(Exception):
    """A golden that can't be read, made or replaced; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Golden:
    """inputs [T, in] float32, outputs [T, out] float64, and the manifest's record of them."""

    name: str
    model_path: Path
    inputs: np.ndarray
    outputs: np.ndarray
    record: dict


@dataclass(frozen=True)
class Result:
    """What became of the check of one golden; problem is "" if ok."""

    name: str
    ok: bool
    problem: str
    difference: float  # from the oracle, as a part of the outputs' scale


@dataclass(frozen=True)
class Change:
    """One golden that regeneration moves. difference is the largest, as a part of the outputs' scale."""

    name: str
    cause: str
    difference: float
    accepted: bool

    def __str__(self) -> str:
        state = "replaced" if self.accepted else "kept as it was: accept it by name to replace it"
        return f"{self.name}: moved by {self.difference:.2g} of its scale, because {self.cause}; {state}"


def load_goldens(folder: Path = STORED) -> list[Golden]:
    """All goldens of a folder, by name. Raises GoldenError if the manifest or a file of it can't be read."""
    folder = Path(folder)
    return [_load(folder, name, record) for name, record in sorted(_manifest(folder)["goldens"].items())]


def find(model_path: Path) -> Golden | None:
    """The golden of a model file: from the folder `golden` beside it, or the suite's own, or None."""
    model_path = Path(model_path).resolve()
    for folder in (model_path.parent / "golden", STORED):
        if not (folder / MANIFEST).is_file():
            continue
        for name, record in _manifest(folder)["goldens"].items():
            if (folder / record["model"]).resolve() == model_path:
                return _load(folder, name, record)
    return None


def changed(golden: Golden, model_path: Path) -> str:
    """How a model file differs from the one that the golden was made for, in a sentence; "" if it doesn't."""
    found = _file_hash(Path(model_path))
    if found == golden.record["model_sha256"]:
        return ""
    return (
        f"the file has changed since its golden was made: its sha256 is {found[:12]}…, "
        f"the golden is of {golden.record['model_sha256'][:12]}…"
    )


def check(folder: Path = STORED) -> list[Result]:
    """Whether each golden of a folder is whole, belongs to its model file, and agrees with the oracle."""
    folder = Path(folder)
    return [_checked(folder, name, record) for name, record in sorted(_manifest(folder)["goldens"].items())]


def add(
    model_path: Path,
    folder: Path | None = None,
    *,
    frames: int = FRAMES,
    seed: int = 0,
    inputs: np.ndarray | None = None,
    replace: bool = False,
) -> Golden:
    """Make a golden for a model file and store it, in the folder `golden` beside the file unless told otherwise.

    The inputs are noise of a seed, or given [T, in]. Raises GoldenError if the folder has one of that name already
    (unless it may be replaced) or torch is missing, and InvalidModel if the file is not valid.
    """
    model_path = Path(model_path).resolve()
    folder = Path(folder).resolve() if folder is not None else model_path.parent / "golden"
    manifest = _manifest(folder) if (folder / MANIFEST).is_file() else {"version": 1, "goldens": {}}
    name = model_path.stem
    if name in manifest["goldens"] and not replace:
        raise GoldenError(f"{folder} has a golden named {name!r} already: `rtconform golden regenerate` replaces it.")
    model = read(model_path)
    if inputs is None:
        inputs, signal = signals.noise(frames, model.input_size, seed=seed), {"signal": "noise", "seed": seed}
    else:
        inputs, signal = np.ascontiguousarray(inputs, dtype=np.float32), {"signal": "given"}
    folder.mkdir(parents=True, exist_ok=True)
    record = {"model": Path(os.path.relpath(model_path, folder)).as_posix(), "requirement": REQUIREMENT, **signal}
    _store(folder, manifest, name, record, model_path, inputs, _torch_outputs(model, inputs))
    return _load(folder, name, manifest["goldens"][name])


def forget(model_path: str | Path) -> None:
    """Remove the golden of a model file from the folder `golden` beside it, if it has one.

    Raises GoldenError if the manifest can't be read, OSError if the folder can't be written to.
    """
    folder, name = Path(model_path).resolve().parent / "golden", Path(model_path).stem
    manifest = _manifest(folder) if (folder / MANIFEST).is_file() else {"goldens": {}}
    record = manifest["goldens"].pop(name, None)
    if record is not None:
        _write_manifest(folder, manifest)
        (folder / record["file"]).unlink(missing_ok=True)


def regenerate(folder: Path = STORED, *, accept: list[str] | str = ()) -> list[Change]:
    """Compute all goldens of a folder anew; return what moved, and replace those that are accepted (names, or "all").

    Where the new outputs differ by less than 10⁻¹² of their scale and nothing else changed, the stored bytes stay.
    Raises GoldenError when CI is set, for an unknown name, or if torch is missing.
    """
    if os.environ.get("CI"):
        raise GoldenError("Goldens are not regenerated when CI is set: do it by hand, and review what moved.")
    folder = Path(folder)
    manifest = _manifest(folder)
    if accept != "all" and (unknown := sorted(set(accept) - set(manifest["goldens"]))):
        raise GoldenError(
            f"No golden named {', '.join(unknown)} in {folder}: "
            f"expected some of {', '.join(sorted(manifest['goldens']))}."
        )
    changes = []
    for name, record in sorted(manifest["goldens"].items()):
        change = _regenerated(folder, manifest, name, record, accept == "all" or name in accept)
        if change is not None:
            changes.append(change)
    return changes


def _regenerated(folder: Path, manifest: dict, name: str, record: dict, accepted: bool) -> Change | None:
    model_path = folder / record["model"]
    if not model_path.is_file():
        return Change(name, f"its model file {record['model']} is missing", float("inf"), False)
    try:
        model = read(model_path)
    except InvalidModel as error:
        return Change(name, f"its model file is not valid: {error.faults[0]}", float("inf"), False)
    try:
        stored, damage = _load(folder, name, record), ""
    except GoldenError as error:
        stored, damage = None, str(error)
    if stored is not None and stored.inputs.shape[1] == model.input_size:
        inputs = stored.inputs
    elif record["signal"] == "noise":
        inputs = signals.noise(record["frames"], model.input_size, seed=record["seed"])
    else:
        raise GoldenError(
            f"The inputs of {name} were given, not made from a seed, and don't fit its model any more: add it anew."
        )
    outputs = _torch_outputs(model, inputs)
    difference = _difference(outputs, stored.outputs) if stored is not None else float("inf")
    cause = damage or _cause(record, model_path, moved=difference >= SAME)
    if not cause:
        return None
    if accepted:
        kept = stored.outputs if stored is not None and difference < SAME else outputs
        _store(folder, manifest, name, record, model_path, inputs, kept)
    return Change(name, cause, difference, accepted)


def _cause(record: dict, model_path: Path, *, moved: bool) -> str:
    if _file_hash(model_path) != record["model_sha256"]:
        return "the model file changed" + ("" if moved else " in its text, not in what it computes")
    if not moved:
        return ""
    now, then = _versions(), record["made_with"]
    differing = [
        f"{package} {then.get(package)} became {version}"
        for package, version in now.items()
        if version != then.get(package)
    ]
    return " and ".join(differing) or "this machine computes something else from the same file, inputs and versions"


def _difference(new: np.ndarray, old: np.ndarray) -> float:
    """The largest difference as a part of the largest value."""
    if new.shape != old.shape:
        return float("inf")
    scale = float(np.abs(new).max(initial=0.0)) or 1.0
    return float(np.abs(new - old).max(initial=0.0)) / scale


def _checked(folder: Path, name: str, record: dict) -> Result:
    try:
        golden = _load(folder, name, record)
    except GoldenError as error:
        return Result(name, False, str(error), float("inf"))
    if not golden.model_path.is_file():
        return Result(name, False, f"Its model file {golden.model_path} is missing.", float("inf"))
    if problem := changed(golden, golden.model_path):
        return Result(name, False, problem, float("inf"))
    difference = _difference(evaluate(read(golden.model_path), golden.inputs), golden.outputs)
    problem = (
        ""
        if difference < ORACLE
        else f"The oracle differs by {difference:.2g} of the outputs' scale, expected less than {ORACLE:g}."
    )
    return Result(name, not problem, problem, difference)


def _manifest(folder: Path) -> dict:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GoldenError(
            f"Expected goldens in {folder}, but there is no {MANIFEST}: `rtconform golden add MODEL` makes one."
        ) from None
    except (OSError, ValueError) as error:
        raise GoldenError(f"{path} can't be read: {error}") from None
    if manifest.get("version") != 1 or not isinstance(manifest.get("goldens"), dict):
        raise GoldenError(
            f"{path}: expected a manifest of version 1 with goldens, found version {manifest.get('version')!r}."
        )
    for name, record in manifest["goldens"].items():
        if missing := [key for key in _KEYS if key not in record]:
            raise GoldenError(
                f"{path}: golden {name!r} lacks {', '.join(missing)}: restore the file, or add the golden anew."
            )
    return manifest


def _load(folder: Path, name: str, record: dict) -> Golden:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / record["file"]
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise GoldenError(f"The golden {path} can't be read: {error}") from None
    for tensor in ("inputs", "outputs"):
        if tensor not in tensors or _array_hash(tensors[tensor]) != record[f"{tensor}_sha256"]:
            raise GoldenError(
                f"The {tensor} in {path} are not those of the manifest: restore the file, or regenerate it."
            )
    return Golden(name, (folder / record["model"]).resolve(), tensors["inputs"], tensors["outputs"], record)


def _store(
    folder: Path, manifest: dict, name: str, record: dict, model_path: Path, inputs: np.ndarray, outputs: np.ndarray
) -> None:
    from safetensors.numpy import save

    manifest["goldens"][name] = {
        **record,
        "file": f"{name}.safetensors",
        "frames": len(inputs),
        "model_sha256": _file_hash(model_path),
        "inputs_sha256": _array_hash(inputs),
        "outputs_sha256": _array_hash(outputs),
        "made_with": _versions(),
    }
    manifest["goldens"] = dict(sorted(manifest["goldens"].items()))
    _replace(folder / f"{name}.safetensors", save({"inputs": inputs, "outputs": np.ascontiguousarray(outputs)}))
    _write_manifest(folder, manifest)


def _write_manifest(folder: Path, manifest: dict) -> None:
    _replace(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def _torch_outputs(model: object, inputs: np.ndarray) -> np.ndarray:
    try:
        from . import torch_reference
    except ImportError:
        raise GoldenError("Goldens are made by PyTorch: pip install 'rtconform[torch]'.") from None
    return torch_reference.evaluate(model, inputs)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"torch": version("torch"), "numpy": np.__version__}


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _array_hash(array: np.ndarray) -> str:
    return hashlib.sha256(
        f"{array.dtype.str}{list(array.shape)}".encode() + np.ascontiguousarray(array).tobytes()
    ).hexdigest()
