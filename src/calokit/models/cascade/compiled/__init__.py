"""The cascade's generation as compiled loops, where numba is installed: the same showers, to rounding."""
