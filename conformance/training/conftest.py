"""Fixtures of the requirements on training."""

import pytest

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
def earlier(tmp_path):
    """A folder with the result of an earlier run, and a look at whether all of it is still there."""

    class Earlier:
        folder = tmp_path / "out"

        def __init__(self):
            self.folder.mkdir()
            (self.folder / "metrics.json").write_text('{"models": {}}')
            (self.folder / "dynamicsengine.json").write_text("{}")
            self.before = self.content()

        def content(self):
            return {path.name: path.read_bytes() for path in self.folder.iterdir()}

        @property
        def is_untouched(self):
            return self.content() == self.before

    return Earlier()
