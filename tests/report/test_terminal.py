from __future__ import annotations

import io

import pytest
from rich.console import Console

from calokit.errors import CalokitError
from calokit.evaluation.scorecard import Measurement
from calokit.report.compared import ComparedCards
from calokit.report.rounding import round_plainly, round_to_error
from calokit.report.terminal import scorecard_table
from calokit.report.verdict import Grade, format_deviation, grade_measurement, state_verdict
from made_up_scorecards import make_scorecard, with_measurements


def render(scorecards, width, colour=False):
    output = io.StringIO()
    console = Console(
        file=output, width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(scorecard_table(ComparedCards.of(*scorecards)))
    return output.getvalue()


def with_label(card, label):
    return card.model_copy(update={"generated": card.generated.model_copy(update={"label": label})})


def measure(value, error=0.003, floor=0.5, floor_error=0.004, direction="lower"):
    return Measurement(
        name="auc", title="AUC", value=value, error=error, floor=floor, floor_error=floor_error,
        direction=direction,
    )  # fmt: skip


@pytest.fixture(scope="module")
def card():
    return make_scorecard(showers=300, events=0)


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("samples", [1, 2, 3])
def test_table_fits_and_keeps_every_number(card, width, samples):
    cards = [with_label(card, f"model_{number}") for number in range(samples)]
    text = render(cards, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    words = " ".join(text.split())
    for number in ("0.962", "0.941", "8.4", "0.31", "(1.2" if samples < 3 else "1.2×10⁻⁴"):
        assert number in words
    assert text.split("from the floor:")[0].count("0.941") == samples
    assert all(f"model_{number}" in text for number in range(samples))


def test_table_fits_100_columns_with_five_samples(card):
    text = render([with_label(card, f"model_{number}") for number in range(5)], 100)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100
    assert text.split("from the floor:")[0].count("0.941") == 5


def test_headline_states_showers_threshold_floor_and_times(card):
    words = " ".join(render([card], 100).split())
    assert "threshold 0.1 MeV" in words
    assert card.floor_sample in words
    assert "Geant4: 300 showers, 412 ms per shower (1 core, one shower after the other)" in words
    assert "zdc_flow: 300 showers, 0.0873 ms per shower (1 core, batch 256" in words
    assert "warning (zdc_flow): 12 showers of the reference have no cell above threshold" in words


@pytest.mark.parametrize(
    ("value", "direction", "grade"),
    [
        (0.5, "lower", Grade.COMPATIBLE),
        (0.5099, "lower", Grade.COMPATIBLE),
        (0.5101, "lower", Grade.DOUBTFUL),
        (0.5249, "lower", Grade.DOUBTFUL),
        (0.5251, "lower", Grade.INCOMPATIBLE),
        (0.4, "lower", Grade.COMPATIBLE),
        (0.4899, "higher", Grade.DOUBTFUL),
        (0.4749, "higher", Grade.INCOMPATIBLE),
        (0.6, "higher", Grade.COMPATIBLE),
    ],
)
def test_grade_by_standard_errors_from_the_floor(value, direction, grade):
    assert grade_measurement(measure(value, direction=direction)) is grade


def test_a_difference_without_errors_is_not_graded():
    assert grade_measurement(measure(0.6, error=0.0, floor_error=0.0)) is Grade.UNGRADED
    assert grade_measurement(measure(0.5, error=0.0, floor_error=0.0)) is Grade.COMPATIBLE
    assert format_deviation(measure(0.6, error=0.0, floor_error=0.0)) == "–"
    assert format_deviation(measure(0.516)) == "+3.2 σ"


@pytest.mark.parametrize(
    ("value", "escape", "text"),
    [
        (0.505, "\x1b[32m", "0.505 ± 0.003"),
        (0.515, "\x1b[33m", "0.515 ± 0.003 *"),
        (0.600, "\x1b[31m", "0.600 ± 0.003**"),
    ],
)
def test_colour_and_stars_follow_the_grade(card, value, escape, text):
    shown = render([with_measurements(card, [measure(value)], warnings=[])], 100, True)
    row = next(line for line in shown.splitlines() if "AUC" in line)
    assert escape in row
    assert text in row
    assert [e for e in ("\x1b[31m", "\x1b[32m", "\x1b[33m") if e in row] == [escape]


def test_scorecards_of_different_references_are_refused(card):
    other = with_label(card, "other")
    other = other.model_copy(update={"reference": other.reference.model_copy(update={"sha256": "0" * 64})})
    with pytest.raises(CalokitError, match="sha256"):
        scorecard_table(ComparedCards.of(card, other))
    with pytest.raises(CalokitError, match="different labels"):
        scorecard_table(ComparedCards.of(card, card))
    with pytest.raises(CalokitError, match="no scorecard"):
        scorecard_table(ComparedCards.of())


def test_verdict_names_the_worst_first(card):
    near = [measure(0.501).model_copy(update={"name": "a", "title": "near"})]
    far = measure(0.7).model_copy(update={"name": "b", "title": "far"})
    middle = measure(0.53).model_copy(update={"name": "c", "title": "middle"})
    verdict = state_verdict(with_measurements(card, [*near, middle, far]))
    assert "told apart by 2 of 3 measurements, family-wise 5 %" in verdict
    assert verdict.index("far 0.700 ± 0.003") < verdict.index("middle 0.530 ± 0.003")
    assert "near" not in verdict
    alike = state_verdict(with_measurements(card, near))
    assert "not told apart by 300 showers (1 measurements" in alike


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.51234, 0.0031, "0.512 ± 0.003"),
        (0.51234, 0.0014, "0.5123 ± 0.0014"),
        (0.51234, 0.0096, "0.51 ± 0.01"),
        (123.4, 31.0, "120 ± 30"),
        (1.23e-4, 4.4e-5, "(1.2 ± 0.4)×10⁻⁴"),
        (-0.5, 0.2, "-0.5 ± 0.2"),
        (0.0, 0.2, "0.0 ± 0.2"),
        (0.0, 0.0, "0.00"),
        (0.25, 0.0, "0.250"),
        (2.345e6, 1.2e4, "(2.345 ± 0.012)×10⁶"),
    ],
)
def test_round_to_error(value, error, text):
    assert round_to_error(value, error).plain() == text


def test_round_for_figures_and_without_error():
    assert round_to_error(1.23e-4, 4.4e-5).mathtext() == r"(1.2 $\pm$ 0.4)$\times10^{-4}$"
    assert round_plainly(0.0) == "0.00"
    assert round_plainly(99999.0) == "99999"
