"""Several surrogates of one family as one: each shower is made by one of them."""
