"""`python -m rtconform` is the command `rtconform`."""

from .harness.cli import main

main()
