"""`python -m erbium`."""

from erbium.cli import main

main()
