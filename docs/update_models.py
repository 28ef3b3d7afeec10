"""Write the table and picture of docs/models.md from the shipped bundles: `python docs/update_models.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from page_tables import READ_OUT, TREES, beside_floor, fill, markdown, processor_time

from calokit.bundles.bundle import Bundle, read_bundle
from calokit.bundles.legs import cpu_minutes_in_all
from calokit.models.protocols import Surrogate

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "models.md"
PICTURE = HOME / "docs" / "images" / "models.png"


def judged() -> list[tuple[str, Bundle, dict[str, Any]]]:
    """Return every shipped surrogate with a scorecard: its name, itself, and the scorecard."""
    found = []
    for path in sorted((HOME / "zoo").glob("*.calokit")):
        bundle = read_bundle(path)
        if isinstance(bundle.model, Surrogate) and bundle.scorecard is not None:
            found.append((path.stem, bundle, bundle.scorecard))
    return found


def table() -> str:
    """Return every shipped surrogate: what it is, what training it took, and what judges and clocks say."""
    rows = [
        ["bundle", "detector", "family", "CPU min", "weights", "showers a class", "trees", "read out", "ms"]
    ]
    for name, bundle, card in judged():
        measured = card["measurements"]
        areas = [beside_floor(*measured[key]) if key in measured else "" for key in (TREES, READ_OUT)]
        rows.append(
            [
                f"`{name}`",
                bundle.detector.name,
                str(bundle.recipe.model.kind),
                f"{cpu_minutes_in_all(bundle.legs):.0f}",
                f"{sum(parameter.numel() for parameter in bundle.model.parameters()):,}",
                f"{card['test_showers']:,}",
                *areas,
                processor_time(name)[0],
            ]
        )
    return markdown(rows)


def draw_picture() -> None:
    """Draw time a shower against the largest area of all classifiers, one colour a detector."""
    from calokit.report.figures.style import colour_of, figure_style, fix_layout, new_plot, save_figure

    shown = [
        (name, bundle.detector.name, card)
        for name, bundle, card in judged()
        if TREES in card["measurements"] and processor_time(name)[0]
    ]
    detectors = list(dict.fromkeys(detector for _, detector, _ in shown))
    with figure_style():
        figure = new_plot(6.4, 4.6)
        axes = figure.subplots()
        areas, times = [], [float(processor_time(name)[0]) for name, _, _ in shown]
        for _, _, card in shown:
            own = {key: one for key, one in card["measurements"].items() if key.startswith("classifier.auc")}
            areas.append(max(own.values(), key=lambda one: float(one[0])))
        for (name, detector, _), area, time in zip(shown, areas, times, strict=True):
            value, error, floor, floor_error = area
            colour = colour_of(detectors.index(detector))
            axes.errorbar(time, value, yerr=error, color=colour, marker="o", linestyle="none")
            axes.errorbar(
                time, floor, yerr=floor_error, color=colour, marker="_", alpha=0.5, linestyle="none"
            )
            # a name stands where no point is, and no other's name
            others = [(other / time, one[0] - value) for one, other in zip(areas, times, strict=True)]
            above = any(1.0 < there < 2.0 and -0.003 < higher < 0.05 for there, higher in others)
            beside = any(0.5 < there < 1.0 and 0.0 < higher < 0.03 for there, higher in others)
            last = time == max(times)
            place = (-6 if last else 6, -12 if above else -4 if beside else 5)
            side = "right" if last else "left"
            axes.annotate(name, (time, value), textcoords="offset points", xytext=place, ha=side, fontsize=9)
        axes.axhline(0.5, color="0.5", linewidth=0.8)
        axes.set_xscale("log")
        axes.set_xlabel("processor time of a shower (ms, batch 10,000, one core)")
        axes.set_ylabel("largest AUC of all classifiers (bars: truth against truth)")
        axes.margins(x=0.3, y=0.15)
        fix_layout(figure)
    save_figure(figure, PICTURE)


TABLES: dict[str, Callable[[], str]] = {"table": table}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
    draw_picture()
