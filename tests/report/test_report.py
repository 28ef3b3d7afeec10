from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from matplotlib import colors
from matplotlib.collections import QuadMesh
from matplotlib.patches import StepPatch

from calokit.errors import CalokitError
from calokit.evaluation import EvaluationSettings, evaluate_showers
from calokit.evaluation.scorecard import Curve, ImagePair, Spectrum, Verdict, read_scorecard
from calokit.report.compared import ComparedCards
from calokit.report.figures.catalogue import (
    draw_curve,
    draw_events,
    draw_hero,
    draw_mean_image,
    draw_pareto,
    draw_spectrum,
    figure_bytes,
    figure_svg,
    list_figures,
    save_figure,
)
from calokit.report.figures.style import GENERATED_COLOURS
from calokit.report.pages.comparison import write_report
from calokit.report.pages.contents import build_pages, describe_outcome, describe_settings
from calokit.report.topics import MORE, page_of
from calokit.showers import open_showers
from made_up_runs import calling
from made_up_scorecards import make_scorecard, with_measurements
from quick_judges import quick_judges


@pytest.fixture(scope="module")
def card():
    """Return a scorecard with one figure of each kind, so that reports are quick to draw."""
    whole = make_scorecard(showers=300, events=2)
    return whole.model_copy(update={"spectra": whole.spectra[:1], "curves": whole.curves[:1]})


@pytest.fixture(scope="module")
def report(card, tmp_path_factory):
    return write_report(ComparedCards.of(card), tmp_path_factory.mktemp("report"))


def test_settings_that_were_left_open_say_what_that_means(card):
    open_settings = {"cells": None, "readout": None, "challenge_patience": None}
    one = card.model_copy(update={"settings": open_settings})
    assert describe_settings(ComparedCards.of(one)) == [
        ("Cells", "chosen from the reference"),
        ("Readout", "none"),
        ("Challenge patience", "none: every epoch is gone through"),
    ]
    behind = card.model_copy(update={"settings": {"readout": {"noise": 0.5, "threshold": 2.0}}})
    assert describe_settings(ComparedCards.of(behind)) == [("Readout", "noise 0.5, threshold 2.0")]


def test_drawing_figures_shows_how_far_it_is(card, tmp_path):
    told = []
    begun = []

    def note(n, _):
        told.append(n)

    def progress(total, description, unit, done=0):
        begun.append((total, description, unit))
        return calling(note)(total, description, unit, done)

    compared = ComparedCards.of(card)
    write_report(compared, tmp_path, progress)
    figures = len(list_figures(compared))
    assert begun == [(figures, "drawing the report", "figures")]
    assert told == [1] * figures


def known_pair(card, kind):
    """Return the card with one spectrum or curve of known ratios 0.9, 1.1, 1.05 and an empty bin."""
    common = {
        "name": "known", "title": "known", "x_label": "energy (GeV)", "edges": [0.0, 1.0, 2.0, 3.0, 5.0],
        "reference": [10.0, 20.0, 40.0, 0.0], "reference_error": [1.0, 1.0, 1.0, 0.0],
        "generated": [9.0, 22.0, 42.0, 0.0], "generated_error": [0.5, 1.0, 2.0, 0.0],
    }  # fmt: skip
    if kind == "spectrum":
        separation = dict.fromkeys(
            ("separation", "separation_error", "separation_floor", "separation_floor_error"), 1e-3
        )
        return card.model_copy(update={"spectra": [Spectrum(**common, **separation)]})
    return card.model_copy(update={"curves": [Curve(**common, y_label="hits")]})


