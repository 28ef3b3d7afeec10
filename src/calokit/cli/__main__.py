"""`python -m calokit.cli` is `calokit`."""

from calokit.cli import main

main()
