"""Models that nobody stored: drawn by Hypothesis, and cut down to the simplest one that fails."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume

from rtconform.harness import drawn, strategies
from rtconform.harness.judging import check, check_outputs, check_same_bits
from rtconform.harness.rtneural_json import Model

PASSES = 8

pytestmark = pytest.mark.drawn


@pytest.mark.requirement("NUM-DRAWN-MODELS")
def test_drawn_models_equal_the_oracle(loader, tmp_path, rtc_config):
    """Any layers of the declared types, any signal, cut in any way."""

    def judge(data, session):
        model = drawn.model_for(data, loader)
        frames = data.draw(strategies.signals(model.input_size, lengths=(1, 2, 3, 16, 64)))
        blocks = data.draw(strategies.block_schedules(len(frames)))
        allowed = drawn.budget_for(model, frames, loader.declaration.numeric_class, rtc_config)
        with session.load(drawn.write(model, tmp_path)) as loaded:
            judgement = allowed.judge(loaded.process(frames, block=blocks))
        what = "a drawn model differs from the float64 oracle"
        check_outputs(judgement, what, model=drawn.describe(model), frames=len(frames), blocks=str(blocks))

    drawn.check_loader(rtc_config, loader, judge)


@pytest.mark.requirement("NUM-EVERY-NUMBER")
def test_every_number_of_a_file_counts(loader, tmp_path, rtc_config):
    """A model, and then the same with one number changed, under the same path."""
    if set(loader.declaration.layer_types) <= {"activation"}:
        pytest.skip("the loader declares no layer type that has numbers")

    def judge(data, session):
        model = drawn.model_for(data, loader, max_layers=2, widths=(1, 2, 3, 5, 9, 17))
        frames = data.draw(strategies.signals(model.input_size, lengths=(16,)))
        places = [(i, name) for i, layer in enumerate(model.layers) for name in layer.arrays]
        assume(places)
        index, name = data.draw(strategies.one_of(places))
        number = data.draw(strategies.seeds()) % model.layers[index].arrays[name].size
        for variant in (model, with_number_changed(model, index, name, number)):
            allowed = drawn.budget_for(variant, frames, loader.declaration.numeric_class, rtc_config)
            with session.load(drawn.write(variant, tmp_path)) as loaded:
                outputs = loaded.process(frames)
            place = f"number {number} of {name} of layer {index}"
            what = "differs from the float64 oracle" + ("" if variant is model else f" with another {place}")
            check_outputs(allowed.judge(outputs), what, model=drawn.describe(model))

    drawn.check_loader(rtc_config, loader, judge)


def with_number_changed(model, index, name, number):
    """The model with one number of one array made larger by 1, which keeps variances above zero."""
    layer = model.layers[index]
    array = layer.arrays[name].copy()
    array.ravel()[number] += np.float32(1.0)
    layers = list(model.layers)
    layers[index] = dataclasses.replace(layer, **{name: array})
    return Model(model.input_size, tuple(layers))


@pytest.mark.requirement("RUN-DRAWN-BLOCKS")
def test_blocks_change_no_bit_of_drawn_models(loader, tmp_path, rtc_config):
    """Blocks of one length and of many, the empty one included."""
    lengths = strategies.LENGTHS
    # Ten thousand frames take a loader in Python a second.
    if rtc_config.profile == "nightly" or (rtc_config.profile == "ci" and "measure" in loader.declaration.features):
        lengths = (*lengths, strategies.LONG)

    def judge(data, session):
        model = drawn.model_for(data, loader, max_layers=2)
        frames = data.draw(strategies.signals(model.input_size, lengths=lengths))
        # A block takes as long as some hundred frames do.
        shortest = 1 if len(frames) <= 64 else len(frames) // 32
        blocks = [data.draw(strategies.block_schedules(len(frames), shortest=shortest)) for _ in range(2)]
        with session.load(drawn.write(model, tmp_path)) as loaded:
            first = loaded.process(frames, block=blocks[0])
            loaded.reset()
            second = loaded.process(frames, block=blocks[1])
        what = "another way to cut the signal changes the outputs"
        check_same_bits(second, first, what, model=drawn.describe(model), frames=len(frames), blocks=str(blocks))

    drawn.check_loader(rtc_config, loader, judge)


@pytest.mark.requirement("RUN-DRAWN-RESET")
def test_reset_of_drawn_models_forgets_everything(loader, tmp_path, rtc_config):
    """One signal, another, reset, and the first again."""

    def judge(data, session):
        model = drawn.model_for(data, loader, max_layers=2)
        frames, other = (data.draw(strategies.signals(model.input_size)) for _ in range(2))
        with session.load(drawn.write(model, tmp_path)) as loaded:
            first = loaded.process(frames)
            loaded.process(other)
            loaded.reset()
            again = loaded.process(frames)
        what = "after reset the same frames give other outputs"
        check_same_bits(again, first, what, model=drawn.describe(model), frames=len(frames), before=len(other))

    drawn.check_loader(rtc_config, loader, judge)


@pytest.fixture
def pair(loader, tmp_path):
    """`pair(data, session)`: two loaded models, of one file or of two, with a signal each and what they are."""

    def draw(data, session):
        first = drawn.model_for(data, loader, max_layers=2)
        second = data.draw(strategies.one_of((first, None))) or drawn.model_for(data, loader, max_layers=2)
        signals = [data.draw(strategies.signals(model.input_size, lengths=(64,))) for model in (first, second)]
        loaded = [session.load(drawn.write(model, tmp_path)) for model in (first, second)]
        return loaded, signals, {"models": [drawn.describe(model) for model in (first, second)]}

    return draw


@pytest.mark.requirement("RUN-DRAWN-ISOLATION")
def test_drawn_models_side_by_side_share_nothing(loader, pair, rtc_config):
    """Block by block in turn."""

    def judge(data, session):
        (one, other), signals, evidence = pair(data, session)
        block = data.draw(strategies.one_of((1, 5, 16, 64)))
        with one, other:
            alone = [one.process(signals[0]), other.process(signals[1])]
            one.reset()
            other.reset()
            turns = np.split(np.arange(64), range(block, 64, block))
            mixed = [(one.process(signals[0][turn]), other.process(signals[1][turn])) for turn in turns]
        for wanted, outputs in zip(alone, zip(*mixed, strict=True), strict=True):
            check_same_bits(np.concatenate(outputs), wanted, "another model changes it", block=block, **evidence)

    drawn.check_loader(rtc_config, loader, judge)


@pytest.mark.requirement("RUN-DRAWN-THREADS")
def test_drawn_models_on_two_threads_share_nothing(loader, pair, rtc_config):
    """Both at once, over and over."""

    def judge(data, session):
        (one, other), signals, evidence = pair(data, session)
        block = data.draw(strategies.one_of((1, 5, 16, 64)))
        with one, other:
            alone = [one.process(signals[0]), other.process(signals[1])]
            together = session.process_together([(one, signals[0]), (other, signals[1])], block=block, passes=PASSES)
        for wanted, got in zip(alone, together.outputs, strict=True):
            check_same_bits(got, wanted, "a model on another thread changes it", block=block, **evidence)
        check(together.mismatches == 0, "passes on two threads gave other outputs", block=block, **evidence)

    drawn.check_loader(rtc_config, loader, judge)
