"""Classifiers that try to tell generated showers from true ones."""
