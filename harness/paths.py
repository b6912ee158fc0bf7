"""Where the suite's own files lie: the same in a checkout, an editable install and a wheel.

pyproject.toml maps the folders beside harness/ into the package, where they are its neighbours too.
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CONFORMANCE = PACKAGE / "conformance"
FIXTURES = PACKAGE / "fixtures"
