"""Files that change while a pipeline runs: good ones play, others don't, and the status says which."""

import shutil

import pytest

from rtconform.harness import expected, five_models
from rtconform.harness.judging import check, check_outputs, check_same_bits
from rtconform.harness.measure import pipeline as driving
from rtconform.harness.selection import ModelCase

FRAMES = 96
BEFORE = 40
"""Frames before the reload."""

NAMES = tuple(five_models.specs())
each_model = pytest.mark.parametrize("name", driving.each_model())


_undisturbed = {}


@pytest.fixture
def undisturbed(pipeline, tmp_path_factory):
    """The results of the frames with nothing else going on; one run per pipeline serves all."""
    if pipeline.connection not in _undisturbed:
        with pipeline.open(driving.model_folder(tmp_path_factory.mktemp("undisturbed"))) as session:
            results = driving.drive(session, expected.recording()[:FRAMES])
        driving.check_ids(results, range(FRAMES))
        _undisturbed[pipeline.connection] = results
    return _undisturbed[pipeline.connection]


def file_of(name):
    """The name of a model's file."""
    return five_models.specs()[name]["file"]


def damage(path, kind):
    """Puts in the place of a model's file what is none."""
    if kind == "garbage":
        path.write_text('{"in_shape": [null, null, 128], "layers": [', encoding="utf-8")
    elif kind == "truncated":
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
        if kind == "folder":
            path.mkdir()


def check_model(results, audio, name, path, pipeline, seed):
    """Raises unless a model's results are those of its file, fed by the data flow, from reset state."""
    __tracebackhide__ = True
    inputs = driving.inputs_of(results, audio, name)
    bound = expected.budget_of(ModelCase(name, path), inputs, pipeline.declaration.numeric_class, seed)
    check_outputs(bound.judge(driving.outputs_of(results, name)), f"{name} differs from the oracle in the data flow")


def check_status(session, name, results, version):
    """Raises unless the status and the results name this version of a model that plays."""
    __tracebackhide__ = True
    status = session.status()[name]
    what = f"the status of {name} should be loaded, version {version}"
    check((status["state"], status["version"]) == ("loaded", version), what, status=status)
    named = sorted({result["version"][name] for result in results})
    check(named == [version], f"the results should name version {version} of {name}", got=named)


@pytest.mark.requirement("PIP-BAD-RELOAD")
@pytest.mark.parametrize("kind", ["garbage", "missing", *map(driving.BeyondSmoke, ("truncated", "folder"))])
@each_model
def test_broken_file_leaves_the_old_model_playing(pipeline, name, kind, tmp_path, undisturbed):
    """The same frames with and without a reload of what is no file of a model in the middle."""
    folder = driving.model_folder(tmp_path)
    audio = expected.recording()[:FRAMES]
    with pipeline.open(folder) as session:
        results = driving.drive(session, audio[:BEFORE])
        damage(folder / file_of(name), kind)
        session.reload(name)
        results += driving.drive(session, audio[BEFORE:], first_id=BEFORE)
    driving.check_ids(results, range(FRAMES))
    for other in NAMES:
        got, right = (driving.outputs_of(part, other) for part in (results, undisturbed))
        check_same_bits(got, right, f"{other} plays something else after the reload of a broken file of {name}")
    flagged = [result["id"] for result in results if any(result["fallback"].values())]
    check(not flagged, "results are flagged as fallbacks although all models play", frames=flagged[:5])


@pytest.mark.requirement("PIP-RELOAD")
@each_model
def test_reloaded_model_plays_from_reset(pipeline, name, tmp_path, rtc_config, undisturbed):
    """The last layer's bias moved: the new numbers, from reset state, from the reload on; the others go on."""
    folder = driving.model_folder(tmp_path)
    audio = expected.recording()[:FRAMES]
    with pipeline.open(folder) as session:
        driving.drive(session, audio[:BEFORE])
        shutil.copy(driving.altered(name, tmp_path), folder / file_of(name))
        session.reload(name)
        results = driving.drive(session, audio[BEFORE:], first_id=BEFORE)
    driving.check_ids(results, range(BEFORE, FRAMES))
    check_model(results, audio[BEFORE:], name, folder / file_of(name), pipeline, rtc_config.seed)
    if name == NAMES[0]:
        return  # on which all others depend
    for other in set(NAMES) - {name}:
        got, right = driving.outputs_of(results, other), driving.outputs_of(undisturbed[BEFORE:], other)
        check_same_bits(got, right, f"{other} plays something else after the reload of {name}")


