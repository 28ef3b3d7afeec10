"""How the hits of a shower lie beside each other, and what their energies look like on a fine scale."""
