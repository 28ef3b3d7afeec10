"""Foreign showers in: readers of other groups' files, one a format, and the conversion to native ones."""

from calokit.showers.formats.convert import Conversion, convert_file, open_foreign, write_native
from calokit.showers.formats.lhcb_export import write_lhcb
from calokit.showers.formats.mapping.hit_mapping import HitMapping
from calokit.showers.formats.mapping.mapping import OwnMapping, read_mapping
from calokit.showers.formats.registry import FORMATS, find_format
from calokit.showers.formats.showerdata_export import write_showerdata
from calokit.showers.formats.source import Choices, ForeignShowers, Format

__all__ = [
    "FORMATS",
    "Choices",
    "Conversion",
    "ForeignShowers",
    "Format",
    "HitMapping",
    "OwnMapping",
    "convert_file",
    "find_format",
    "open_foreign",
    "read_mapping",
    "write_lhcb",
    "write_native",
    "write_showerdata",
]
