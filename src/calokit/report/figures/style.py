"""The look of every figure: mplhep style, a palette safe for colour-blind readers, and writing to files."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import mplhep
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, ScalarFormatter

from calokit.errors import CalokitError
from calokit.files import write_bytes

GENERATED_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, as given by Wong, Nature Methods 8 (2011) 441, without black and yellow."""
GENERATED_LINES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
REFERENCE_FILL = "#D9D9D9"
REFERENCE_LINE = "#4D4D4D"
FLOOR_LINE = "#000000"

_DECADES_WITH_POWERS = 2.5
"""From so many decades on, whole powers of ten are enough numbers along an axis."""
_PIXELS_PER_INCH = 110
"""Largest size of a figure on a page."""

_FORMATS: dict[str, tuple[type[FigureCanvasBase], tuple[str, ...]]] = {
    "png": (FigureCanvasAgg, ("Software",)),
    "pdf": (FigureCanvasPdf, ("CreationDate", "Creator", "Producer")),
    "svg": (FigureCanvasSVG, ("Date", "Creator", "Format", "Type")),
}
"""What draws each kind of file, and what is left out of it so that equal figures are equal files."""

_OVERRIDES = {
    "font.size": 10,
    "font.sans-serif": ["TeX Gyre Heros", "DejaVu Sans"],
    "axes.titlesize": 10,
    "axes.labelsize": 11,
    "axes.labelpad": 4,
    "axes.linewidth": 0.8,
    "axes.autolimit_mode": "data",
    "axes.formatter.limits": [-3, 4],
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.major.size": 5,
    "xtick.minor.size": 2.5,
    "ytick.major.size": 5,
    "ytick.minor.size": 2.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.fontsize": 9,
    "legend.borderpad": 0.4,
    "mathtext.default": "regular",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Set mplhep's ATLAS style with sizes for a page, inside the block only."""
    style: Any = {**mplhep.style.ATLAS, **_OVERRIDES}
    with mpl.rc_context(style):
        yield


def new_plot(width: float, height: float, margins: Mapping[str, float] | None = None) -> Figure:
    """Return an empty figure for a plot with panels that touch, of a size in inches, drawn by Agg.

    Args:
        width: In inches.
        height: In inches.
        margins: Where the panels stand, as `Figure.subplots_adjust` takes it; None measures all text, which
            takes about as long as drawing it.
    """
    if margins is None:
        figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.03, hspace=0.0))
    else:
        figure = Figure(figsize=(width, height))
        figure.subplots_adjust(**margins)
    FigureCanvasAgg(figure)
    return figure


def new_image_grid(width: float, height: float) -> Figure:
    """Return an empty figure for rows of images of equal scales, which stand close to each other."""
    figure = Figure(figsize=(width, height), layout="compressed")
    FigureCanvasAgg(figure)
    return figure


def fix_layout(figure: Figure) -> None:
    """Lay a finished figure out once, so that writing it to several formats need not do so again."""
    for axes in figure.axes:
        _write_numbers_plainly(axes)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def has_power(axis: Axis) -> bool:
    """Tell whether a power of ten, by which to multiply its numbers, stands at the end of an axis."""
    formatter = axis.get_major_formatter()
    formatter.set_locs(list(axis.get_majorticklocs()))
    return bool(formatter.get_offset())


def label_decades(axis: Axis, lowest: float, highest: float) -> None:
    """Label a logarithmic axis with few enough numbers that they do not touch.

    Args:
        axis: The axis, already logarithmic.
        lowest: Its lower end, positive.
        highest: Its upper end.
    """
    decades = math.log10(highest / lowest)
    axis.set_minor_formatter(NullFormatter())
    if decades >= _DECADES_WITH_POWERS:
        return
    steps = (1.0, 2.0, 5.0) if decades < 1.0 else (1.0, 3.0)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def plain_label(label: str) -> str:
    """Return a name that matplotlib shows letter by letter, and that no legend leaves out.

    Example:
        >>> len(plain_label("a$b")), plain_label("_new").endswith("_new"), plain_label("_new")[0] == "_"
        (4, True, False)
    """
    escaped = label.replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped


def short_label(label: str, letters: int) -> str:
    """Return a name of at most so many letters, with its begin and its end.

    Example:
        >>> short_label("zdc_flow", 12), short_label("zdc_flow_of_many_steps", 12)
        ('zdc_flow', 'zdc_fl…steps')
    """
    if len(label) <= letters:
        return label
    end = (letters - 1) // 2
    return f"{label[: letters - 1 - end]}…{label[-end:]}"


