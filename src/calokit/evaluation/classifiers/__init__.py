"""Classifiers that are trained to tell generated from true showers."""
