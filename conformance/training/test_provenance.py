"""What a run leaves to say what its results are and what they were made from."""

import json
import math
import re
from collections.abc import Mapping, Sequence

import pytest

from rtconform.harness.judging import RequirementFailed, check
from rtconform.harness.measure import training, training_sets

pytestmark = pytest.mark.shares("trainer")

SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
DIGITS = 5e-4
"""How near to the loss, relative to it, the number on a card is: three digits say less."""

NOT_STATED = frozenset({"resume"})
"""What changes no result, and so needn't be stated."""


def check_metrics(trainer, run, document):
    models = document.get("models")
    left = models.get(run.name) if isinstance(models, Mapping) else None
    returned = json.loads(json.dumps(dict(run.metrics)))
    check(left == returned, "metrics.json holds other metrics than were returned", differs=missing(returned, left)[:5])


def check_config(trainer, run, document):
    given = {key: value for key, value in training.quick_config(trainer).items() if key not in NOT_STATED}
    differs = missing(given, document.get("config"))
    check(not differs, "metrics.json states another config than was given", differs=differs)


def check_commit(trainer, run, document):
    check("git" in document, "metrics.json doesn't say which commit the code was")
    git = document["git"]
    commit = git.get("commit") if isinstance(git, Mapping) else None
    named = isinstance(commit, str) and COMMIT.fullmatch(commit)
    check(git is None or bool(named), "metrics.json names no commit", expected="null or 40 or 64 hex digits", got=git)


def check_export(trainer, run, document):
    found = run.metrics.get("export_sha256")
    check(found == run.digest, "the metrics state another sha256 of the exported file", expected=run.digest, got=found)


def check_data(trainer, run, document):
    _, kind, folder = training.only_set(training.quick_config(trainer))
    hashes = run.metrics.get("content_sha256")
    for side, items in run.items.items():
        found = hashes.get(side) if isinstance(hashes, Mapping) else None
        enough = isinstance(found, Sequence) and len(found) == len(items)
        check(enough, f"the metrics don't state a sha256 for each item of {side}", items=len(items))
        for item, digest in zip(items, found, strict=True):
            expected = training_sets.content_sha256(kind, folder, item)
            same = digest == expected if expected else SHA256.fullmatch(str(digest)) is not None
            check(same, f"the metrics state another sha256 of {item}", expected=expected or "a sha256", got=digest)


STATEMENTS = {
    "metrics": check_metrics,
    "config": check_config,
    "commit": check_commit,
    "export": check_export,
    "data": check_data,
}


@pytest.mark.requirement("TRN-PROVENANCE")
@pytest.mark.parametrize("what", STATEMENTS)
def test_what_a_result_was_made_from_is_stated(trainer, what):
    """The metrics that were returned, every value that was given, the commit, and the bytes of files and items."""
    run = training.quick(trainer)
    try:
        document = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequirementFailed("the run left no metrics.json that can be read", fault=str(error)) from error
    check(isinstance(document, Mapping), "metrics.json holds no object", got=type(document).__name__)
    STATEMENTS[what](trainer, run, document)


@pytest.mark.requirement("TRN-MODEL-CARD")
def test_the_card_is_that_of_the_model(trainer):
    """Its name, the hash of its file and its loss, which stands there with four digits or more."""
    run = training.quick(trainer)
    path = run.folder / f"{run.name.lower()}.card.md"
    check(path.is_file(), "the run left no model card", expected=str(path))
    text = path.read_text(encoding="utf-8", errors="replace")
    check(run.name in text, f"the card doesn't name {run.name}")
    check(run.digest in text, "the card doesn't state the sha256 of the exported file", expected=run.digest)
    loss = run.reported_loss
    near = any(math.isclose(float(number), loss, rel_tol=DIGITS) for number in NUMBER.findall(text))
    check(near, "the card doesn't state the validation loss that the metrics report", expected=loss)


def missing(given, found, where="$"):
    """The places of a JSON value where another one has something else, or nothing."""
    if isinstance(given, Mapping):
        found = found if isinstance(found, Mapping) else {}
        return [place for key, value in given.items() for place in missing(value, found.get(key), f"{where}.{key}")]
    return [] if given == found else [where]
