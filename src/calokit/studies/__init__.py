"""Studies: recipes x seeds x data sizes, run one after another into one table."""