def test_ratio_panel_of_a_spectrum_shows_generated_over_reference(card):
    figure = draw_spectrum(ComparedCards.of(known_pair(card, "spectrum")), "known")
    main, ratio = figure.axes
    (line,) = [p for p in ratio.patches if isinstance(p, StepPatch)]
    np.testing.assert_allclose(line.get_data().values, [0.9, 1.1, 1.05, np.nan])
    assert colors.to_hex(line.get_edgecolor()).upper() == GENERATED_COLOURS[0]
    drawn = [p.get_data().values for p in main.patches if isinstance(p, StepPatch)]
    np.testing.assert_allclose(drawn, [[10, 20, 40, 0], [10, 20, 40, 0], [9, 22, 42, 0]])
    reference_band, generated_band = (c.get_paths()[0].vertices for c in ratio.collections)
    assert heights_at(reference_band, 0.5) == pytest.approx((0.9, 1.1))
    assert heights_at(reference_band, 2.5) == pytest.approx((1 - 1 / 40, 1 + 1 / 40))
    assert heights_at(generated_band, 0.5) == pytest.approx((0.85, 0.95))
    assert heights_at(generated_band, 1.5) == pytest.approx((1.05, 1.15))
    assert main.get_ylabel() == "probability density (1/GeV)"
    assert "separation" in main.get_legend().get_texts()[1].get_text()


def heights_at(vertices, x):
    """Return the lowest and highest edge of a filled step at x."""
    heights = [a[1] for a, b in pairwise(vertices) if a[1] == b[1] and min(a[0], b[0]) < x < max(a[0], b[0])]
    return min(heights), max(heights)


def test_ratio_panel_of_a_curve_shows_generated_over_reference(card):
    _, ratio = draw_curve(ComparedCards.of(known_pair(card, "curve")), "known").axes
    points = ratio.containers[0].lines
    np.testing.assert_allclose(points[0].get_xydata()[:3], [[0.5, 0.9], [1.5, 1.1], [2.5, 1.05]])
    assert np.isnan(points[0].get_ydata()[3])
    np.testing.assert_allclose(points[2][0].get_segments()[0], [[0.5, 0.85], [0.5, 0.95]])


@pytest.mark.parametrize("kind", ["spectrum", "curve"])
def test_labels_of_long_names_stay_within_the_figure(card, kind):
    long = "Geant4 11.4.1 with G4EmStandardPhysics, range cut 0.7 mm, of another group"
    named = known_pair(card, kind)
    named = named.model_copy(update={"reference": named.reference.model_copy(update={"label": long})})
    figure = (draw_spectrum if kind == "spectrum" else draw_curve)(ComparedCards.of(named), "known")
    figure.canvas.draw()
    edges = figure.bbox
    main, ratio = figure.axes
    assert ratio.get_ylabel().startswith("ratio to\nGeant4")
    for axes in (main, ratio):
        label = axes.yaxis.label.get_window_extent()
        assert edges.x0 <= label.x0
        assert label.x1 <= edges.x1
        assert edges.y0 <= label.y0
        assert label.y1 <= edges.y1


@pytest.mark.parametrize("kind", ["spectrum", "curve"])
def test_names_of_any_signs_stand_in_the_legend(card, kind, caplog, tmp_path):
    """Dollars begin no formula, a name that begins with `_` is shown, and every letter is known."""
    named = known_pair(card, kind)
    named = named.model_copy(update={"generated": named.generated.model_copy(update={"label": "_gen_$1_$2"})})
    figure = (draw_spectrum if kind == "spectrum" else draw_curve)(ComparedCards.of(named), "known")
    save_figure(figure, tmp_path / "figure.png")
    shown = " ".join(text.get_text() for text in figure.axes[0].get_legend().get_texts())
    assert r"_gen_\$1_\$2" in shown
    assert not caplog.records


def test_a_curve_without_reference_is_shown_against_its_floor(card):
    curve = known_pair(card, "curve").curves[0]
    nothing = [None] * 4
    curve = curve.model_copy(
        update={"reference": nothing, "reference_error": nothing, "floor": [3.0, 11.0, 21.0, None],
                "floor_error": [0.1, 0.1, 0.1, None]}
    )  # fmt: skip
    main, ratio = draw_curve(ComparedCards.of(card.model_copy(update={"curves": [curve]})), "known").axes
    np.testing.assert_allclose(ratio.containers[0].lines[0].get_ydata()[:3], [3.0, 2.0, 2.0])
    assert ratio.get_ylabel() == "ratio to\nfloor"
    assert [t.get_text() for t in main.get_legend().get_texts()] == ["floor", "zdc_flow"]


