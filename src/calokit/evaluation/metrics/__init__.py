"""Metrics of two samples, each known from the literature, on plain arrays."""
