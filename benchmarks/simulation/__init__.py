"""Simulated samples beside references and published figures."""
