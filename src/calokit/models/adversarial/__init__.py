"""Generators trained against a discriminator, and their parts."""
