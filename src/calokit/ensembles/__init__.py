"""Several models as one: members trained one after the other, each on what those before it miss."""

from calokit.ensembles.adagan import AdaganSettings, train_adagan

__all__ = ["AdaganSettings", "train_adagan"]
