"""The splitting cascade: energy and hits handed down a binary tree of cells by exact draws."""
