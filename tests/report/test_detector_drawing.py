from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from calokit.cli.detectors import detectors
from calokit.detector import list_detectors, load_detector
from calokit.errors import DetectorError, OutputError
from calokit.report.figures.detector import draw_detector

LYSO_BLUE = np.array([0x3F, 0x90, 0xDA]) / 255
STEEL_GREY = np.array([0x71, 0x75, 0x81]) / 255
CELL_BLUE = np.array([0xDC, 0xEB, 0xF8]) / 255
FIRST_CELL_ORANGE = np.array([0xE7, 0x63, 0x00]) / 255


def share_of(image: np.ndarray, colour: np.ndarray) -> float:
    return float((np.abs(image[..., :3] - colour).max(axis=-1) < 0.01).mean())


@pytest.mark.parametrize(
    ("name", "passive_per_sensitive"),
    [("lhcb_ecal", 2.0 / 4.0), ("clic_ecal", 3.5 / 0.5), ("luxe_ecal", 3.5 / 0.32), ("par04_siw", 1.4 / 0.3)],
)
def test_materials_are_drawn_in_their_proportion(
    name: str, passive_per_sensitive: float, tmp_path: Path
) -> None:
    draw_detector(load_detector(name), tmp_path / "drawing.png")
    image = imread(tmp_path / "drawing.png")
    found = share_of(image, STEEL_GREY) / share_of(image, LYSO_BLUE)
    assert found == pytest.approx(passive_per_sensitive, rel=0.3)  # lines between slabs take some of the thin


def test_where_no_material_is_known_the_cells_alone_are_drawn(tmp_path: Path) -> None:
    draw_detector(load_detector("calochallenge_1_photons"), tmp_path / "drawing.png")
    image = imread(tmp_path / "drawing.png")
    assert share_of(image, CELL_BLUE) > 0.05
    assert 0.0 < share_of(image, FIRST_CELL_ORANGE) < share_of(image, CELL_BLUE)
    assert share_of(image, LYSO_BLUE) + share_of(image, STEEL_GREY) < 1e-4


def test_drawing_shows_the_materials(tmp_path: Path) -> None:
    draw_detector(load_detector("zdc_ecal"), tmp_path / "ecal.png")
    draw_detector(load_detector("zdc_ecal_hcal"), tmp_path / "hcal.png")
    ecal, hcal = imread(tmp_path / "ecal.png"), imread(tmp_path / "hcal.png")
    assert share_of(ecal, LYSO_BLUE) > 0.02
    assert share_of(ecal, STEEL_GREY) == pytest.approx(0.0, abs=1e-4)
    assert share_of(hcal, STEEL_GREY) > 0.1


def test_command_lists_every_detector_within_100_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    detectors()
    text = capsys.readouterr().out
    assert all(name in text for name in list_detectors())
    assert "102800" in text
    assert max(map(len, text.splitlines())) <= 100


def test_command_describes_and_draws_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    detectors("lhcb_ecal")
    assert list(tmp_path.iterdir()) == []
    assert "66 x (2 mm G4_Pb + 4 mm G4_POLYSTYRENE (sensitive))" in " ".join(capsys.readouterr().out.split())
    detectors("lhcb_ecal", Path("drawing.png"))
    assert (tmp_path / "drawing.png").stat().st_size > 10_000
    with pytest.raises(OutputError, match="folder"):
        detectors("lhcb_ecal", Path("nowhere/drawing.png"))
    with pytest.raises(DetectorError, match="--draw"):
        detectors(draw=Path("drawing.png"))
