"""Networks that reconstruct: from the hits of a shower to energy, position and direction."""
