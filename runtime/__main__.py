"""`python -m runtime` is the command line, for where the console script is not on the path."""

from runtime.cli import main

main()
