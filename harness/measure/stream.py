"""A stream of frames through a pipeline with reloads meanwhile, and the same again in peace.

A reload names versions, and so does each result. With the files that stood behind the versions, the stream can be
played once more: the same files put in front of the same frames, with nothing else going on.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .. import five_models
from ..implementations.live_run import Action, LivePlan, LiveRun, Put
from ..implementations.remote_pipeline import MEASURE_SECONDS
from ..judging import check
from .pipeline import PACE, altered, check_ids, model_folder

QUIET = 2.0
"""In a replay nobody looks before all of PACE frames can be done: so many times as long as they take under load."""

MOST_FRAMES = 100_000
"""After which no more reloads are waited for."""

FRAME_SECONDS = 0.02
"""What a frame is waited for in a long stream: twice the deadline."""

NAMES = tuple(five_models.specs())


@dataclass(frozen=True)
class Move:
    """Files put in models' places and a reload of one, or of all with None.

    `puts` are {model: file}: a valid file of that model, or a Bad one.
    """

    model: str | None
    puts: Mapping[str, Path | Bad]

    def action(self, folder: Path) -> Action:
        """The same for a folder of models."""
        return Action(self.model, [self._put(folder / _file(name), file) for name, file in self.puts.items()])

    @staticmethod
    def _put(place: Path, file: Path | Bad) -> Put:
        return Put(place, file.source, file.bytes) if isinstance(file, Bad) else Put(place, file)


@dataclass(frozen=True)
class Bad:
    """What is no file of the model in whose place it stands: nothing, the first bytes of one, or another model's."""

    source: Path | None
    bytes: int | None = None


def moves(spare: Path) -> list[Move]:
    """Good reloads of one model and of all, and each way in which a file can be bad; new files go to `spare`."""
    stored = {name: five_models.FOLDER / _file(name) for name in NAMES}
    other = {name: altered(name, spare) for name in NAMES}
    garbage = spare / "garbage.json"
    garbage.write_text("no JSON at all", encoding="utf-8")
    emotion, melody, harmony, dynamics, groove = NAMES
    half = stored[melody].stat().st_size // 2
    return [
        Move(emotion, {emotion: other[emotion]}),
        Move(None, other),
        Move(melody, {melody: Bad(stored[melody], half)}),
        Move(melody, {melody: stored[melody]}),
        Move(harmony, {harmony: Bad(stored[emotion])}),
        Move(None, {**stored, dynamics: Bad(None)}),
        Move(groove, {groove: Bad(garbage)}),
        Move(None, stored),
    ]


@dataclass
class Stream:
    """What came of it. `ids` are those of the results, `version` `[R, 5]` and `digests` `[R, 5]` theirs.

    `expected` are the versions that the status has to have, from the start on and after each reload; `reported` those
    that it had; `answers` what each reload had to say and said. `sources` is the file behind each version of a model.
    """

    accepted: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    version: np.ndarray = field(default_factory=lambda: np.empty((0, len(NAMES)), np.int64))
    digests: np.ndarray = field(default_factory=lambda: np.empty((0, len(NAMES)), np.uint64))
    expected: list[tuple[int, ...]] = field(default_factory=list)
    reported: list[tuple[int, ...]] = field(default_factory=list)
    answers: list[tuple[bool, bool]] = field(default_factory=list)
    sources: dict[tuple[str, int], Path] = field(default_factory=dict)
    places: dict[str, Path | Bad] = field(default_factory=dict)
    busy_ns: int = 0

    def begin(self, status: Mapping[str, Mapping[str, Any]]) -> None:
        """All models are loaded from the stored files."""
        self.places = {name: five_models.FOLDER / _file(name) for name in NAMES}
        self.sources = {(name, 1): path for name, path in self.places.items() if isinstance(path, Path)}
        self.expected.append((1,) * len(NAMES))
        self.reported.append(tuple(status[name]["version"] for name in NAMES))

    def add(self, run: LiveRun, done: Sequence[Move]) -> None:
        """What the audio thread met, and the moves that were made meanwhile."""
        self.accepted = np.flatnonzero(run.accepted).tolist()
        self.ids = run.ids.tolist()
        self.busy_ns = int(run.result_at_ns[-1]) if len(run.ids) else 0
        self.version, self.digests = run.version, run.digests
        for move, reload in zip(done, run.reloads, strict=True):
            self._reloaded(move, reload.accepted, reload.version)

    def _reloaded(self, move: Move, accepted: bool, reported: tuple[int, ...]) -> None:
        self.places.update(move.puts)
        concerned = NAMES if move.model is None else (move.model,)
        versions = dict(zip(NAMES, self.expected[-1], strict=True))
        for name in concerned:
            if isinstance(file := self.places[name], Path):
                versions[name] += 1
                self.sources[name, versions[name]] = file
        self.expected.append(tuple(versions.values()))
        self.reported.append(reported)
        self.answers.append((all(isinstance(self.places[name], Path) for name in concerned), accepted))

    def parts(self) -> list[tuple[int, int]]:
        """(begin, end) of the results between two swaps."""
        changes = np.flatnonzero((np.diff(self.version, axis=0) != 0).any(axis=1)) + 1
        return list(pairwise([0, *changes.tolist(), len(self.version)]))


