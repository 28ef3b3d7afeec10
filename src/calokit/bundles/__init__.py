"""Trained models as files: written by training, read by whatever uses them."""
