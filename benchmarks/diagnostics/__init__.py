"""Looks at one question in depth: where showers lie, which cells differ, how a training went."""
