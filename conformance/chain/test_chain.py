"""Implementations one after the other, judged at the end; what breaks is found by replacing each stage in turn."""

import pytest

from rtconform.harness import chains, export_cases
from rtconform.harness.judging import skip_undeclared
from rtconform.harness.measure.training import quick_name


@pytest.mark.requirement("CHN-OUTPUTS")
@pytest.mark.parametrize("case", export_cases.of_chains(), ids=lambda case: case.name)
def test_an_exported_file_plays_what_the_module_computes(exporter, loader, case, tmp_path, rtc_config):
    """Module, file, loader."""
    sources = chains.sources_of([case], tmp_path)
    skip_undeclared(exporter, case.layer_types)
    skip_undeclared(loader, sources[case.name].right.model.layer_types)
    stages = [chains.exported_by(exporter, tmp_path), chains.played_by(loader, rtc_config.seed)]
    chains.check_chain(sources, stages, loader.declaration.numeric_class, rtc_config.seed)


@pytest.mark.requirement("CHN-TRAINED")
@pytest.mark.shares("trainer")
def test_trained_weights_play_as_they_were_judged(trainer, exporter, loader, tmp_path, rtc_config):
    """A short training, its state dict exported and loaded, against the file that the training left."""
    for implementation in (exporter, loader):
        skip_undeclared(implementation, export_cases.of_five(quick_name(trainer)).layer_types)
    stages = [
        chains.trained_by(trainer, tmp_path),
        chains.exported_by(exporter, tmp_path),
        chains.played_by(loader, rtc_config.seed),
    ]
    chains.check_chain({}, stages, loader.declaration.numeric_class, rtc_config.seed)


@pytest.mark.requirement("CHN-LIVE")
def test_exported_files_run_live(exporter, pipeline, tmp_path, rtc_config):
    """The five modules, a folder of files, a pipeline."""
    sources = chains.five_sources()
    for source in sources.values():
        skip_undeclared(exporter, source.case.layer_types)
    stages = [chains.exported_by(exporter, tmp_path), chains.run_by(pipeline)]
    chains.check_chain(sources, stages, pipeline.declaration.numeric_class, rtc_config.seed)


@pytest.mark.requirement("CHN-TRAINED-LIVE")
@pytest.mark.shares("trainer")
def test_trained_weights_run_live(trainer, exporter, pipeline, tmp_path, rtc_config):
    """A short training, its state dict exported among the five, the folder live."""
    skip_undeclared(exporter, export_cases.of_five(quick_name(trainer)).layer_types)
    stages = [chains.trained_among_five(trainer), chains.exported_by(exporter, tmp_path), chains.run_by(pipeline)]
    chains.check_chain({}, stages, pipeline.declaration.numeric_class, rtc_config.seed)
