"""Each metric beside an independent implementation or a known answer, by topic."""