def test_a_curve_of_both_signs_is_compared_by_differences(card):
    update = {"reference": [-1.0, 1.0, 2.0, None], "generated": [-1.5, 1.25, 2.0, None], "floor": []}
    curve = known_pair(card, "curve").curves[0].model_copy(update=update)
    _, below = draw_curve(ComparedCards.of(card.model_copy(update={"curves": [curve]})), "known").axes
    np.testing.assert_allclose(below.containers[0].lines[0].get_ydata()[:3], [-0.5, 0.25, 0.0])
    np.testing.assert_allclose(below.containers[0].lines[2][0].get_segments()[0], [[0.5, -1.0], [0.5, 0.0]])
    assert below.get_ylabel() == "less\nGeant4"
    assert below.get_ylim() == pytest.approx((-2.16, 2.16))


def test_bins_outside_the_ratio_panel_are_marked(card):
    spectrum = (
        known_pair(card, "spectrum").spectra[0].model_copy(update={"generated": [90.0, 20.0, 40.0, 0.0]})
    )
    _, ratio = draw_spectrum(ComparedCards.of(card.model_copy(update={"spectra": [spectrum]})), "known").axes
    (marks,) = [line for line in ratio.lines if line.get_marker() == "^"]
    np.testing.assert_allclose(marks.get_xdata(), [0.5])


def test_an_empty_spectrum_says_so(card):
    empty = {"reference": [0.0] * 4, "generated": [0.0] * 4}
    spectrum = known_pair(card, "spectrum").spectra[0].model_copy(update=empty)
    main, _ = draw_spectrum(ComparedCards.of(card.model_copy(update={"spectra": [spectrum]})), "known").axes
    assert main.texts[0].get_text() == "no entries in this range"


@pytest.mark.parametrize(("last", "labels"), [(5.0, ["1", "2", "5"]), (100.0, ["1", "3", "10", "30", "100"])])
def test_few_decades_are_labelled_with_plain_numbers(card, last, labels):
    edges = np.geomspace(1.0, last, 5).tolist()
    curve = known_pair(card, "curve").curves[0].model_copy(update={"edges": edges, "log_x": True})
    figure = draw_curve(ComparedCards.of(card.model_copy(update={"curves": [curve]})), "known")
    figure.draw_without_rendering()
    axis = figure.axes[1].xaxis
    shown = [t.label1.get_text() for t in axis.get_major_ticks() if 0.99 <= t.get_loc() <= 1.01 * last]
    assert shown == labels
    assert not any(t.label1.get_text() for t in axis.get_minor_ticks())


def test_angles_and_radii_are_named_and_carry_no_impact(card):
    image = card.images[0].model_copy(update={"row_label": "phi (rad)", "column_label": "r (mm)"})
    figure = draw_events(ComparedCards.of(card.model_copy(update={"images": [image]})))
    assert figure.axes[0].get_ylabel().endswith("r (mm)")
    assert figure.axes[3].get_xlabel() == "phi (rad)"
    assert not figure.axes[0].lines


