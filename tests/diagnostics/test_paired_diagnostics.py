"""Maps of differing cells, displaced centres and mask values, on showers whose damage is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.diagnostics.cell_map import map_cells
from benchmarks.diagnostics.centres import centre_distances, true_centre_distances
from benchmarks.diagnostics.mask_values import mask_values
from benchmarks.diagnostics.paired_figures import draw_cell_map, draw_centre_distances, draw_mask_values
from calokit.bundles.bundle import Bundle
from calokit.detector import Detector
from calokit.errors import CalokitError, ConfigurationError
from calokit.models.families import build_model
from calokit.showers import open_showers
from made_up_runs import MakeFile, MakeShowers, tiny_recipe


def test_map_finds_the_damaged_cell(shower_file: MakeFile, make_showers: MakeShowers, zdc: Detector) -> None:
    showers = make_showers(600, 3)
    damaged = showers.energies.copy()
    damaged[:, 210] *= 3.0
    reference = open_showers(shower_file(showers=showers, name="a.h5"))
    generated = open_showers(shower_file(showers=replace(showers, energies=damaged), name="b.h5"))
    floor = open_showers(shower_file(showers=make_showers(600, 4), name="c.h5"))
    found = map_cells(reference, generated, 0.1, floor)
    assert int(np.nanargmax(found.separations)) == 210
    others = np.delete(found.separations, 210)
    assert float(np.nanmax(others)) == 0.0
    assert found.separations[210] > 3 * np.nanmax(found.floor)
    assert found.mean_energies.argmax() in (189, 190, 209, 210)
    assert len(draw_cell_map(found, zdc).axes) == 3


def test_centres_of_shifted_showers(shower_file: MakeFile, make_showers: MakeShowers) -> None:
    """Showers moved by two crystals along y lie 60.6 mm off."""
    showers = make_showers(100, 3)
    images = showers.images.copy()
    images[..., :2], images[..., -2:] = 0.0, 0.0
    whole = replace(showers, energies=images.reshape(100, 400))
    moved = replace(showers, energies=np.roll(images, 2, axis=3).reshape(100, 400))
    reference = open_showers(shower_file(showers=whole, name="a.h5"))
    found = centre_distances(reference, open_showers(shower_file(showers=moved, name="b.h5")), 0.1)
    np.testing.assert_allclose(found.distances, 60.6, rtol=1e-3)
    assert (found.empty, found.mean().error < 1e-3) == (0.0, True)
    assert float(centre_distances(reference, reference, 0.1).distances.max()) == 0.0
    other = open_showers(shower_file(100, seed=9, name="c.h5"))
    with pytest.raises(CalokitError, match="not of the incidents"):
        centre_distances(reference, other, 0.1)
    floor = true_centre_distances(make_showers(400, 7), make_showers(400, 8), 0.1)
    assert 0.0 < floor.mean().value < 20.0
    assert len(draw_centre_distances({"moved": found}, floor).axes[0].lines) == 2


def test_mask_values_of_an_untrained_network(shower_file: MakeFile, zdc: Detector) -> None:
    view = open_showers(shower_file(300))
    recipe = tiny_recipe("zdc_regression")
    model = build_model(recipe.model, zdc, 1)
    model.fit_transforms(view.read_all())
    bundle = Bundle(model.eval(), recipe, zdc, [], {})
    found = mask_values(bundle, view, 270)
    assert found.probabilities.shape == found.hits.shape == (270, 400)
    assert 0.0 < found.probabilities.min() < found.probabilities.max() < 1.0
    np.testing.assert_array_equal(found.hits, view.read(0, 270).energies > 0.1)
    axes = draw_mask_values(found.hits, {"untrained": found.probabilities}).axes[0]
    assert len(axes.patches) == 2
    flow = tiny_recipe("zdc_flow")
    with pytest.raises(ConfigurationError, match="has no mask"):
        mask_values(Bundle(build_model(flow.model, zdc, 1), flow, zdc, [], {}), view, 10)
