"""Numbers of a scorecard from what a passage through the samples leaves."""