def test_mean_image_keeps_x_across_and_masks_empty_cells(card):
    reference = [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    generated = [[0.0, 1.1, 2.0], [3.0, 3.6, 0.0]]
    image = ImagePair(
        name="known", title="known", row_edges=[0.0, 10.0, 20.0], column_edges=[0.0, 10.0, 20.0, 30.0],
        reference=reference, generated=generated,
        ratio_error=[[None, 0.01, 0.01], [0.01, 0.01, 0.01]],
    )  # fmt: skip
    figure = draw_mean_image(ComparedCards.of(card.model_copy(update={"images": [image]})), "known")
    left, middle, right = figure.axes[:3]
    meshes = [next(c for c in axes.collections if isinstance(c, QuadMesh)) for axes in (left, middle, right)]
    shown = [mesh.get_array() for mesh in meshes]
    np.testing.assert_allclose(shown[0].filled(-1.0), [[-1, 3], [1, 4], [2, 5]])
    np.testing.assert_allclose(shown[1].filled(-1.0), [[-1, 3], [1.1, 3.6], [2, -1]])
    np.testing.assert_allclose(shown[2].filled(-1.0), [[-1, 1], [1.1, 0.9], [1, 0]])
    assert meshes[0].norm is meshes[1].norm
    assert meshes[2].norm.vmin + meshes[2].norm.vmax == pytest.approx(2.0)
    assert left.get_xlim() == (0.0, 20.0)
    assert left.get_ylim() == (0.0, 30.0)


def test_events_share_the_scale_of_a_row_and_mark_the_impact(card):
    other = make_scorecard("zdc_gan", seed=8, showers=300, width=1.3, events=2)
    figure = draw_events(ComparedCards.of(card, other))
    rows = np.array(figure.axes[:6]).reshape(2, 3)
    assert [axes.get_title() for axes in rows[0]] == ["Geant4", "zdc_flow", "zdc_gan"]
    energies = sorted(event.incident_energy_gev for event in card.events)
    for row, energy in zip(rows, energies, strict=True):
        event = next(e for e in card.events if e.incident_energy_gev == energy)
        assert row[0].get_ylabel().startswith(f"{energy:.3g} GeV")
        meshes = [next(c for c in axes.collections if isinstance(c, QuadMesh)) for axes in row]
        assert len({(mesh.norm.vmin, mesh.norm.vmax) for mesh in meshes}) == 1
        np.testing.assert_allclose(meshes[0].get_array().filled(0.0).T, event.reference)
        np.testing.assert_allclose(meshes[1].get_array().filled(0.0).T, event.generated)
        assert all(list(axes.lines[0].get_xydata()[0]) == event.position_mm for axes in row)
    assert all("MeV" in axes.get_ylabel() for axes in figure.axes[6:])


def test_an_event_that_a_second_scorecard_lacks_is_said_to_be_missing(card):
    other = make_scorecard("zdc_gan", showers=300, data_seed=9, events=2)
    figure = draw_events(ComparedCards.of(card, other))
    assert figure.axes[2].texts[0].get_text() == "not among\nits events"


def test_pareto_places_samples_by_time_and_quality_and_joins_the_front(card):
    def timed(label, milliseconds, auc):
        score = card.measurement("classifier.auc_low").model_copy(update={"value": auc})
        generated = card.generated.model_copy(
            update={"label": label, "milliseconds_per_shower": milliseconds}
        )
        return with_measurements(card, [score], generated=generated)

    cards = [timed("slow", 9.0, 0.51), timed("fast", 0.1, 0.7), timed("beaten", 20.0, 0.6)]
    scores, worst = draw_pareto(ComparedCards.of(*cards)).axes
    for axes, values in ((scores, (0.51, 0.7)), (worst, [c.measurements[0].deviation for c in cards])):
        front = next(line for line in axes.lines if line.get_linestyle() == ":")
        np.testing.assert_allclose(front.get_xydata(), [[0.1, values[1]], [9.0, values[0]]])
        assert axes.get_xlabel() == "time per shower (ms)"
        points = {c.get_label(): float(c.lines[0].get_xdata()[0]) for c in axes.containers}
        assert points == {"slow": 9.0, "fast": 0.1, "beaten": 20.0}
    assert any(line.get_label() == "Geant4" and line.get_xdata()[0] == 412.0 for line in scores.lines)
    assert list_figures(ComparedCards.of(*cards))[0].key == "pareto"
    untimed = cards[1].model_copy(
        update={"generated": cards[1].generated.model_copy(update={"milliseconds_per_shower": None})}
    )
    assert "pareto" not in [figure.key for figure in list_figures(ComparedCards.of(cards[0], untimed))]
    with pytest.raises(CalokitError, match="fewer than two"):
        draw_pareto(ComparedCards.of(cards[0], untimed))


def test_without_a_common_classifier_the_worst_deviation_stands_alone(card):
    generated = card.generated.model_copy(update={"label": "other"})
    other = with_measurements(card, card.measurements[2:], generated=generated)
    (axes,) = draw_pareto(ComparedCards.of(card, other)).axes
    assert "deviation" in axes.get_ylabel()


def test_single_showers_of_one_sample_stand_in_two_columns(card):
    three = make_scorecard(showers=300, events=3)
    figure = draw_events(ComparedCards.of(three))
    panels = np.array(figure.axes[:8]).reshape(2, 4)
    energies = sorted(event.incident_energy_gev for event in three.events)
    shown = [axes.get_ylabel() for axes in panels[:, ::2].ravel() if axes.get_visible()]
    assert shown == [f"{energy:.3g} GeV\ny (mm)" for energy in energies]
    assert [axes.get_title() for axes in panels[0]] == ["Geant4", "zdc_flow"] * 2
    assert [axes.get_xlabel() for axes in panels.ravel()] == ["", "", *["x (mm)"] * 4, "", ""]


def test_pages_hold_what_their_topic_claims_and_mark_what_is_beyond_chance(card):
    verdict = Verdict(agrees=False, family_wise_rate=0.05, tested=6, flagged=["frechet"])
    judged = card.model_copy(update={"verdict": verdict})
    pages = {page.key: page for page in build_pages(ComparedCards.of(judged), {})}
    assert list(pages) == ["response", "cells", "classifiers"]
    rows = {row.title: row for row in pages["classifiers"].rows}
    assert [title for title, row in rows.items() if row.cells[0].flagged] == [
        "Fréchet distance × 10³ of the observables"
    ]
    assert rows["Coverage"].better == "higher"
    assert rows["Classifier AUC, cells"].showers == "300"
    assert pages["cells"].rows[0].showers == ""
    assert pages["classifiers"].worst == "incompatible"
    assert [describe_outcome(c) for c in (with_measurements(card, []), judged)] == ["agrees", "differs"]


def test_curves_of_positive_values_begin_at_zero(card):
    curve = known_pair(card, "curve").curves[0].model_copy(update={"generated": [0.1, 0.2, 40.0, 0.0]})
    main, _ = draw_curve(ComparedCards.of(card.model_copy(update={"curves": [curve]})), "known").axes
    assert main.get_ylim()[0] == 0.0


def test_hero_states_the_score_and_needs_events(card):
    title = draw_hero(card, count=2).get_suptitle()
    assert "classifier AUC, cells" in title
    assert r"floor 0.500 $\pm$ 0.003" in title
    with pytest.raises(CalokitError, match="single events"):
        draw_hero(card.model_copy(update={"events": []}))


def test_unknown_names_are_refused_with_the_known(card):
    for draw in (draw_spectrum, draw_curve, draw_mean_image):
        with pytest.raises(CalokitError, match=r"'nothing'; known: (visible_energy|response|layer_0)"):
            draw(ComparedCards.of(card), "nothing")


def test_svg_is_well_formed_and_its_identifiers_carry_the_name(card):
    text = figure_svg(draw_spectrum(ComparedCards.of(card), "visible_energy"), "first")
    assert ET.fromstring(text).tag.endswith("svg")
    assert "<metadata" not in text
    identifiers = set(re.findall(r'\bid="([^"]+)"', text))
    assert all(name.startswith("first-") for name in identifiers)
    used = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
    assert used
    assert used <= identifiers


def test_figures_are_written_by_ending_and_repeat_exactly(card, tmp_path):
    figure, again = (draw_mean_image(ComparedCards.of(card), "layer_0") for _ in range(2))
    for suffix, begins in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        path = tmp_path / f"image.{suffix}"
        save_figure(figure, path, 50.0)
        assert path.read_bytes().startswith(begins)
        assert path.read_bytes() == figure_bytes(again, suffix, 50.0)
    with pytest.raises(CalokitError, match="'gif'"):
        save_figure(figure, tmp_path / "image.gif")


def test_page_is_one_file_that_needs_no_other(report):
    page = report.read_text(encoding="utf-8")
    references = re.findall(r"""(?:\bsrc|\bhref|xlink:href|\bdata)\s*=\s*["']([^"']*)""", page)
    references += re.findall(r"""url\(\s*["']?([^)"']*)""", page)
    assert references
    assert all(reference.startswith(("#", "data:")) for reference in references)
    assert "@import" not in page
    assert not re.search(r"<(link|iframe|object|embed)\b|<script[^>]*\ssrc", page)
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\"'\s<)]+", page)) <= namespaces
    assert report.stat().st_size < 6_000_000


