"""Recipes, the training loop, checkpoints and bundles."""