def stream(pipeline: Any, folder: Path, frames: np.ndarray, count: int, every_s: float) -> Stream:
    """At least `count` frames as fast as the pipeline takes them, and each of the moves at least once meanwhile.

    `folder` is an empty one, for the models and for what takes their places; frames `[N, 128]` come over and over.
    """
    spare, place = folder / "spare", folder / "models"
    spare.mkdir()
    place.mkdir()
    todo = moves(spare)
    whole = Stream()
    with pipeline.open(model_folder(place)) as session:
        check_models(session)
        whole.begin(session.status())
        plan = LivePlan(
            max(MOST_FRAMES, count),
            least_count=count,
            least_actions=len(todo),
            most_pending=session.capacity,
            actions=[move.action(place) for move in todo],
            action_every_s=every_s,
        )
        run = session.run_live(frames, plan, timeout=MEASURE_SECONDS + FRAME_SECONDS * count)
        whole.add(run, [todo[reload.action] for reload in run.reloads])
    return whole


def replay(pipeline: Any, folder: Path, frames: np.ndarray, played: Stream) -> np.ndarray:
    """Digests `[R, 5]` of the same frames, with the same files put in front of them one by one in peace."""
    __tracebackhide__ = True
    place = folder / "replay"
    place.mkdir()
    digests = []
    quiet_s = QUIET * PACE * played.busy_ns / max(len(played.ids), 1) / 1e9
    with pipeline.open(model_folder(place)) as session:
        standing = dict.fromkeys(NAMES, 1)
        for begin, end in played.parts():
            for name, version in zip(NAMES, played.version[begin].tolist(), strict=True):
                if version == standing[name]:
                    continue
                source = played.sources.get((name, version))
                what = f"frame {played.ids[begin]} was played by version {version} of {name}, which there never was"
                check(source is not None, what, versions=[of for of in played.sources if of[0] == name][-3:])
                shutil.copy(source, place / _file(name))
                check(session.reload(name) is True, f"a good file of {name} was refused", status=session.status()[name])
                standing[name] = version
            first_id = played.ids[begin]
            plan = LivePlan(end - begin, first_id, most_pending=PACE, poll_every_s=quiet_s)
            run = session.run_live(frames, plan)
            check_ids([{"id": frame} for frame in run.ids.tolist()], range(first_id, first_id + end - begin))
            digests.append(run.digests)
    return np.concatenate(digests)


def check_models(session: Any) -> None:
    """Raises RequirementFailed unless a pipeline's models are the five."""
    __tracebackhide__ = True
    check(tuple(session.models) == NAMES, "these are not the five models in their order", models=list(session.models))


def _file(name: str) -> str:
    return five_models.specs()[name]["file"]
