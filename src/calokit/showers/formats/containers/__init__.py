"""Containers of foreign files: HDF5, ROOT, NumPy archives, tables."""
