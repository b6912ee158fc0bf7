"""One result for each frame, whoever polls or doesn't, and room as the pipeline says."""

import time

import pytest

from rtconform.harness import expected
from rtconform.harness.judging import check
from rtconform.harness.measure import pipeline as driving

FRAMES = 96
UNREAD = 50
AWHILE_SECONDS = 0.3
"""Long enough for all that is pending to be computed."""


def fill(session, frames, first_id=0):
    """Hands over all the frames `[N, 128]` at once, without a poll in between."""
    for offset, frame in enumerate(frames):
        driving.submit(session, first_id + offset, frame, pending=offset)


@pytest.mark.requirement("PIP-EACH-FRAME-ONCE")
def test_each_frame_gives_one_result(pipeline, tmp_path):
    """Polled after each frame, then not at all for as many frames as there is room for, then again."""
    folder = driving.model_folder(tmp_path)
    audio = expected.recording()[:FRAMES]
    with pipeline.open(folder) as session:
        driving.check_ids(driving.drive(session, audio), range(FRAMES))
        unread = min(UNREAD, session.capacity or UNREAD)
        fill(session, audio[:unread], first_id=FRAMES)
        time.sleep(AWHILE_SECONDS)
        driving.check_ids(driving.drain(session, unread), range(FRAMES, FRAMES + unread))
        again = driving.drive(session, audio, first_id=FRAMES + unread)
    driving.check_ids(again, range(FRAMES + unread, 2 * FRAMES + unread))


@pytest.mark.requirement("PIP-CAPACITY")
def test_room_is_as_large_as_it_says(pipeline, tmp_path):
    """As many frames as there is room for are taken, no more while results are unread, and again when they are read."""
    folder = driving.model_folder(tmp_path)
    with pipeline.open(folder) as session:
        capacity = session.capacity
        if capacity is None:
            pytest.skip("the pipeline names no capacity, and takes what comes")
        check(capacity >= driving.PACE, f"the capacity is {capacity}; {driving.PACE} is the least")
        audio = expected.recording()[: capacity + 2]
        for round_ in range(2):
            first = round_ * 1000
            fill(session, audio[:capacity], first_id=first)
            check(not session.submit(first + 900, audio[-1]), f"a frame was taken although {capacity} were pending")
            time.sleep(AWHILE_SECONDS)
            check(not session.submit(first + 901, audio[-1]), f"a frame was taken although {capacity} were unread")
            driving.check_ids(driving.drain(session, capacity), range(first, first + capacity))
