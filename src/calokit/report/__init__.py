"""Showing comparisons: tables in the terminal, figures, one self-contained page, and progress."""