def test_page_contains_numbers_titles_images_and_provenance(report, card):
    page = report.read_text(encoding="utf-8")
    for measurement in card.measurements:
        assert measurement.title[1:] in page
    for text in ("0.941 ± 0.004", "0.962 ± 0.003", "+4.2 σ", card.floor_sample, card.reference.sha256,
                 card.generated.sha256, *card.warnings, "412 ms", "zdc_ecal_positrons_test.h5"):  # fmt: skip
        assert text in page
    assert "/home/somebody" not in page
    events = page[page.index('id="events"') : page.index('id="provenance"')]
    assert events.count("data:image/png;base64,") >= 4
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(identifiers)


def test_report_writes_scorecard_and_figures_beside_the_page(report, card):
    assert read_scorecard(report.parent / "scorecard.json") == card
    names = {path.name for path in (report.parent / "figures").iterdir()}
    keys = [figure.key for figure in list_figures(ComparedCards.of(card))]
    assert {"hero", "events", "image_layer_0"} <= set(keys)
    assert names == {f"{key}.{suffix}" for key in keys for suffix in ("pdf", "svg")}
    assert {path.name for path in report.parent.iterdir()} == {"report.html", "scorecard.json", "figures"}


def test_words_of_a_scorecard_are_text_and_never_markup(card, tmp_path):
    bare = card.model_copy(
        update={"warnings": ["<b>x</b>"], "events": [], "images": [], "spectra": [], "curves": []}
    )
    other = bare.model_copy(update={"generated": bare.generated.model_copy(update={"label": "a/b <i>"})})
    page = write_report(ComparedCards.of(bare, other), tmp_path).read_text(encoding="utf-8")
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x" not in page
    assert "<i>" not in page
    for label, written in (("zdc_flow", bare), ("a_b__i_", other)):
        content = json.loads((tmp_path / f"scorecard_{label}.json").read_text(encoding="utf-8"))
        assert content == written.to_mapping()


