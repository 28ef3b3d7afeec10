"""Programs behind every number: speed, metrics, simulation and whole systems."""
