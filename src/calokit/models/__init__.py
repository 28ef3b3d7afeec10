"""Families of surrogates and the parts they are made of."""
