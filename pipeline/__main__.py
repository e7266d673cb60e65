"""Lets `python -m pipeline` do what the console script does."""

from pipeline.cli import main

main()
