"""The end of a pipeline, in any state, and two of them side by side."""

import time

import pytest

from rtconform.harness import expected
from rtconform.harness.implementations import TimedOut
from rtconform.harness.judging import RequirementFailed, check, check_same_bits
from rtconform.harness.measure import pipeline as driving
from rtconform.harness.measure.pipeline import PACE

CLOSE_SECONDS = 2.0
PATIENCE_SECONDS = 0.5
"""On top, for what the machine and the way to another process take."""


def pending(session, folder, audio):
    """Frames are on their way."""
    for frame_id, frame in enumerate(audio[:PACE]):
        session.submit(frame_id, frame)


def unread(session, folder, audio):
    """Results lie there."""
    pending(session, folder, audio)
    time.sleep(0.2)


def reloaded_badly(session, folder, audio):
    """A file was refused, and frames are on their way."""
    pending(session, folder, audio)
    next(folder.glob("*.json")).write_text("{", encoding="utf-8")
    session.reload()


def just_opened(session, folder, audio):
    """Nothing has happened yet."""


STATES = {
    "just-opened": just_opened,
    "pending": pending,
    "unread": unread,
    "reloaded-badly": reloaded_badly,
}


@pytest.mark.requirement("PIP-CLOSE")
@pytest.mark.parametrize(
    "state", ["pending", "reloaded-badly", driving.BeyondSmoke("just-opened"), driving.BeyondSmoke("unread")]
)
def test_close_returns_at_once(pipeline, state, tmp_path):
    """One of two pipelines in a process, whose end is not that of the process."""
    folder = driving.model_folder(tmp_path)
    with pipeline.open(folder) as session:
        other = session.beside(folder)
        STATES[state](other, folder, expected.recording())
        began = time.monotonic()
        try:
            other.close()
        except TimedOut as error:
            what = f"close didn't return within {error.seconds:g} s; it may take {CLOSE_SECONDS:g}"
            raise RequirementFailed(what, state=state, **error.evidence) from error
        seconds = time.monotonic() - began
        limit = CLOSE_SECONDS + PATIENCE_SECONDS
        check(seconds < limit, f"close took {seconds:.1f} s; it may take {CLOSE_SECONDS:g}", state=state)
        driving.check_ids(driving.drive(session, expected.recording()[:4]), range(4))


@pytest.mark.requirement("PIP-ISOLATED")
def test_two_pipelines_go_their_own_ways(pipeline, tmp_path):
    """On one folder, fed with other frames in turn; each gives what it gives alone, also while the other is closed."""
    folder = driving.model_folder(tmp_path)
    audio = expected.recording()
    parts = audio[:48], audio[100:148]
    alone = []
    for part in parts:
        with pipeline.open(folder) as session:
            alone.append(driving.drive(session, part))
    together = [[], []]
    with pipeline.open(folder) as first:
        second = first.beside(folder)
        for begin in range(0, 48, PACE):
            for session, part in zip((first, second), parts, strict=True):
                for offset in range(begin, begin + PACE):
                    driving.submit(session, offset, part[offset], pending=offset - begin)
            for session, results in zip((first, second), together, strict=True):
                drained = driving.drain(session, PACE)
                driving.check_ids(drained, range(begin, begin + PACE))
                results.extend(drained)
        second.close()
        driving.check_ids(driving.drive(first, audio[:8], first_id=48), range(48, 56))
    for own, mixed in zip(alone, together, strict=True):
        driving.check_ids(own, range(48))
        for name in own[0]["outputs"]:
            got, right = (driving.outputs_of(part, name) for part in (mixed, own))
            check_same_bits(got, right, f"{name} gives something else beside another pipeline")
