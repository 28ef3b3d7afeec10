"""Reports in a real browser without a network: nothing is asked for, nothing complains, the display works."""

from __future__ import annotations

import base64
import io
import json
import shutil
from dataclasses import dataclass, field

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from calokit.detector import load_detector
from calokit.detector.cell_volumes import cell_volumes
from calokit.detector.library import list_detectors
from calokit.evaluation.scorecard import ShowerHits
from calokit.report.compared import ComparedCards
from calokit.report.figures.catalogue import NamedFigure, list_figures
from calokit.report.pages.comparison import write_report
from calokit.report.topics import TOPICS
from made_up_scorecards import make_display_card, make_hits, make_scorecard

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="no Chromium is installed: no browser looked at the reports (apt-get install chromium)",
)

ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
HALF_VIEW = np.radians(32.0) / 2
CHANGED = 12 / 255
"""A pixel counts as changed from this difference of a colour on."""


@dataclass
class OpenReport:
    """A report in a tab, with what the tab asked for and complained of."""

    page: object
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def visit(self, key):
        self.page.click(f'nav a[data-to="{key}"]')
        self.page.wait_for_selector(f"#{key}:not([hidden])")
        if key == "display":
            self.page.wait_for_selector("[data-display][data-ready]")

    def set(self, name, value):
        self.page.locator(f'[data-is="{name}"]').evaluate(
            "(element, value) => { element.value = value; element.dispatchEvent(new Event('input')); }",
            str(value),
        )

    def drawn(self):
        data = self.page.locator("[data-display]").evaluate("host => ({ ...host.dataset })")
        return int(data["drawnReference"]), int(data["drawnGenerated"])

    def camera(self):
        text = self.page.locator("[data-display]").get_attribute("data-camera")
        return np.array([float(part) for part in text.split()]).reshape(2, 3)

    def picture(self):
        """Return the canvas as (row, column, colour), 0 to 1."""
        url = self.page.locator('[data-is="canvas"]').evaluate("canvas => canvas.toDataURL()")
        return imread(io.BytesIO(base64.b64decode(url.partition(",")[2])))[..., :3]

    def drag(self, across, down):
        box = self.page.locator('[data-is="canvas"]').bounding_box()
        x, y = box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"]
        before = self.camera()
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + across, y + down, steps=3)
        self.page.mouse.up()
        self.page.mouse.move(0, 0)
        self.page.wait_for_function(
            "before => document.querySelector('[data-display]').dataset.camera !== before",
            arg=" ".join(f"{part:.3f}" for part in before.ravel()),
        )
        self.page.evaluate("() => new Promise(requestAnimationFrame)")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def open_report(browser, tmp_path, monkeypatch):
    """Write and open reports, the network cut off, with given figures or (None) all; nothing may complain."""
    opened = []

    def write_and_open(*cards, figures=(), width=1300, height=800):
        if figures is not None:
            monkeypatch.setattr("calokit.report.pages.comparison.list_figures", lambda cards: figures)
        path = write_report(ComparedCards.of(*cards), tmp_path / str(len(opened)))
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
        page = context.new_page()
        report = OpenReport(page)
        page.on("request", lambda request: report.asked.append(request.url))
        page.on("console", lambda message: report.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: report.complaints.append(str(error)))
        page.on("requestfailed", lambda request: report.complaints.append(f"failed: {request.url}"))
        opened.append((report, context, path))
        page.goto(path.as_uri())
        return report

    yield write_and_open
    for report, context, path in opened:
        assert report.asked == [path.as_uri()]
        assert report.complaints == []
        context.close()


def expected_counts(event, detector, first, last, least):
    """Count the hits in layers `first` to `last` with at least `least` MeV (as float32), on both sides."""
    layers = detector.cells.layer
    counts = []
    for shower in (event.reference, event.generated):
        at, energies = layers[shower.cells], np.asarray(shower.energies_mev, dtype=np.float32)
        counts.append(int(((at >= first) & (at <= last) & (energies >= least)).sum()))
    return tuple(counts)


def threshold_of(report):
    """Return the threshold in MeV that the page shows."""
    number, unit = report.page.locator('[data-is="threshold-is"]').inner_text().removeprefix("≥ ").split()
    return float(number) * (1000.0 if unit == "GeV" else 1.0)


