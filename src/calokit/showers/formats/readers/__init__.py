"""Readers of the formats of other groups, one a file."""