def test_figures_beyond_the_page_size_are_named_instead(card, tmp_path, monkeypatch):
    monkeypatch.setattr("calokit.report.pages.comparison.MOST_PAGE_BYTES", 10)
    few = card.model_copy(update={"events": [], "images": [], "curves": []})
    page = write_report(ComparedCards.of(few), tmp_path).read_text(encoding="utf-8")
    assert "<svg" not in page
    assert "figures/spectrum_visible_energy.pdf" in page
    assert (tmp_path / "figures" / "spectrum_visible_energy.pdf").exists()


def test_a_value_far_better_than_the_floor_is_remarked(card, tmp_path):
    copied = card.measurements[0].model_copy(update={"value": 0.3})
    bare = with_measurements(card, [copied], events=[], images=[], spectra=[], curves=[])
    page = write_report(ComparedCards.of(bare), tmp_path).read_text(encoding="utf-8")
    assert "better than the floor by 47." in page


def test_everything_that_an_evaluation_finds_has_a_page(shower_file):
    files = [open_showers(shower_file(300, seed, f"{seed}.h5")) for seed in (1, 2)]
    with quick_judges():
        found = evaluate_showers(*files, settings=EvaluationSettings(classifier_seeds=0, gallery_events=0))
    entries = [*found.measurements, *found.curves, *found.spectra, *found.images]
    assert len(entries) > 20
    assert [entry.name for entry in entries if page_of(entry.topic) == MORE] == []


def test_many_warnings_stand_in_one_box_on_the_overview(card, tmp_path):
    words = [f"the sample lacks thing {number}." for number in range(26)]
    bare = card.model_copy(
        update={"warnings": words, "events": [], "images": [], "spectra": [], "curves": []}
    )
    page = write_report(ComparedCards.of(bare), tmp_path).read_text()
    overview = page[page.index('id="overview"') : page.index('id="provenance"')]
    assert overview.count('class="warning"') == 1
    assert "26 warnings" in overview
    assert all(text in overview for text in words)
