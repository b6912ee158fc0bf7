"""A folder of five models, frame by frame, to live results."""

import json

import pytest

from rtconform.harness import expected, five_models
from rtconform.harness.judging import check, check_outputs, check_same_bits
from rtconform.harness.measure import pipeline as driving
from rtconform.harness.rtneural_json import read
from rtconform.harness.rtneural_json.budget import budget

FRAMES = 96
NAMES = tuple(five_models.specs())
each_model = pytest.mark.parametrize("name", driving.each_model())


def audio_frames(count):
    """The first frames `[count, 128]` of the stored recordings."""
    return expected.recording()[:count]


def check_model(results, audio, name, path, seed):
    """Raises unless a model's results are those of its file, fed by the data flow."""
    __tracebackhide__ = True
    bound = budget(read(path), driving.inputs_of(results, audio, name), seed=seed)
    check_outputs(bound.judge(driving.outputs_of(results, name)), f"{name} differs from the oracle in the data flow")


@pytest.mark.requirement("PIP-FLOW")
@each_model
def test_each_model_is_fed_as_documented(pipeline, name, tmp_path, rtc_config):
    """Each model's results from what the stages before it put out."""
    folder = driving.model_folder(tmp_path)
    audio = audio_frames(FRAMES)
    with pipeline.open(folder) as session:
        results = driving.drive(session, audio)
    driving.check_ids(results, range(FRAMES))
    check_model(results, audio, name, folder / five_models.specs()[name]["file"], rtc_config.seed)


@pytest.mark.requirement("PIP-EACH-FRAME-ONCE")
def test_each_frame_gives_one_result(pipeline, tmp_path):
    """Polled after each frame, then not at all for fifty frames, then again."""
    folder = driving.model_folder(tmp_path)
    audio = audio_frames(FRAMES)
    with pipeline.open(folder) as session:
        driving.check_ids(driving.drive(session, audio), range(FRAMES))
        for offset in range(50):
            session.submit(FRAMES + offset, audio[offset])
        driving.check_ids(driving.drain(session, 50), range(FRAMES, FRAMES + 50))
        again = driving.drive(session, audio, first_id=FRAMES + 50)
    driving.check_ids(again, range(FRAMES + 50, 2 * FRAMES + 50))


@pytest.mark.requirement("PIP-FALLBACK")
@pytest.mark.parametrize("damage", ["missing", "truncated"])
@each_model
def test_missing_model_falls_back(pipeline, name, damage, tmp_path):
    """One file gone or cut: its fallback, flagged; the other four as if nothing had happened."""
    folder = driving.model_folder(tmp_path)
    file = folder / five_models.specs()[name]["file"]
    text = file.read_bytes()
    file.unlink() if damage == "missing" else file.write_bytes(text[: len(text) // 2])
    with pipeline.open(folder) as session:
        results = driving.drive(session, audio_frames(8))
        status = session.status()
    driving.check_ids(results, range(8))
    for other in NAMES:
        flagged = {bool(result["fallback"][other]) for result in results}
        check(flagged == {other == name}, f"the fallback flag of {other} is wrong", got=sorted(flagged))
    state = status[name]["state"]
    check(state == "fallback", f"the status of {name} is {state!r}, not 'fallback'", status=status[name])
    got = driving.outputs_of(results, name)
    fallback = driving.fallback_of(name)
    check(bool((got == fallback).all()), f"the outputs of {name} are not its documented fallback", got=got[0].tolist())


@pytest.mark.requirement("PIP-BAD-RELOAD")
@each_model
def test_broken_file_leaves_the_old_model_playing(pipeline, name, tmp_path):
    """The same frames with and without a reload of garbage in the middle."""
    folder = driving.model_folder(tmp_path)
    audio = audio_frames(FRAMES)
    with pipeline.open(folder) as session:
        undisturbed = driving.drive(session, audio)
    driving.check_ids(undisturbed, range(FRAMES))
    with pipeline.open(folder) as session:
        results = driving.drive(session, audio[:40])
        (folder / five_models.specs()[name]["file"]).write_text('{"in_shape": [null, null, 128], "layers": [')
        session.reload(name)
        results += driving.drive(session, audio[40:], first_id=40)
    driving.check_ids(results, range(FRAMES))
    got, expected = (driving.outputs_of(part, name) for part in (results, undisturbed))
    check_same_bits(got, expected, f"{name} plays something else after the reload of a broken file")


@pytest.mark.requirement("PIP-RELOAD")
@each_model
def test_reloaded_model_plays_from_reset(pipeline, name, tmp_path, rtc_config):
    """The last layer's bias moved: the new numbers, from reset state, from the reload on."""
    folder = driving.model_folder(tmp_path)
    file = folder / five_models.specs()[name]["file"]
    audio = audio_frames(FRAMES)
    with pipeline.open(folder) as session:
        driving.drive(session, audio[:40])
        document = json.loads(file.read_bytes())
        bias = document["layers"][-1]["weights"][1]
        document["layers"][-1]["weights"][1] = [0.5 - value for value in bias]
        file.write_text(json.dumps(document))
        session.reload(name)
        results = driving.drive(session, audio[40:], first_id=40)
    driving.check_ids(results, range(40, FRAMES))
    check_model(results, audio[40:], name, file, rtc_config.seed)
