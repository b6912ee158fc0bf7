# Two commands on a fresh machine. All that matters is in tox.ini and tools/set_up.py: `tox -e conformance` does the same.
# ARGS go to the command behind them: make test ARGS="tests/test_setup.py -x".

PYTHON ?= python3
ARGS ?=

.PHONY: help conformance test bench
help:
	@echo "make conformance   judge the reference implementations, timed classes included, and write the report"
	@echo "make test          lint, test and self-test this repository, without timing"
	@echo "make bench         time the Python side, store the times in .benchmarks and draw their history"

conformance test bench:
	@command -v "$(PYTHON)" >/dev/null || { echo "Expected Python 3.10 or newer as $(PYTHON), found none; as root run: apt-get install python3 python3-venv" >&2; exit 3; }
	@"$(PYTHON)" tools/bootstrap.py $@ $(ARGS)
