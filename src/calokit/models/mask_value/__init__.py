"""Networks that say of every cell whether it is hit and how much it holds."""
