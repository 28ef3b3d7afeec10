"""Going through samples of showers and what is kept of them."""
