"""Hexagonal tiles as the cells of a cascade: from the grid of a file to tiles and back."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from calokit.detector import load_detector
from calokit.errors import DetectorError
from calokit.models.batches import TrainingBatch
from calokit.models.cascade import surrogate
from calokit.models.cascade.planes import carry_shares, grow_trees
from calokit.models.cascade.threshold import choose_training_threshold
from calokit.models.cascade.tile_readout import TileReadout, lay_tiles
from models.cascade.test_cascade_surrogate import made_up, shaken

DETECTOR = load_detector("zdc_ecal_hcal")
CRYSTALS = 400


@pytest.fixture(scope="module")
def readout() -> TileReadout:
    return TileReadout(DETECTOR)


def there() -> torch.Tensor:
    """Return at which places there is a crystal or a tile (place,)."""
    section = DETECTOR.sections[1]
    tiles = [lay_tiles(section, layer).tiles >= 0 for layer in range(section.number_of_layers)]
    return torch.from_numpy(np.concatenate([np.ones(CRYSTALS, bool), *tiles]))


def test_what_tiles_hold_comes_back_from_the_cells_that_share_it(readout: TileReadout) -> None:
    known = there()
    drawn = torch.rand(5, readout.places, generator=torch.Generator().manual_seed(1)) * known
    drawn *= torch.rand(5, readout.places, generator=torch.Generator().manual_seed(2)) < 0.05
    cells = readout.spread(drawn)
    assert cells.shape == (5, DETECTOR.number_of_cells)
    assert torch.allclose(readout.gather(cells), drawn, atol=2e-6)
    assert torch.equal(cells[:, :CRYSTALS], drawn[:, :CRYSTALS])


def test_a_tile_counts_as_much_as_the_cell_that_gets_most_of_it(readout: TileReadout) -> None:
    places = there().nonzero()[:, 0][CRYSTALS::997]
    drawn = torch.zeros(len(places), readout.places)
    drawn[torch.arange(len(places)), places] = 2.5
    assert torch.allclose(readout.spread(drawn).amax(1), torch.tensor(2.5))


def test_a_threshold_is_chosen_by_what_tiles_hold(readout: TileReadout) -> None:
    energies = np.zeros((1, readout.places), np.float32)
    energies[0, 0], energies[0, CRYSTALS + 80 : CRYSTALS + 90] = 10.0, 0.03  # all of the tiles: 3.4 MeV
    worth = readout.worth.numpy()
    assert choose_training_threshold(energies) == 0.02
    energies[0, 0] = 1000.0
    assert choose_training_threshold(energies, worth) == 0.1
    energies[0, 0] = 50.0
    assert choose_training_threshold(energies) == 0.1
    assert choose_training_threshold(energies, worth) == 0.02


def test_nothing_is_spread_from_nothing(readout: TileReadout) -> None:
    assert not bool(readout.spread(torch.zeros(2, readout.places)).any())


@pytest.mark.parametrize("layer", range(4))
def test_every_tile_of_each_phase_has_a_place_near_it(layer: int) -> None:
    from calokit.detector.tile_sharing import share_matrix, tile_centres

    section = DETECTOR.sections[1]
    laid, centres = lay_tiles(section, layer), tile_centres(section, layer)
    known = laid.tiles >= 0
    assert sorted(laid.tiles[known]) == list(range(share_matrix(section, layer).shape[0]))
    x, y, _ = laid.grid.centres()
    assert section.tiles is not None
    assert np.allclose(x[known], centres[laid.tiles[known], 0], atol=1e-5)
    assert np.abs(y[known] - centres[laid.tiles[known], 1]).max() < section.tiles.side_mm / 2


def test_cells_as_large_as_tiles_are_refused() -> None:
    section = DETECTOR.sections[1]
    sizes = {"rows": 4, "columns": 4, "row_pitch_mm": 150.0, "column_pitch_mm": 150.0}
    readout = type(section.readout).model_validate({**section.readout.model_dump(), **sizes})
    coarse = section.model_copy(update={"readout": readout})
    detector = DETECTOR.model_copy(update={"sections": (DETECTOR.sections[0], coarse)})
    with pytest.raises(DetectorError, match="smaller cells"):
        TileReadout(detector)


def test_showers_have_hits_where_there_are_tiles_only() -> None:
    model = shaken(DETECTOR)
    incidents = TrainingBatch.of(made_up(DETECTOR, 6, seed=5)).incidents
    seen = model.seen(model.generate(incidents, torch.Generator().manual_seed(1)))
    assert bool((seen > 0.5 * model.threshold_mev).any())
    assert not bool((seen[:, ~there()] > 0).any())


def test_showers_are_written_as_they_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate, "SPREAD_SHOWERS", 2)
    model = shaken(DETECTOR)
    incidents = TrainingBatch.of(made_up(DETECTOR, 5, seed=5)).incidents
    noise = {"key": torch.arange(5)[:, None]}
    written = np.zeros((5, DETECTOR.number_of_cells), np.float32)
    model.write_showers(incidents, noise, written)
    assert np.allclose(written, model.showers(incidents, noise).numpy(), rtol=1e-3)
    assert written.any()


def test_layers_of_one_phase_share_a_plane_and_all_phases_the_networks() -> None:
    planes = grow_trees(DETECTOR).planes
    assert [len(plane.layers) for plane in planes] == [1, 16, 16, 16, 16]
    assert [plane.like for plane in planes] == [0, 1, 1, 1, 1]
    assert len({plane.tree.shapes for plane in planes[1:]}) == 1
    model = shaken(DETECTOR)
    names = [name for name in model.state_dict() if name.startswith("stages.")]
    assert {name.split(".")[1] for name in names} == {"0", "1"}
    copied = copy.deepcopy(model)
    assert copied.stages[2].networks is copied.stages[1].networks
    assert copied.stages[2].networks is not model.stages[2].networks


@pytest.mark.parametrize(("before", "layer"), [(0, 1), (1, 2), (2, 3), (4, 5)])
def test_what_tiles_hold_falls_on_the_tiles_behind_them(before: int, layer: int) -> None:
    tree = grow_trees(DETECTOR)
    source, target = (tree.planes[tree.plane_of[one]] for one in (before, layer))
    shares = carry_shares(source, target)
    (x, y, _), (there_x, there_y, _) = source.cell_centres.T, target.cell_centres.T
    inside = (np.abs(source.cell_centres[:, :2]) < 200).all(1)
    assert np.allclose(shares[:, inside].sum(0), 1.0)
    assert np.allclose((shares.T @ there_x)[inside], x[inside], atol=15.0)
    assert np.allclose((shares.T @ there_y)[inside], y[inside], atol=15.0)
    assert not shares[target.tree.capacity[target.tree.leaves] == 0].any()
