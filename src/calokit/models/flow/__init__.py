"""The two-stage flow and what makes it good."""
