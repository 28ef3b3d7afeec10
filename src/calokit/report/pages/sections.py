"""A page of sections, each a table and figures, that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from calokit.files import write_bytes
from calokit.report.figures.style import embed_svg, figure_bytes


def render_sections(
    name: str, title: str, facts: Sequence[str], sections: Sequence[dict[str, Any]], note: str
) -> str:
    """Return a self-contained HTML page.

    Args:
        name: What the browser calls it.
        title: The headline.
        facts: Lines below the headline, the first one in full colour.
        sections: `title`, `head` and `rows` of a table (of text), and `figures` as `save_section_figure`
            returns them; `text` below the title where it has one.
        note: The last paragraph.
    """
    environment = Environment(
        loader=FunctionLoader(_read_template), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    template = environment.get_template("sections.html.j2")
    return template.render(name=name, title=title, facts=facts, sections=sections, note=note)


def save_section_figure(figure: Figure, key: str, folder: Path) -> dict[str, Any]:
    """Write a figure to `figures/KEY.svg` and `.pdf` in a folder, and return it for a section of the page."""
    drawn = figure_bytes(figure, "svg")
    write_bytes(folder / "figures" / f"{key}.svg", drawn)
    write_bytes(folder / "figures" / f"{key}.pdf", figure_bytes(figure, "pdf", 200.0))
    return {"key": key, "svg": Markup(embed_svg(drawn.decode(), key))}


def _read_template(name: str) -> str:
    return (resources.files("calokit.report") / "templates" / name).read_text(encoding="utf-8")
