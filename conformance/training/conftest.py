"""Fixtures of the requirements on training."""

import shutil

import pytest

from rtconform.harness.judging import check
from rtconform.harness.measure import training


@pytest.fixture
def runs(trainer, rtc_config):
    """`runs(name)` and `runs(name, shuffled=True)`: the trained model, from one run over all models of the profile."""
    models = training.names(trainer, rtc_config.profile)

    def trained(name, shuffled=False):
        if name not in training.models_of(trainer):
            pytest.skip(f"not declared by the trainer: {name}")
        if name not in models:
            pytest.skip(f"the {rtc_config.profile} profile trains {', '.join(models)}")
        values = training.config(models, **training.length(rtc_config.profile))
        if shuffled:
            return training.trained(trainer, training.shuffled(values, rtc_config.seed), "shuffled")[name]
        return training.trained(trainer, values, "default")[name]

    return trained


@pytest.fixture
def left_by(tmp_path):
    """`left_by(run)`: a folder with all that a run left, and a look at whether it is still there."""
    return lambda run: Earlier(run.folder, tmp_path / "out")


@pytest.fixture
def earlier(trainer, left_by):
    """The same of the trainer's quick run."""
    return left_by(training.quick(trainer))


class Earlier:
    """A copy of what a run left, in a folder that the next one is given."""

    def __init__(self, source, folder):
        self.folder = shutil.copytree(source, folder)
        self.before = self.content()

    def content(self):
        """{path in the folder: bytes; None for a folder}, however deep."""
        paths = sorted(self.folder.rglob("*"))
        return {str(p.relative_to(self.folder)): p.read_bytes() if p.is_file() else None for p in paths}

    def check_untouched(self):
        """Raises RequirementFailed with the files that are not what they were."""
        after = self.content()
        changed = sorted(name for name in {**self.before, **after} if self.before.get(name, 0) != after.get(name, 0))
        check(not changed, "the result of an earlier run has changed", files=changed)
