"""The user's settings file."""

import pytest

from rtconform.harness import config


def write(folder, text, name="rtconform.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_settings_are_read_from_rtconform_toml(tmp_path):
    """Lists become tuples, and relative paths belong to the file's folder."""
    path = write(tmp_path, 'loaders = ["abi:mine.so"]\nmodels = "models"\ndeadline_ms = 5\nclasses = ["numerics"]\n')
    found = config.load(path)
    assert (found.loaders, found.deadline_ms, found.classes) == (("abi:mine.so",), 5, ("numerics",))
    assert found.models_path == tmp_path / "models"


def test_nearest_file_above_the_working_folder_counts(tmp_path):
    """A pyproject.toml without the table is passed by."""
    write(tmp_path, "[tool.rtconform]\nseed = 7\n", "pyproject.toml")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    write(below, "[project]\nname = 'other'\n", "pyproject.toml")
    assert config.load(start=below).seed == 7


def test_no_file_means_the_defaults(tmp_path):
    """10 ms and 4 MiB."""
    found = config.parse({}, tmp_path / "rtconform.toml")
    assert (found.deadline_ms, found.memory_limit_bytes) == (10.0, 4_194_304)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('loader = ["x"]', "unknown key 'loader'; did you mean 'loaders'?"),
        ('loaders = "x"', "loaders: expected a list of strings, found 'x'"),
        ("deadline_ms = 0", "deadline_ms: expected a number above zero, found 0"),
        ("seed = -1", "seed: expected a whole number from zero on, found -1"),
        ('profile = "quick"', "profile: expected one of smoke, ci, nightly, found 'quick'"),
        ('classes = ["numeric"]', "unknown class 'numeric'; did you mean 'numerics'?"),
        ("models = 3", "models: expected a path as a string, found 3"),
        ("loaders = [", "expected TOML, found"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path, text, message):
    """The file, the key, what was expected and what was found."""
    path = write(tmp_path, text)
    with pytest.raises(config.InvalidConfig) as error:
        config.load(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_command_line_wins_over_the_file(tmp_path):
    """What isn't given there stays as the file has it."""
    found = config.load(write(tmp_path, "seed = 7\ndeadline_ms = 5\n")).overridden(seed=9, profile=None)
    assert (found.seed, found.deadline_ms) == (9, 5)
