"""Which physics Geant4 runs, and which of its data sets that needs."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveFloat

from calokit.config import Description

PhysicsList = Literal["em0", "em1", "em2", "em3", "em4", "FTFP_BERT", "FTFP_BERT_HP"]


class Physics(Description):
    """The physics of a simulation.

    Attributes:
        physics_list: `em0` to `em4` (Geant4's standard electromagnetic physics and its options; no hadronic
            reactions), `FTFP_BERT` or `FTFP_BERT_HP`.
        cut_mm: Production cut in range: secondaries that would not get so far are not made.
        birks_mm_per_mev: Birks' constant of the sensitive material (0.126 for polystyrene); the deposits are
            then what the scintillator shows. Scored step by step in Python, which is several times slower.
    """

    physics_list: PhysicsList = "em0"
    cut_mm: PositiveFloat = 0.7
    birks_mm_per_mev: PositiveFloat | None = None

    @property
    def is_hadronic(self) -> bool:
        """Whether hadrons react."""
        return self.physics_list.startswith("FTFP")

    @property
    def description(self) -> str:
        """The physics in words, for the file's `generator`."""
        lists = {
            "em0": "G4EmStandardPhysics",
            **{f"em{option}": f"G4EmStandardPhysics_option{option}" for option in range(1, 5)},
        }
        words = [lists.get(self.physics_list, self.physics_list), f"range cut {self.cut_mm:g} mm"]
        if self.birks_mm_per_mev is not None:
            words.append(f"Birks quenching {self.birks_mm_per_mev:g} mm/MeV")
        return ", ".join(words)
