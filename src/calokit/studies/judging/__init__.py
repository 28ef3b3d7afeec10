"""Judging trained models: surrogates, reconstructions, several particles."""
