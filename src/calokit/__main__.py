"""`python -m calokit` is `calokit`."""

from calokit.cli import main

if __name__ == "__main__":
    main()
