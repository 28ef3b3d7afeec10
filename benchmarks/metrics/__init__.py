"""What the metrics see, beside the published programs."""