def project(points, camera, width, height):
    """Return pixels (point, 2) of points (point, 3) in mm, as the display's camera sees them."""
    place, target = camera
    ahead = (target - place) / np.linalg.norm(target - place)
    right = np.cross(ahead, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    above = np.cross(right, ahead)
    away = points - place
    scale = height / (2.0 * np.tan(HALF_VIEW) * (away @ ahead))
    return np.column_stack([width / 2 + (away @ right) * scale, height / 2 - (away @ above) * scale])


def test_every_page_is_reached_and_shown_alone(open_report):
    card = make_display_card(load_detector("zdc_ecal"), events=1)
    report = open_report(card, figures=[NamedFigure("events", "gallery", "single showers", "", Figure)])
    page = report.page
    keys = page.eval_on_selector_all("nav a[data-to]", "links => links.map((link) => link.dataset.to)")
    topics = [topic.key for topic in TOPICS if topic.key in keys]
    assert keys == ["overview", *topics, "gallery", "display", "provenance"]
    assert {"response", "cells", "classifiers"} <= set(topics)
    assert page.locator("#overview .verdict").is_visible()
    for key in keys:
        report.visit(key)
        shown = page.eval_on_selector_all(
            "[data-page]", "pages => pages.filter((one) => !one.hidden).map((one) => one.id)"
        )
        assert shown == [key]
        assert page.locator(f"#{key} h2").is_visible()
        assert page.locator("nav a[aria-current=page]").get_attribute("data-to") == key
    page.go_back()
    page.wait_for_selector(f"#{keys[-2]}:not([hidden])")
    nameless = page.eval_on_selector_all(
        "input, select, button, canvas, [role=img]",
        """all => all.filter((one) => !(one.labels?.length || one.ariaLabel || one.textContent.trim()))
                  .map((one) => one.outerHTML.slice(0, 200))""",
    )
    assert nameless == []


def test_a_report_without_hits_has_no_display(open_report):
    card = make_scorecard(showers=60, events=0).model_copy(update={"spectra": [], "images": [], "curves": []})
    report = open_report(card, width=400)
    assert report.page.locator("[data-display], #display, nav a[data-to=display]").count() == 0
    assert report.page.evaluate("document.documentElement.scrollWidth") <= 400


def test_sliders_and_chooser_draw_exactly_what_they_say(open_report):
    detector = load_detector("par04_siw")
    card = make_display_card(detector, events=3, hits=300)
    report = open_report(card)
    report.visit("display")
    event = card.hits[2]
    assert report.page.locator('[data-is="event"]').input_value() == "2"
    assert report.drawn() == (300, 300)
    report.set("from", 7)
    report.set("to", 20)
    assert report.drawn() == expected_counts(event, detector, 7, 20, 0.0)
    report.set("from", 30)
    assert report.drawn() == expected_counts(event, detector, 20, 30, 0.0)
    assert "layers 20 to 30" in report.page.locator('[data-is="layers-are"]').inner_text()
    report.set("threshold", 90)
    least = threshold_of(report)
    expected = expected_counts(event, detector, 20, 30, least)
    assert 0 < expected[0] < expected_counts(event, detector, 20, 30, 0.0)[0]
    assert report.drawn() == expected
    report.page.locator('[data-is="event"]').select_option("0")
    assert report.drawn() == expected_counts(card.hits[0], detector, 20, 30, least)
    report.page.locator('[data-is="threshold"]').focus()
    report.page.keyboard.press("ArrowRight")
    assert threshold_of(report) > least
    caption = report.page.locator('[data-is="reference-count"]').inner_text()
    assert caption.startswith(f"{report.drawn()[0]} of 300 hits")


def test_both_views_turn_together(open_report):
    detector = load_detector("zdc_ecal_hcal")
    report = open_report(make_display_card(detector, events=1, hits=400, alike=True), width=1200)
    report.visit("display")
    before, camera = report.picture(), report.camera()
    report.drag(90, 30)
    after = report.picture()
    assert not np.allclose(report.camera()[0], camera[0], atol=1.0)
    np.testing.assert_allclose(report.camera()[1], camera[1], atol=0.01)
    for picture in (before, after):
        left, right = np.split(picture[:, : picture.shape[1] // 2 * 2], 2, axis=1)
        coloured = picture.max(axis=2) - picture.min(axis=2) > 0.2
        assert 0.005 < coloured.mean() < 0.7
        assert (np.abs(left - right) > CHANGED).any(axis=2).mean() < 0.002
    assert (np.abs(before - after) > CHANGED).any(axis=2).mean() > 0.02
    report.page.locator('[data-is="reset"]').click()
    assert (np.abs(report.picture() - before) > CHANGED).any(axis=2).mean() < 0.002
    report.page.locator('[data-is="canvas"]').focus()
    report.page.keyboard.press("ArrowLeft")
    report.page.wait_for_function(
        "before => document.querySelector('[data-display]').dataset.camera !== before",
        arg=" ".join(f"{part:.3f}" for part in camera.ravel()),
    )


@pytest.mark.parametrize(("name", "cell"), [("clic_ecal", 3 * 625 + 40), ("par04_siw", 20 * 144 + 52)])
def test_a_cell_is_drawn_where_its_volume_lies(open_report, name, cell):
    detector = load_detector(name)
    volumes = cell_volumes(detector)
    card = make_display_card(detector, events=1, hits=2)
    shower = ShowerHits(cells=[cell], energies_mev=[50.0], hits=1, energy_mev=50.0)
    event = card.hits[0].model_copy(update={"reference": shower, "generated": shower})
    report = open_report(card.model_copy(update={"hits": [event]}))
    report.visit("display")
    with_cell = report.picture()
    layer = int(volumes.layer[cell])
    report.set("from", layer + 1)
    assert report.drawn() == (0, 0)
    without = report.picture()
    height, width = with_cell.shape[0], with_cell.shape[1] // 2
    changed = (np.abs(with_cell - without) > CHANGED).any(axis=2)[:, :width]
    rows, columns = np.nonzero(changed)
    low, high = volumes.low[cell], volumes.high[cell]
    parts = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    points = low + parts * (high - low)
    if volumes.is_sector[cell]:
        angle, radius = points[:, 0].copy(), points[:, 1].copy()
        points[:, 0], points[:, 1] = radius * np.cos(angle), radius * np.sin(angle)
    pixels = project(points, report.camera(), width, height)
    found = [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1]
    expected = [pixels[:, 0].min(), pixels[:, 0].max(), pixels[:, 1].min(), pixels[:, 1].max()]
    np.testing.assert_allclose(found, expected, atol=2.0)
    assert expected[1] - expected[0] > 8
    report.set("from", layer)
    box = report.page.locator('[data-is="canvas"]').bounding_box()
    x, y = project(points.mean(axis=0)[None], report.camera(), width, height)[0]
    report.page.mouse.move(box["x"] + x, box["y"] + y)
    tip = report.page.locator('[data-is="tip"]')
    tip.wait_for(state="visible")
    assert tip.inner_text().startswith(f"50 MeV · layer {layer} ·")


def test_several_samples_are_chosen_from_and_may_lack_an_event(open_report):
    detector = load_detector("zdc_ecal")
    card = make_display_card(detector, events=2, hits=40)
    other = card.model_copy(
        update={
            "generated": card.generated.model_copy(update={"label": "zdc_gan"}),
            "hits": make_hits(detector, events=1, hits=30, seed=9),
        }
    )
    report = open_report(card, other, width=700)
    report.visit("display")
    report.set("sample", 1)
    assert report.drawn() == (40, 0)
    assert report.page.locator('[data-is="generated-count"]').inner_text() == "this sample lacks the event"
    report.set("event", 0)
    assert report.drawn() == (40, 30)
    assert report.page.locator('[data-is="generated-name"]').inner_text() == "zdc_gan"


@pytest.mark.slow
@pytest.mark.parametrize("name", list_detectors())
def test_every_detector_is_drawn(open_report, name):
    detector = load_detector(name)
    report = open_report(make_display_card(detector, events=1, hits=200))
    report.visit("display")
    hits = min(200, detector.number_of_cells)
    assert report.drawn() == (hits, hits)
    picture = report.picture()
    assert ((picture.max(axis=2) - picture.min(axis=2)) > 0.2).mean() > 0.002


@pytest.mark.slow
def test_a_whole_report_with_every_figure_opens(open_report):
    detector = load_detector("zdc_ecal")
    update = {"detector_description": detector, "hits": make_hits(detector)}
    cards = [
        make_scorecard(label, width=width, showers=300, events=2).model_copy(update=update)
        for label, width in (("zdc_flow", 1.0), ("zdc_gan", 1.3))
    ]
    report = open_report(*cards, figures=None)
    for figure in list_figures(ComparedCards.of(*cards)):
        report.visit(figure.topic)
        drawing = report.page.locator(f"#{figure.key} svg")
        assert drawing.is_visible()
        assert drawing.bounding_box()["height"] > 150


@pytest.mark.slow
def test_fifty_thousand_hits_are_drawn(open_report):
    detector = load_detector("zdc_ecal_hcal")
    card = make_display_card(detector, events=1, hits=50_000)
    report = open_report(card)
    report.visit("display")
    assert report.drawn() == (50_000, 50_000)
    report.drag(60, 10)
    report.set("to", 30)
    assert report.drawn() == expected_counts(card.hits[0], detector, 0, 30, 0.0)
    assert json.loads(report.page.locator("#display-content").text_content())["sections"][1]["name"] == "HCAL"
