"""From what a foreign file says to cells, incidents and MeV."""
