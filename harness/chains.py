"""Chains: a torch module, or what a trainer makes; its export; and what a loader or a pipeline makes of the files.

Each stage can be replaced by the judge's own: training by drawn weights, the export by an exporter of ours, loader and
pipeline by the float64 oracle. Needs torch.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import blame, expected, export_cases, five_models, signals, torch_forward
from .export_cases import ExportCase
from .faulty.toy_exporter import ToyExporter
from .five_models import AUDIO
from .implementations.module_ref import UnusableModule
from .judging import RequirementFailed, check, check_outputs
from .measure import pipeline as driving, training
from .measure.step import gather
from .measure.training import quick_name
from .rtneural_json import Budget, evaluate, numeric_class, read
from .selection import ModelCase

FRAMES = 64
LIVE_FRAMES = 24


@dataclass(frozen=True)
class Source:
    """A module for the exporter. `right` is a file of what the chain has to compute.

    Where the module itself says what that is, `module_decides`: its own float64 outputs are then compared with.
    """

    case: ExportCase
    module: Any
    right: ModelCase
    module_decides: bool = True


Sources = Mapping[str, Source]
Files = Mapping[str, Path]
Played = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""{model: (inputs `[T, in]`, outputs `[T, out]`)}"""


@dataclass(frozen=True)
class Stage:
    """One stage under test, and the judge's own in its place; both get what the stages before have made."""

    name: str
    who: str
    tested: Callable[..., Any]
    own: Callable[..., Any]


def check_chain(sources: Sources, stages: Sequence[Stage], numeric_class_: str, seed: int) -> None:
    """Raises BrokenChain unless the outputs of every model are right; the last stage gives Played.

    The first stage may give the sources themselves, where none are given.
    """
    expected.check_class(numeric_class_)
    made_by: dict[tuple[bool, ...], Any] = {}

    def run(replaced: frozenset[str]) -> float:
        made: list[Any] = [sources] if sources else []
        flags: tuple[bool, ...] = ()
        for stage in stages:
            flags = (*flags, stage.name in replaced)
            if flags not in made_by:
                made_by[flags] = (stage.own if flags[-1] else stage.tested)(*made)
            made.append(made_by[flags])
        return _judged(made[0], made[-1], numeric_class_, seed)

    blame.check_chain({stage.name: stage.who for stage in stages}, run)


def _judged(sources: Sources, played: Played, numeric_class_: str, seed: int) -> float:
    """The largest error in budgets; raises RequirementFailed for the first model whose outputs are wrong."""
    worst = 0.0
    for name, (inputs, outputs) in played.items():
        bound = _bound(sources[name], inputs, numeric_class_, seed)
        shape = bound.reference.shape
        check(outputs.shape == shape, f"{name} has outputs of another shape", expected=shape, got=outputs.shape)
        judgement = bound.judge(outputs)
        check_outputs(judgement, f"{name} gives other outputs than it should", model=name)
        worst = max(worst, judgement.error_in_budgets)
    return worst


def _bound(source: Source, inputs: np.ndarray, numeric_class_: str, seed: int) -> Budget:
    bound = expected.budget_of(source.right, inputs, numeric_class_, seed)
    if not source.module_decides or numeric_class(numeric_class_).weights != "none":
        return bound
    return dataclasses.replace(bound, reference=torch_forward.outputs(source.module, inputs))


def sources_of(cases: Sequence[ExportCase], folder: Path) -> dict[str, Source]:
    """The modules of the suite by their names, each with its right file in `folder`."""
    sources = {}
    for case in cases:
        module = case.module()
        sources[case.name] = Source(case, module, ModelCase(case.name, _exported(case, module, folder)))
    return sources


@cache
def five_sources() -> Sources:
    """Modules built as the five reference models are; one set for the session, since writing their files takes long."""
    return sources_of([export_cases.of_five(name) for name in five_models.specs()], training.temporary_folder())


def _exported(case: ExportCase, module: Any, folder: Path) -> Path:
    path = folder / f"{case.name}.json"
    ToyExporter().export(module, str(path))
    return path


