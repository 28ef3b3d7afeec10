"""Whole systems on whole samples: training, judging, tables."""
