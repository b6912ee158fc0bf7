"""Our own tests of the memory lane, run by `pytest -m memory` as the requirements of that class are."""
