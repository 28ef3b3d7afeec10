"""Self-attention between the places of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

NARROWER = 8
"""Queries and keys have so many times fewer channels than the image."""


class SelfAttention(nn.Module):
    """Adds to each place what it looks up at all others, through a gate that starts at zero.

    o_j = gate sum_i softmax_i(query_j . key_i) value_i + x_j (SAGAN, arXiv:1805.08318, eq. 1 to 3), keys and
    values being the largest of 2 x 2 places, as its authors' code has them.

    Args:
        channels: Of the image, whose rows and columns are two or more.
        spectral: Divide every weight by its largest singular value.

    Example:
        >>> image = torch.rand(2, 16, 4, 4)  # event, channel, row, column
        >>> torch.equal(SelfAttention(16, spectral=True)(image), image)
        True
    """

    def __init__(self, channels: int, spectral: bool) -> None:
        super().__init__()
        narrow = max(1, channels // NARROWER)
        wrap = spectral_norm if spectral else nn.Identity()
        self.query = wrap(nn.Conv2d(channels, narrow, 1))
        self.key = wrap(nn.Conv2d(channels, narrow, 1, bias=False))  # a bias would change no softmax
        self.value = wrap(nn.Conv2d(channels, channels, 1))
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, image: Tensor) -> Tensor:
        """Return (event, channel, row, column) of the same."""
        query = self.query(image).flatten(2)
        key, value = (functional.max_pool2d(part(image), 2).flatten(2) for part in (self.key, self.value))
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=2)
        found = value @ weights.transpose(1, 2)
        return image + self.gate * found.view_as(image)
