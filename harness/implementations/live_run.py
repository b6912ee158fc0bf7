"""What run_live is asked for and what it gives: a pipeline under an audio thread, and reloads meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .host import Offence, offences_of

if TYPE_CHECKING:
    from .client import Client


@dataclass(frozen=True)
class Put:
    """A file that takes the place of another at once; None empties the place, `bytes` are so many of its first ones."""

    to: Path
    source: Path | None
    bytes: int | None = None

    def to_request(self) -> dict[str, Any]:
        """As it stands in the request."""
        record = {"to": str(self.to), "from": None if self.source is None else str(self.source)}
        return record if self.bytes is None else record | {"bytes": self.bytes}


@dataclass(frozen=True)
class Action:
    """Files put in their places, and then a reload of one model, or of all with None."""

    model: str | None
    puts: Sequence[Put] = ()


@dataclass(frozen=True)
class LivePlan:
    """How frames are submitted, and what happens meanwhile.

    There are `count` frames; with `least_count`, so many are enough once `least_actions` of the actions are done.
    `period_s` is between two frames, 0 for as fast as `most_pending` allows; 0 is no limit of that. With `watch`, the
    detectors are armed around each submit and poll. With `keep_outputs`, all outputs are kept, else a digest of each
    model's. The actions follow one another, `action_every_s` apart, over and over until the frames end.
    """

    count: int
    first_id: int = 0
    least_count: int | None = None
    least_actions: int = 0
    period_s: float = 0.0
    most_pending: int = 0
    poll_every_s: float = 100e-6
    watch: bool = False
    keep_outputs: bool = False
    actions: Sequence[Action] = field(default=())
    action_every_s: float = 0.0

    def to_request(self, number_of: Callable[[str | None], int | None]) -> dict[str, Any]:
        """The fields of the request, but the pipeline and the frames."""
        actions = [
            {"model": number_of(action.model), "puts": [put.to_request() for put in action.puts]}
            for action in self.actions
        ]
        return {
            "first_id": self.first_id,
            "count": self.count,
            "least_count": self.count if self.least_count is None else self.least_count,
            "least_actions": self.least_actions,
            "period_ns": round(self.period_s * 1e9),
            "most_pending": self.most_pending,
            "poll_every_ns": round(self.poll_every_s * 1e9),
            "watch": self.watch,
            "outputs": "all" if self.keep_outputs else "digests",
            "actions": actions,
            "action_every_ns": round(self.action_every_s * 1e9),
        }


@dataclass(frozen=True)
class Reload:
    """One that was carried out: which action it was, when and for how long (ns), and what came of it.

    `version` is each model's as the status had it afterwards; `error` is None if all files were taken.
    """

    action: int
    at_ns: int
    took_ns: int
    accepted: bool
    version: tuple[int, ...]
    error: Mapping[str, str] | None = None


@dataclass(frozen=True)
class LiveRun:
    """What the audio thread met. Arrays have a row per frame (`submit_…`, `accepted`) or per result, in order.

    Times are in ns, those of `at` since the start; waits are how often the thread gave up its processor inside a call.
    `fallback` and `version` are `[R, models]`, and so are `digests` where the outputs, by model `[R, out]`, were not
    kept. `memory` counts what the library holds in bytes, without its static data.
    """

    submit_at_ns: np.ndarray
    submit_wall_ns: np.ndarray
    submit_cpu_ns: np.ndarray
    submit_waits: np.ndarray
    accepted: np.ndarray
    ids: np.ndarray
    result_at_ns: np.ndarray
    poll_cpu_ns: np.ndarray
    fallback: np.ndarray
    version: np.ndarray
    polls: int
    poll_waits: int
    poll_wall_max_ns: int
    priority: str
    memory: Mapping[str, int]
    counters: Mapping[str, int]
    unseen: Mapping[str, str]
    offences: tuple[Offence, ...]
    reloads: tuple[Reload, ...]
    digests: np.ndarray | None = None
    outputs: Mapping[str, np.ndarray] | None = None

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any], client: Client, models: Mapping[str, int]) -> LiveRun:
        """Raises ProtocolViolation for arrays whose sizes don't fit together."""
        arrays = {name: client.integers("run_live", reply[name]).astype(np.int64) for name in (*FRAMES, *RESULTS)}
        arrays |= {name: client.integers("run_live", reply[name]).astype(np.int64) for name in BY_MODEL}
        results, width = len(arrays["ids"]), len(models)
        sizes = {name: arrays[name].shape for name in (*RESULTS, *BY_MODEL)}
        due = dict.fromkeys(RESULTS, (results, 1)) | dict.fromkeys(BY_MODEL, (results, width))
        client.demand(sizes == due, "run_live", f"arrays of the shapes {due}", sizes)
        frames = {arrays[name].shape for name in FRAMES}
        client.demand(len(frames) == 1, "run_live", "as many rows for each property of a frame", frames)
        digests = outputs = None
        if "digests" in reply:
            digests = client.integers("run_live", reply["digests"])
            client.demand(digests.shape == (results, width), "run_live", f"{results} rows of digests", digests.shape)
        else:
            rows = client.array("run_live", reply["outputs"])
            shape = (results, sum(models.values()))
            client.demand(rows.shape == shape, "run_live", f"outputs of shape {shape}", rows.shape)
            parts = np.split(rows, np.cumsum(list(models.values()))[:-1], axis=1)
            outputs = dict(zip(models, parts, strict=True))
        plain = ("polls", "poll_waits", "poll_wall_max_ns", "priority", "memory", "counters", "unseen")
        return cls(
            **{name: array if name in BY_MODEL else array[:, 0] for name, array in arrays.items()},
            **{name: reply[name] for name in plain},
            offences=offences_of(reply),
            reloads=tuple(Reload(**{**reload, "version": tuple(reload["version"])}) for reload in reply["reloads"]),
            digests=digests,
            outputs=outputs,
        )


FRAMES = ("submit_at_ns", "submit_wall_ns", "submit_cpu_ns", "submit_waits", "accepted")
RESULTS = ("ids", "result_at_ns", "poll_cpu_ns")
BY_MODEL = ("fallback", "version")


@dataclass(frozen=True)
class PipelineMemory:
    """Bytes that a pipeline holds at work, at most while it is reloaded, and after each reload and each close.

    And how many more file descriptors and threads there are after all reloads, and after the last close than the first.
    """

    live_bytes: int
    reload_peak_bytes: int
    static_bytes: int
    after_reload_bytes: Sequence[int]
    after_close_bytes: Sequence[int]
    reload_descriptors_left: int
    reload_threads_left: int
    close_descriptors_left: int
    close_threads_left: int
    rss_bytes: int
