"""Many frames as fast as they are taken, while files change and are reloaded."""

import numpy as np
import pytest

from rtconform.harness import expected
from rtconform.harness.implementations import LivePlan
from rtconform.harness.judging import check
from rtconform.harness.measure import pipeline as driving, stream as streaming

FRAMES = {"smoke": 1024, "ci": 4096, "nightly": 100_000}
EVERY_SECONDS = {"smoke": 0.01, "ci": 0.02, "nightly": 0.1}
ROWS = 256
"""Different frames; they come over and over."""

OVERLOAD = {"smoke": 2_000, "ci": 10_000, "nightly": 100_000}
PER_FRAME_BYTES = 8 * 1024
"""Four times what a frame and its result are."""

SLACK_BYTES = 1 << 20

_played = {}


@pytest.fixture
def played(pipeline, rtc_config, tmp_path_factory):
    """The stream, and the folder that its files are in; one per pipeline serves all requirements on it."""
    if pipeline.connection not in _played:
        folder = tmp_path_factory.mktemp("stream")
        frames = expected.recording()[:ROWS]
        profile = rtc_config.profile
        result = streaming.stream(pipeline, folder, frames, FRAMES[profile], EVERY_SECONDS[profile])
        _played[pipeline.connection] = result, folder, frames
    return _played[pipeline.connection]


@pytest.mark.requirement("PIP-STREAM")
def test_each_frame_of_a_stream_gives_one_result(played):
    """Nothing lost, doubled or out of order, with good and bad files reloaded all the time."""
    stream, _, _ = played
    driving.check_ids([{"id": frame} for frame in stream.ids], stream.accepted)


@pytest.mark.requirement("PIP-STREAM-VERSIONS")
def test_versions_in_a_stream_are_those_of_the_reloads(played):
    """In the status after each reload, and in each result: all models of one reload before the same frame."""
    stream, _, _ = played
    pairs = list(zip(stream.expected, stream.reported, strict=True))
    wrong = next((n for n, (due, found) in enumerate(pairs) if due != found), None)
    if wrong is not None:
        what = f"after reload {wrong} the status has other versions than the files that were good"
        check(False, what, expected=pairs[wrong][0], got=pairs[wrong][1])
    said = next((n for n, (due, found) in enumerate(stream.answers, 1) if due != found), None)
    check(said is None, f"reload {said} says of its files that they were all taken, or not, and it was otherwise")
    known = {versions: n for n, versions in enumerate(stream.expected)}
    newest = 0
    for frame, versions in zip(stream.ids, map(tuple, stream.version.tolist()), strict=True):
        place = known.get(versions)
        check(place is not None, f"frame {frame} was played by versions that no reload left", got=versions)
        check(place >= newest, f"frame {frame} was played by older versions than the frame before", got=versions)
        newest = place


@pytest.mark.requirement("PIP-STREAM-RELOAD")
def test_a_stream_is_what_it_is_in_peace(pipeline, played, tmp_path):
    """Bit by bit what comes of the same frames, with the files behind the versions put in front of them in peace."""
    stream, _, frames = played
    driving.check_ids([{"id": frame} for frame in stream.ids], stream.accepted)
    again = streaming.replay(pipeline, tmp_path, frames, stream)
    differs = (stream.digests != again).any(axis=1).nonzero()[0]
    if len(differs):
        at = int(differs[0])
        of = [name for name, same in zip(streaming.NAMES, stream.digests[at] == again[at], strict=True) if not same]
        begin = next(begin for begin, end in stream.parts() if begin <= at < end)
        what = f"{len(differs)} of {len(again)} results are others than in peace; first that of frame {stream.ids[at]}"
        check(False, what, models=of, frames_since_the_swap=at - begin, versions=stream.version[at].tolist())


@pytest.mark.requirement("PIP-OVERLOAD")
def test_frames_that_come_too_fast_are_refused_and_counted(pipeline, tmp_path, rtc_config):
    """As fast as a thread can submit: what is taken comes out, the rest is counted, and memory stays where it is."""
    count = OVERLOAD[rtc_config.profile]
    with pipeline.open(driving.model_folder(tmp_path)) as session:
        run = session.run_live(expected.recording()[:ROWS], LivePlan(count))
        capacity = session.capacity
    accepted = np.flatnonzero(run.accepted).tolist()
    driving.check_ids([{"id": frame} for frame in run.ids.tolist()], accepted)
    due = {"submitted": count, "refused": count - len(accepted), "polled": len(accepted), "pending": 0}
    check(dict(run.counters) == due, "the counters don't add up", expected=due, got=dict(run.counters))
    grown = run.memory["peak_bytes"] - run.memory["before_bytes"]
    limit = SLACK_BYTES + capacity * PER_FRAME_BYTES
    check(grown <= limit, f"memory grew by {grown:,} bytes with too many frames; {limit:,} are allowed", **run.memory)
