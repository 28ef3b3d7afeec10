"""Cell numbers of DD4hep, taken apart by the encoding string that their file or detector gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calokit.errors import ConfigurationError, suggest_near_miss


@dataclass(frozen=True)
class BitField:
    """One field of a cell number: where its bits begin, how many they are, and whether they have a sign."""

    offset: int
    width: int
    signed: bool


@dataclass(frozen=True)
class CellIdEncoding:
    """The fields of a 64-bit cell number.

    Attributes:
        fields: Each field by its name.

    Example:
        >>> encoding = CellIdEncoding.parse("system:8,layer:8,x:32:-16,y:-16")
        >>> number = np.array([3 | 7 << 8 | (2**16 - 5) << 32 | 6 << 48], dtype=np.uint64)
        >>> [int(encoding.decode(number, name)[0]) for name in ("system", "layer", "x", "y")]
        [3, 7, -5, 6]
    """

    fields: dict[str, BitField]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an encoding string: `name:width` or `name:offset:width`, separated by commas.

        A field without an offset begins where the field before it ends; a negative width means a signed
        field (two's complement).

        Raises:
            ConfigurationError: The string is not of this form, or fields overlap or leave the 64 bits.
        """
        fields: dict[str, BitField] = {}
        next_free, taken = 0, 0
        for part in text.split(","):
            name, *numbers = (word.strip() for word in part.split(":"))
            try:
                values = [int(number) for number in numbers]
            except ValueError:
                values = []
            if not name or not 1 <= len(values) <= 2 or values[-1] == 0:
                raise ConfigurationError(
                    f"cell-id encoding {text!r}: {part!r} is not name:width or name:offset:width."
                )
            offset = values[0] if len(values) == 2 else next_free
            width = abs(values[-1])
            bits = ((1 << width) - 1) << max(offset, 0)
            if offset < 0 or offset + width > 64 or bits & taken or name in fields:
                raise ConfigurationError(
                    f"cell-id encoding {text!r}: field {name!r} overlaps another, or leaves the 64 bits."
                )
            fields[name] = BitField(offset, width, values[-1] < 0)
            taken |= bits
            next_free = offset + width
        return cls(fields)

    def decode(self, cell_ids: NDArray[Any], name: str) -> NDArray[np.int64]:
        """Return one field of each cell number (cell number,).

        Raises:
            ConfigurationError: The encoding has no such field.
        """
        if name not in self.fields:
            raise ConfigurationError(
                f"the cell-id encoding has no field {name!r}. {suggest_near_miss(name, self.fields)}"
            )
        field = self.fields[name]
        ids = np.asarray(cell_ids).astype(np.uint64, copy=False)
        raised = ids << np.uint64(64 - field.offset - field.width)
        if field.signed:
            return raised.view(np.int64) >> np.int64(64 - field.width)
        return (raised >> np.uint64(64 - field.width)).astype(np.int64)