@pytest.mark.requirement("PIP-OTHER-MODEL")
def test_file_of_a_model_of_the_same_sizes_is_refused(pipeline, tmp_path, undisturbed):
    """EmotionRecognizer and HarmonyPredictor both map 128 to 64; each in the other's place, at open and later."""
    first, second = "EmotionRecognizer", "HarmonyPredictor"
    folder = driving.model_folder(tmp_path)
    audio = expected.recording()[:8]
    for name, other in ((first, second), (second, first)):
        content = (folder / file_of(name)).read_bytes()
        with pipeline.open(folder) as session:
            shutil.copy(five_models.FOLDER / file_of(other), folder / file_of(name))
            said = session.reload(name)
            results = driving.drive(session, audio)
            status = session.status()[name]
        check(said is not True, f"a file of {other} was taken for one of {name} at a reload", status=status)
        driving.check_ids(results, range(8))
        got, right = (driving.outputs_of(part, name) for part in (results, undisturbed[:8]))
        check_same_bits(got, right, f"a file of {other} plays as {name} after a reload", status=status)
        with pipeline.open(folder) as session:
            results, status = driving.drive(session, audio), session.status()[name]
        driving.check_ids(results, range(8))
        is_refused = status["state"] == "fallback" and all(result["fallback"][name] for result in results)
        check(is_refused, f"a file of {other} plays as {name} from the start", status=status)
        (folder / file_of(name)).write_bytes(content)


@pytest.mark.requirement("PIP-STATUS")
@each_model
def test_status_says_what_plays(pipeline, name, tmp_path):
    """A good load, a bad one, a good one: versions in the status and in the results, and the reason for the bad one."""
    folder = driving.model_folder(tmp_path)
    audio = expected.recording()[:4]
    path = folder / file_of(name)
    content = path.read_bytes()
    with pipeline.open(folder) as session:
        check_status(session, name, driving.drive(session, audio), version=1)
        check(session.reload(name) is not False, f"a good file of {name} was refused", status=session.status()[name])
        check_status(session, name, driving.drive(session, audio), version=2)
        path.write_bytes(content[: len(content) // 2])
        said = session.reload(name)
        check(said is not True, f"reload says that it took a broken file of {name}")
        check_status(session, name, driving.drive(session, audio), version=2)
        reason = session.status()[name]["reason"]
        check(bool(reason), f"the status doesn't say that the last file of {name} was refused", status=session.status())
        path.write_bytes(content)
        check(session.reload() is not False, "a folder of good files was refused", status=session.status())
        check_status(session, name, driving.drive(session, audio), version=3)
        reason = session.status()[name]["reason"]
        check(not reason, f"all is well with {name}, and the status gives a reason why not", reason=reason)


@pytest.mark.requirement("PIP-RELOAD-ALL")
def test_a_reload_of_all_takes_what_it_can(pipeline, tmp_path, rtc_config):
    """Two files are new, one is gone, one is broken: the good ones play, also the one that is as it was, from reset."""
    folder = driving.model_folder(tmp_path)
    audio = expected.recording()[: BEFORE + 24]
    emotion, _, harmony, dynamics, groove = NAMES
    with pipeline.open(folder) as session:
        driving.drive(session, audio[:BEFORE])
        for name in (emotion, groove):
            shutil.copy(driving.altered(name, tmp_path), folder / file_of(name))
        damage(folder / file_of(dynamics), "missing")
        damage(folder / file_of(harmony), "garbage")
        said = session.reload()
        results = driving.drive(session, audio[BEFORE:], first_id=BEFORE)
        status = session.status()
    check(said is not True, "reload says that it took all files, one of which is missing")
    driving.check_ids(results, range(BEFORE, len(audio)))
    versions = {name: (status[name]["version"], sorted({r["version"][name] for r in results})) for name in NAMES}
    due = {name: (1, [1]) if name in (dynamics, harmony) else (2, [2]) for name in NAMES}
    check(versions == due, "versions in status and results after a reload of all", expected=due, got=versions)
    for name in NAMES:
        stored = five_models.FOLDER / file_of(name)
        path = stored if name in (dynamics, harmony) else folder / file_of(name)
        check_model(results, audio[BEFORE:], name, path, pipeline, rtc_config.seed)