def trained_by(trainer: Any, folder: Path) -> Stage:
    """A short training of one model: its state dict has to be the model that it left to be judged."""
    case = export_cases.of_five(quick_name(trainer))

    def own() -> Sources:
        return sources_of([case], _new(folder))

    return Stage("training", trainer.declaration.name, lambda: _trained(trainer), own)


def trained_among_five(trainer: Any) -> Stage:
    """The same model in its place among the five."""
    return Stage("training", trainer.declaration.name, lambda: {**five_sources(), **_trained(trainer)}, five_sources)


def _trained(trainer: Any) -> Sources:
    case = export_cases.of_five(quick_name(trainer))
    trained = training.quick(trainer)
    weights = trained.folder / f"{case.name}.safetensors"
    check(weights.is_file(), "the run left no state dict", expected=str(weights))
    try:
        module = case.stored(weights).build()
    except UnusableModule as error:
        raise RequirementFailed("the state dict is not that of the specified model", found=str(error)) from error
    sizes = (trained.model.input_size, export_cases.input_size(module))
    check(sizes[0] == sizes[1], "the file and the state dict have other input sizes", file=sizes[0], state=sizes[1])
    return {case.name: Source(case, module, ModelCase(case.name, trained.path), module_decides=False)}


def exported_by(exporter: Any, folder: Path) -> Stage:
    """Every module into a file, all in one folder."""

    def tested(sources: Sources) -> Files:
        target = _new(folder)
        for source in sources.values():
            reference = source.case.reference(folder, source.module)
            exporter.export(reference, target / f"{source.case.name}.json")
        return {name: target / f"{source.case.name}.json" for name, source in sources.items()}

    def own(sources: Sources) -> Files:
        target = _new(folder)
        return {name: _exported(source.case, source.module, target) for name, source in sources.items()}

    return Stage("export", exporter.declaration.name, tested, own)


def played_by(loader: Any, seed: int) -> Stage:
    """Noise through each file."""

    def frames(source: Source) -> np.ndarray:
        return signals.noise(FRAMES, export_cases.input_size(source.module), seed=seed)

    def tested(sources: Sources, files: Files) -> Played:
        return {name: (frames(sources[name]), process(path, frames(sources[name]))) for name, path in files.items()}

    def process(path: Path, inputs: np.ndarray) -> np.ndarray:
        with loader.open() as session, session.load(path) as model:
            return model.process(inputs, block=FRAMES)

    def own(sources: Sources, files: Files) -> Played:
        return {name: (frames(sources[name]), oracle(path, frames(sources[name]))) for name, path in files.items()}

    def oracle(path: Path, inputs: np.ndarray) -> np.ndarray:
        model = numeric_class(loader.declaration.numeric_class).transform(read(path))
        check(model.input_size == inputs.shape[1], "the file has another input size than the module")
        return evaluate(model, inputs)

    return Stage("loading", loader.declaration.name, tested, own)


def run_by(pipeline: Any) -> Stage:
    """The first frames of the stored recordings through the folder of files."""
    audio = expected.recording()[:LIVE_FRAMES]
    models = {name.lower(): name for name in five_models.specs()}

    def tested(sources: Sources, files: Files) -> Played:
        with pipeline.open(_folder(files)) as session:
            results = driving.drive(session, audio)
        driving.check_ids(results, range(LIVE_FRAMES))
        return {
            case: (driving.inputs_of(results, audio, name), driving.outputs_of(results, name))
            for case, name in models.items()
        }

    def own(sources: Sources, files: Files) -> Played:
        values = expected.data_flow(_folder(files), audio)
        flow = {stage["model"]: gather(stage["inputs"], {AUDIO: audio, **values}) for stage in five_models.flow()}
        return {case: (flow[name], values[name]) for case, name in models.items()}

    return Stage("pipeline", pipeline.declaration.name, tested, own)


def _folder(files: Files) -> Path:
    return next(iter(files.values())).parent


def _new(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))
