"""Cell volumes against the detectors' own edges, and what is packed for the event display."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.detector.cell_volumes import cell_volumes, outline_detector, place_layers
from calokit.detector.library import list_detectors
from calokit.errors import CalokitError
from calokit.evaluation.scorecard import ShowerHits
from calokit.report.compared import ComparedCards
from calokit.report.figures.side_views import draw_side_views, has_depth, project_sideways
from calokit.report.pages.event_display import pack_display
from made_up_scorecards import make_display_card, make_hits, make_scorecard


@pytest.fixture(scope="module", params=list_detectors())
def detector(request):
    return load_detector(request.param)


def grids_of(detector):
    return [grid for s in detector.sections for grid in s.readout.grids(s.number_of_layers)]


def unpack(text, kind, *shape):
    return np.frombuffer(base64.b64decode(text), kind).reshape(*shape)


def test_every_cell_has_the_volume_and_layer_that_the_detector_says(detector):
    volumes = cell_volumes(detector)
    depths, _ = place_layers(detector)
    assert len(volumes) == detector.number_of_cells
    np.testing.assert_array_equal(volumes.layer, detector.cells.layer)
    areas = np.concatenate([grid.areas() for grid in grids_of(detector)])
    np.testing.assert_allclose(volumes.volumes(), areas * np.diff(depths)[volumes.layer, 0], rtol=1e-12)
    if volumes.to_scale:
        np.testing.assert_allclose(volumes.volumes(), detector.cells.volume, rtol=1e-12)


def test_every_cell_lies_where_the_detector_puts_it(detector):
    volumes, cells = cell_volumes(detector), detector.cells
    middle = (volumes.low + volumes.high) / 2
    box = ~volumes.is_sector
    np.testing.assert_allclose(middle[box, :2], np.column_stack([cells.x, cells.y])[box], atol=1e-9)
    angle, radius = middle[~box, 0], middle[~box, 1]
    np.testing.assert_allclose(radius, cells.radius[~box], atol=1e-9)
    ring = np.isclose(volumes.high[~box, 0] - volumes.low[~box, 0], 2 * np.pi)
    around = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])[~ring]
    np.testing.assert_allclose(around, np.column_stack([cells.x, cells.y])[~box][~ring], atol=1e-9)
    if volumes.to_scale:
        np.testing.assert_allclose(middle[:, 2], cells.z, atol=1e-9)


def test_cells_of_a_layer_fill_it_without_overlap(detector):
    volumes = cell_volumes(detector)
    for layer in {0, detector.number_of_layers - 1}:
        low, high = volumes.low[volumes.layer == layer], volumes.high[volumes.layer == layer]
        lower, upper = np.unique(low, axis=0), np.unique(high, axis=0)
        assert len(lower) == len(upper) == len(low)
        for axis in (0, 1):
            begins, ends = np.unique(low[:, axis]), np.unique(high[:, axis])
            np.testing.assert_array_equal(begins[1:], ends[:-1])


def test_outline_encloses_the_cells_closely(detector):
    volumes, outline = cell_volumes(detector), outline_detector(detector)
    assert outline.shape[1:] == (2, 3)
    assert outline[..., 2].min() == volumes.low[:, 2].min()
    assert outline[..., 2].max() == volumes.high[:, 2].max()
    if volumes.is_sector.all():
        reach = np.hypot(outline[..., 0], outline[..., 1]).max()
        assert reach == pytest.approx(volumes.high[:, 1].max())
    else:
        np.testing.assert_allclose(outline[..., :2].min(axis=(0, 1)), volumes.low[:, :2].min(axis=0))
        np.testing.assert_allclose(outline[..., :2].max(axis=(0, 1)), volumes.high[:, :2].max(axis=0))


def test_layers_of_unknown_depth_stand_behind_each_other():
    detector = load_detector("calochallenge_1_photons")
    depths, to_scale = place_layers(detector)
    assert not to_scale
    np.testing.assert_array_equal(depths[1:, 0], depths[:-1, 1])
    np.testing.assert_allclose(np.diff(depths)[:, 0], np.diff(depths)[0, 0])


def test_packed_display_gives_back_hits_and_volumes():
    detector = load_detector("par04_siw")
    card = make_display_card(detector, events=2, hits=50)
    content = json.loads(pack_display(ComparedCards.of(card)).text)
    used = np.unique([c for e in card.hits for s in (e.reference, e.generated) for c in s.cells])
    volumes = cell_volumes(detector)
    cells = content["cells"]
    np.testing.assert_array_equal(unpack(cells["low"], "<f4", -1, 3), volumes.low[used].astype("f4"))
    np.testing.assert_array_equal(unpack(cells["high"], "<f4", -1, 3), volumes.high[used].astype("f4"))
    np.testing.assert_array_equal(unpack(cells["layer"], "<u4", -1), volumes.layer[used])
    assert unpack(cells["sector"], "u1", -1).all()
    for event, packed in zip(card.hits, content["events"], strict=True):
        for shower, side in (
            (event.reference, packed["reference"]),
            (event.generated, packed["generated"][0]),
        ):
            np.testing.assert_array_equal(used[unpack(side["cells"], "<u4", -1)], shower.cells)
            energies = unpack(side["energies"], "<f4", -1)
            np.testing.assert_allclose(energies, shower.energies_mev, rtol=1e-6)
            assert (side["hits"], side["energy"]) == (shower.hits, shower.energy_mev)
    assert content["segments"] == 4
    assert content["sections"] == [{"name": "ECAL", "first": 0, "last": 44}]


def test_second_sample_joins_with_the_incidents_it_shares():
    detector = load_detector("clic_ecal")
    card = make_display_card(detector, events=2)
    other = card.model_copy(
        update={
            "generated": card.generated.model_copy(update={"label": "</script><b>"}),
            "hits": make_hits(detector, events=1, seed=8),
        }
    )
    text = pack_display(ComparedCards.of(card, other)).text
    assert not set("<>&") & set(text)
    events = json.loads(text)["events"]
    assert [[side is None for side in event["generated"]] for event in events] == [
        [False, False],
        [False, True],
    ]
    assert ComparedCards.of(card, other).incidents == [(card.hits[0], other.hits[0]), (card.hits[1], None)]


@pytest.mark.parametrize("hits", [{"cells": [400]}, {"cells": [-1]}, {"energies_mev": [1.0, 2.0]}])
def test_hits_that_do_not_fit_the_detector_are_refused(zdc, hits):
    card = make_display_card(zdc, events=1)
    wrong = ShowerHits(**({"cells": [3], "energies_mev": [1.0], "hits": 1, "energy_mev": 1.0} | hits))
    event = card.hits[0].model_copy(update={"generated": wrong})
    with pytest.raises(CalokitError, match=r"do not fit 'zdc_ecal', which has 400 cells"):
        pack_display(ComparedCards.of(card.model_copy(update={"hits": [event]})))


def test_display_needs_hits_and_a_detector(zdc):
    card = make_display_card(zdc, events=1)
    assert ComparedCards.of(card).leading is card
    bare = [make_scorecard(showers=60, events=0), card.model_copy(update={"detector_description": None})]
    for one in bare:
        assert ComparedCards.of(one).leading is None
        with pytest.raises(CalokitError, match="no scorecard has hits"):
            pack_display(ComparedCards.of(one))
    assert not has_depth(ComparedCards.of(card))


def test_side_views_sum_over_the_line_of_sight():
    detector = load_detector("clic_ecal")
    volumes = cell_volumes(detector)
    shower = ShowerHits(cells=[0, 1, 25, 625], energies_mev=[1.0, 2.0, 4.0, 8.0], hits=4, energy_mev=15.0)
    bins, energies = project_sideways(shower, volumes)
    pitch, depth = 127.5 / 25, 5.0
    expected = {(0.0, 0): 3.0, (0.0, 1): 4.0, (depth, 0): 8.0}
    found = {}
    for (front, back, low, high), energy in zip(bins, energies, strict=True):
        assert back - front == pytest.approx(depth)
        assert high - low == pytest.approx(pitch)
        found[round(float(front), 6), round((float(low) + 63.75) / pitch)] = float(energy)
    assert found == expected


def test_side_views_of_sectors_show_radii():
    detector = load_detector("par04_siw")
    card = make_display_card(detector, events=2, hits=80)
    figure = draw_side_views(ComparedCards.of(card))
    panels = np.array(figure.axes[:4]).reshape(2, 2)
    assert panels[0, 0].get_ylabel() == "10 GeV\nr (mm)"
    assert panels[1, 0].get_xlabel() == "z (mm)"
    assert [axes.get_title() for axes in panels[0]] == ["Geant4", "zdc_flow"]
    for axes, shower in zip(panels[1], (card.hits[1].reference, card.hits[1].generated), strict=True):
        assert axes.collections[0].get_array().sum() == pytest.approx(sum(shower.energies_mev))
