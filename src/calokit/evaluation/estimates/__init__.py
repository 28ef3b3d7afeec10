"""How good estimates of reconstructed showers are."""
