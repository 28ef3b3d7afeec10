"""What models are worth: quality step by step."""
