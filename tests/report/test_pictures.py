"""The main figures beside pictures that a person has looked at.

`CALOKIT_WRITE_BASELINES=1 pytest tests/report/test_pictures.py` writes them anew; look at each one then.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread, imsave
from numpy.typing import NDArray

from calokit.detector import load_detector
from calokit.evaluation.estimates.single import EnergyErrors
from calokit.evaluation.scorecard import Scorecard
from calokit.report.compared import ComparedCards
from calokit.report.figures.catalogue import (
    draw_curve,
    draw_events,
    draw_hero,
    draw_mean_image,
    draw_pareto,
    draw_side_views,
    draw_spectrum,
)
from calokit.report.figures.detector import draw_detector
from calokit.report.figures.resolution import draw_residuals, draw_resolution
from calokit.report.figures.style import figure_bytes, figure_style
from made_up_scorecards import make_display_card, make_scorecard

BASELINES = Path(__file__).parent / "baselines"
WRITE = bool(os.environ.get("CALOKIT_WRITE_BASELINES"))
DOTS_PER_INCH = 45
TOLERANCE = 0.03
"""Root mean square difference of a colour (0 to 1) that fonts and versions may make; see the last test."""


@cache
def card(label: str, width: float) -> Scorecard:
    return make_scorecard(label, width=width, showers=600, events=3)


def compared(width: float = 1.25) -> ComparedCards:
    """Two samples, one as truth and one too wide, of different times."""
    alike, wide = card("flow", 1.0), card("gan", width)
    fast = wide.generated.model_copy(update={"milliseconds_per_shower": 0.004 * width})
    return ComparedCards.of(alike, wide.model_copy(update={"generated": fast}))


def slower() -> ComparedCards:
    """The same, the second of them as slow as the reference."""
    alike, wide = compared().cards
    slow = wide.generated.model_copy(update={"milliseconds_per_shower": 400.0})
    return ComparedCards.of(alike, wide.model_copy(update={"generated": slow}))


def display(seed: int = 3) -> ComparedCards:
    return ComparedCards.of(make_display_card(load_detector("zdc_ecal_hcal"), events=2, seed=seed))


def estimates(width: float = 0.06) -> dict[str, EnergyErrors]:
    rng = np.random.default_rng(3)
    true = np.repeat([2.0e3, 5.0e3, 10.0e3, 20.0e3], 400)
    spread = np.sqrt(true * 1e3)
    return {
        name: EnergyErrors.of(true + part * spread * rng.standard_normal(len(true)), true)
        for name, part in (("calibrated sum", 0.1), ("network", width))
    }


def residuals(width: float = 1.0) -> dict[str, dict[str, NDArray[np.float64]]]:
    rng = np.random.default_rng(4)
    return {
        f"{axis} (mm)": {
            "log-weighted fit": 2.0 * rng.standard_normal(2000),
            "network": width * rng.standard_normal(2000),
        }
        for axis in "xy"
    }


def in_style(draw: Callable[[], Figure]) -> Figure:
    with figure_style():
        return draw()


FIGURES: dict[str, tuple[Callable[[], Figure], Callable[[], Figure]]] = {
    "curve": (lambda: draw_curve(compared(), "response"), lambda: draw_curve(compared(1.6), "resolution")),
    "spectrum": (
        lambda: draw_spectrum(compared(), "width_x"),
        lambda: draw_spectrum(compared(1.6), "width_x"),
    ),
    "mean_image": (
        lambda: draw_mean_image(compared(), "layer_0"),
        lambda: draw_mean_image(compared(1.02), "layer_0"),
    ),
    "events": (lambda: draw_events(compared()), lambda: draw_events(compared(2.0))),
    "hero": (lambda: draw_hero(compared().cards[1]), lambda: draw_hero(compared(2.0).cards[1])),
    "pareto": (lambda: draw_pareto(compared()), lambda: draw_pareto(slower())),
    "side_views": (lambda: draw_side_views(display()), lambda: draw_side_views(display(4))),
    "resolution": (
        lambda: in_style(lambda: draw_resolution(estimates(), "calibrated sum")),
        lambda: in_style(lambda: draw_resolution(estimates(0.12), "calibrated sum")),
    ),
    "residuals": (
        lambda: in_style(lambda: draw_residuals(residuals())),
        lambda: in_style(lambda: draw_residuals(residuals(1.6))),
    ),
}
"""By name the figure, and one of other numbers that must not pass for it."""


def picture_of(figure: Figure) -> NDArray[np.float32]:
    """Return a figure's pixels (row, column, colour), 0 to 1."""
    pixels: NDArray[np.float32] = imread(io.BytesIO(figure_bytes(figure, "png", DOTS_PER_INCH)))
    return pixels[:, :, :3]


def difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the root mean square difference of blocks of 3 x 3 pixels, so that edges may move a little."""
    if any(abs(a - b) > 3 for a, b in zip(one.shape, other.shape, strict=True)):
        return 1.0
    rows, columns = (3 * (min(a, b) // 3) for a, b in zip(one.shape[:2], other.shape[:2], strict=True))
    blocks = [
        image[:rows, :columns].reshape(rows // 3, 3, columns // 3, 3, 3).mean(axis=(1, 3))
        for image in (one, other)
    ]
    return float(np.sqrt(((blocks[0] - blocks[1]) ** 2).mean()))


def check(name: str, drawn: NDArray[np.float32]) -> None:
    path = BASELINES / f"{name}.png"
    if WRITE:
        imsave(path, drawn)
    found = difference(drawn, imread(path)[:, :, :3])
    assert found < TOLERANCE, f"{name} differs from its baseline by {found:.3f}"


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_as_it_was_and_another_is_not(name: str) -> None:
    draw, draw_other = FIGURES[name]
    drawn = picture_of(draw())
    check(name, drawn)
    assert difference(drawn, picture_of(draw_other())) > TOLERANCE


def test_drawings_of_detectors_are_as_they_were(tmp_path: Path) -> None:
    drawn = {}
    for name in ("zdc_ecal_hcal", "calochallenge_1_photons"):
        draw_detector(load_detector(name), tmp_path / "drawn.png")
        pixels = imread(tmp_path / "drawn.png")[:, :, :3]
        drawn[name] = pixels[::4, ::4].copy()
        check(f"detector_{name}", drawn[name])
    assert difference(*drawn.values()) > TOLERANCE


def test_baselines_are_small() -> None:
    assert sum(path.stat().st_size for path in BASELINES.glob("*.png")) < 300_000
    known = {*FIGURES, "detector_zdc_ecal_hcal", "detector_calochallenge_1_photons"}
    assert {path.stem for path in BASELINES.glob("*.png")} == known
