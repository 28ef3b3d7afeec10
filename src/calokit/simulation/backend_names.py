"""The names of what can make showers, for signatures that must not load it."""

from __future__ import annotations

from typing import Literal

BackendName = Literal["geant4", "parametric"]
"""What makes the showers."""