def colour_of(index: int) -> str:
    """Return the colour of the generated sample of that place; the palette begins again after six."""
    return GENERATED_COLOURS[index % len(GENERATED_COLOURS)]


def line_of(index: int) -> str | tuple[int, tuple[int, ...]]:
    """Return the line style of the generated sample of that place."""
    return GENERATED_LINES[index % len(GENERATED_LINES)]


def figure_bytes(figure: Figure, suffix: str, resolution: float = 150.0) -> bytes:
    """Write a figure to bytes.

    Args:
        figure: What to write.
        suffix: `png`, `pdf` or `svg`.
        resolution: Dots per inch of a PNG, and of the images inside a PDF or SVG.

    Returns:
        The file's content, equal for equal figures (no date is written).

    Raises:
        CalokitError: The suffix is none of the three.
    """
    if suffix not in _FORMATS:
        raise CalokitError(f"figures are written as {', '.join(_FORMATS)}, not as {suffix!r}.")
    canvas, left_out = _FORMATS[suffix]
    stream = io.BytesIO()
    shown_on, before = figure.canvas, figure.dpi
    with figure_style(), mpl.rc_context({"svg.hashsalt": "calokit"}):
        try:
            figure.dpi = resolution
            # `figure.savefig` would draw everything twice.
            getattr(canvas(figure), f"print_{suffix}")(stream, metadata=dict.fromkeys(left_out))
        finally:
            figure.dpi = before
            figure.set_canvas(shown_on)
    return stream.getvalue()


def figure_svg(figure: Figure, name: str, resolution: float = 150.0) -> str:
    """Return a figure as an SVG element for the inside of an HTML page.

    Args:
        figure: What to write.
        name: Set before every identifier, so that several figures may stand on one page.
        resolution: Dots per inch of the images inside.

    Returns:
        Text from `<svg` to `</svg>`, with a largest width but no fixed size.
    """
    return embed_svg(figure_bytes(figure, "svg", resolution).decode(), name)


def embed_svg(text: str, name: str) -> str:
    """Turn an SVG file of `figure_bytes` into what `figure_svg` returns."""
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?)\swidth="([\d.]+)pt"', _limit_width, text, count=1)
    text = re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", text, count=1)
    return _shorten_svg(text, name)


def save_figure(figure: Figure, path: Path, resolution: float = 200.0) -> None:
    """Write a figure to a PNG, PDF or SVG file, by the name's ending, whole or not at all.

    Args:
        figure: What to write.
        path: Where; its folder is made where it is missing.
        resolution: Dots per inch of a PNG, and of the images inside a PDF or SVG.

    Raises:
        CalokitError: The name ends in something else.
    """
    write_bytes(path, figure_bytes(figure, path.suffix.removeprefix("."), resolution))


def _write_numbers_plainly(axes: Axes) -> None:
    """Keep mathematical text, which takes long to parse, to axes that have a power of ten at their end."""
    for axis in (axes.xaxis, axes.yaxis):
        formatter = axis.get_major_formatter()
        if isinstance(formatter, ScalarFormatter):
            formatter.set_useMathText(has_power(axis))


def _limit_width(begin: re.Match[str]) -> str:
    """Let a figure fill the width that there is, up to a largest one."""
    return f'{begin[1]} style="max-width: {round(float(begin[2]) / 72.0 * _PIXELS_PER_INCH)}px"'


def _shorten_svg(text: str, name: str) -> str:
    """Leave out of an SVG what a page does not need, and number its identifiers, the name set before each."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r">\s+<", "><", text).replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    text = re.sub(r' (?:d|x|y)="[^"]*"', _shorten_numbers, text).replace("xlink:href", "href")
    used = dict.fromkeys(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    numbers = {one or other: f"{name}-{number}" for number, (one, other) in enumerate(used)}
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{numbers[m[1]]}"' if m[1] in numbers else "", text)
    text = re.sub(r'href="#([^"]+)"', lambda m: f'href="#{numbers[m[1]]}"', text)
    return re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{numbers[m[1]]})", text)


def _shorten_numbers(attribute: re.Match[str]) -> str:
    """Cut the coordinates in an attribute to a hundredth of a point, and its line ends to spaces."""
    return re.sub(r"\s+", " ", re.sub(r"(\.\d{2})\d+", r"\1", attribute.group()))
