"""Several models as one: members trained one after the other, each on what those before it miss."""

from calokit.ensembles.adagan import train_adagan
from calokit.ensembles.settings import AdaganSettings

__all__ = ["AdaganSettings", "train_adagan"]
